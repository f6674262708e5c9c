//! Which lists are right. Looked at only where something has changed: a cluster of 10 000 has 10^8 entries.

use clustershazbot::message::State;

/// How servers should be listed, by whom, and which lists are otherwise.
#[derive(Debug, Default)]
pub struct Wanted {
    states: Vec<Option<State>>,
    /// Servers that should be listed in some way.
    pub targets: Vec<usize>,
    observers: Vec<bool>,
    // A bit for each server that is listed wrongly, by observer; empty where there is none.
    bits: Vec<Vec<u64>>,
    counts: Vec<u32>,
    wrong_lists: usize,
    wrong_entries: u64,
}

impl Wanted {
    pub(super) fn new(servers: usize, targets: &[(usize, State)], observer: impl Fn(usize) -> bool) -> Self {
        let mut states = vec![None; servers];
        for (server, state) in targets {
            states[*server] = Some(*state);
        }
        Self {
            states,
            targets: targets.iter().map(|(server, _)| *server).collect(),
            observers: (0..servers).map(observer).collect(),
            bits: vec![Vec::new(); servers],
            counts: vec![0; servers],
            wrong_lists: 0,
            wrong_entries: 0,
        }
    }

    /// How a server should be listed, if that matters.
    pub fn state(&self, server: usize) -> Option<State> {
        self.states.get(server).copied().flatten()
    }

    /// Whether a server's list matters.
    pub fn is_observer(&self, server: usize) -> bool {
        self.observers.get(server).copied().unwrap_or_default()
    }

    /// How many servers list anything wrongly.
    pub fn wrong_lists(&self) -> usize {
        self.wrong_lists
    }

    /// How many entries are wrong, in all lists together.
    pub fn wrong_entries(&self) -> u64 {
        self.wrong_entries
    }

    /// How many entries of one list are wrong.
    pub fn wrong_of(&self, observer: usize) -> u32 {
        self.counts.get(observer).copied().unwrap_or_default()
    }

    pub(super) fn put(&mut self, target: usize, state: State) {
        if self.states[target].replace(state).is_none() {
            self.targets.push(target);
        }
    }

    pub(super) fn set(&mut self, observer: usize, target: usize, wrong: bool) {
        let bits = &mut self.bits[observer];
        if bits.is_empty() {
            if !wrong {
                return;
            }
            *bits = vec![0; self.states.len().div_ceil(64)];
        }
        let (word, bit) = (&mut bits[target / 64], 1 << (target % 64));
        if wrong == (*word & bit != 0) {
            return;
        }
        *word ^= bit;
        let before = self.counts[observer];
        if wrong {
            self.counts[observer] += 1;
            self.wrong_entries += 1;
            self.wrong_lists += usize::from(before == 0);
        } else {
            self.counts[observer] -= 1;
            self.wrong_entries -= 1;
            self.wrong_lists -= usize::from(before == 1);
            if before == 1 {
                self.bits[observer] = Vec::new();
            }
        }
    }

    pub(super) fn clear(&mut self, observer: usize) {
        if let Some(count @ 1..) = self.counts.get(observer).copied() {
            self.bits[observer] = Vec::new();
            self.counts[observer] = 0;
            self.wrong_entries -= u64::from(count);
            self.wrong_lists -= 1;
        }
    }

    /// The servers that one lists wrongly.
    pub fn wrong(&self, observer: usize) -> Vec<usize> {
        let bits = self.bits.get(observer).map(Vec::as_slice).unwrap_or_default();
        let of_word = |(index, word): (usize, &u64)| {
            let word = *word;
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
        };
        bits.iter().enumerate().flat_map(of_word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_wrong_while_any_of_its_entries_is() {
        let mut wanted = Wanted::new(100, &[(3, State::Offline), (70, State::Online)], |_| true);
        wanted.set(5, 3, true);
        wanted.set(5, 70, true);
        wanted.set(5, 70, true);
        wanted.set(6, 3, false);
        assert_eq!((wanted.wrong_lists(), wanted.wrong_entries(), wanted.wrong(5)), (1, 2, vec![3, 70]));
        wanted.set(5, 3, false);
        assert_eq!((wanted.wrong_lists(), wanted.wrong_entries()), (1, 1));
        wanted.clear(5);
        assert_eq!((wanted.wrong_lists(), wanted.wrong_entries()), (0, 0));
    }
}
