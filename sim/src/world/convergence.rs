//! Which lists differ from what is expected.
//!
//! Entries are compared only when they may have changed: a cluster of 10 000 servers has 10^8 of them.

use clustershazbot::message::State;

use super::server::Servers;

/// Up to how many wrong entries of a list are compared again after each event of its server. An entry can change without
/// an event, for example when it expires.
const ALWAYS_COMPARED: u32 = 4;

/// The expected states of servers, whose lists count, and which entries differ. An observer's list has an entry for each
/// subject.
#[derive(Debug, Default)]
pub struct Convergence {
    expected: Vec<Option<State>>,
    subjects: Vec<usize>,
    is_observer: Vec<bool>,
    // For each observer a bit for each subject that it lists wrongly. Empty if there are none.
    wrong_bits: Vec<Vec<u64>>,
    wrong_counts: Vec<u32>,
    wrong_lists: usize,
    wrong_entries: u64,
}

impl Convergence {
    pub(super) fn new(servers: usize, expected: &[(usize, State)], is_observer: impl Fn(usize) -> bool) -> Self {
        let mut states = vec![None; servers];
        for (subject, state) in expected {
            states[*subject] = Some(*state);
        }
        Self {
            expected: states,
            subjects: expected.iter().map(|(subject, _)| *subject).collect(),
            is_observer: (0..servers).map(is_observer).collect(),
            wrong_bits: vec![Vec::new(); servers],
            wrong_counts: vec![0; servers],
            wrong_lists: 0,
            wrong_entries: 0,
        }
    }

    /// The expected state of a server, if there is one.
    pub fn expected(&self, subject: usize) -> Option<State> {
        self.expected.get(subject).copied().flatten()
    }

    /// Whether a server's list counts.
    pub fn is_observer(&self, server: usize) -> bool {
        self.is_observer.get(server).copied().unwrap_or_default()
    }

    /// The number of lists with any wrong entry.
    pub fn wrong_lists(&self) -> usize {
        self.wrong_lists
    }

    /// The number of wrong entries in all lists together.
    pub fn wrong_entries(&self) -> u64 {
        self.wrong_entries
    }

    /// The servers that one server lists wrongly.
    pub fn wrong_subjects(&self, observer: usize) -> Vec<usize> {
        let bits = self.wrong_bits.get(observer).map(Vec::as_slice).unwrap_or_default();
        let of_word = |(index, word): (usize, &u64)| {
            let word = *word;
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
        };
        bits.iter().enumerate().flat_map(of_word).collect()
    }

    /// The number of servers with an expected state.
    pub(super) fn subjects(&self) -> usize {
        self.subjects.len()
    }

    pub(super) fn expect(&mut self, subject: usize, state: State) {
        if self.expected[subject].replace(state).is_none() {
            self.subjects.push(subject);
        }
    }

    /// Compares all entries of a server's list. The list of a server that is not up counts as right.
    pub(super) fn compare_list(&mut self, observer: usize, servers: &Servers) {
        if !self.is_observer(observer) {
            return;
        }
        if !servers[observer].is_up() {
            self.clear(observer);
            return;
        }
        for index in 0..self.subjects.len() {
            self.compare_entry(observer, self.subjects[index], servers);
        }
    }

    /// Compares one entry of a server's list.
    pub(super) fn compare_entry(&mut self, observer: usize, subject: usize, servers: &Servers) {
        let Some(expected) = self.expected(subject) else { return };
        if self.is_observer(observer)
            && servers[observer].is_up()
            && let Some(process) = &servers[observer].process
        {
            self.set(observer, subject, process.state(servers[subject].url()) != expected);
        }
    }

    /// Compares the wrong entries of a server's list again, if they are few.
    pub(super) fn compare_few_wrong(&mut self, observer: usize, servers: &Servers) {
        let count = self.wrong_counts.get(observer).copied().unwrap_or_default();
        if (1..=ALWAYS_COMPARED).contains(&count) {
            for subject in self.wrong_subjects(observer) {
                self.compare_entry(observer, subject, servers);
            }
        }
    }

    fn set(&mut self, observer: usize, subject: usize, wrong: bool) {
        let bits = &mut self.wrong_bits[observer];
        if bits.is_empty() {
            if !wrong {
                return;
            }
            *bits = vec![0; self.expected.len().div_ceil(64)];
        }
        let (word, bit) = (&mut bits[subject / 64], 1 << (subject % 64));
        if wrong == (*word & bit != 0) {
            return;
        }
        *word ^= bit;
        let before = self.wrong_counts[observer];
        if wrong {
            self.wrong_counts[observer] += 1;
            self.wrong_entries += 1;
            self.wrong_lists += usize::from(before == 0);
        } else {
            self.wrong_counts[observer] -= 1;
            self.wrong_entries -= 1;
            self.wrong_lists -= usize::from(before == 1);
            if before == 1 {
                self.wrong_bits[observer] = Vec::new();
            }
        }
    }

    fn clear(&mut self, observer: usize) {
        if let Some(count @ 1..) = self.wrong_counts.get(observer).copied() {
            self.wrong_bits[observer] = Vec::new();
            self.wrong_counts[observer] = 0;
            self.wrong_entries -= u64::from(count);
            self.wrong_lists -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_wrong_while_any_of_its_entries_is() {
        let mut convergence = Convergence::new(100, &[(3, State::Offline), (70, State::Online)], |_| true);
        convergence.set(5, 3, true);
        convergence.set(5, 70, true);
        convergence.set(5, 70, true);
        convergence.set(6, 3, false);
        assert_eq!((convergence.wrong_lists(), convergence.wrong_entries()), (1, 2));
        assert_eq!(convergence.wrong_subjects(5), [3, 70]);
        convergence.set(5, 3, false);
        assert_eq!((convergence.wrong_lists(), convergence.wrong_entries()), (1, 1));
        convergence.clear(5);
        assert_eq!((convergence.wrong_lists(), convergence.wrong_entries()), (0, 0));
    }
}
