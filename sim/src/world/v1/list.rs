//! One of the two lists of a version 1 server, and the length of a message on the wire.

use clustershazbot::message::{Entry, Message, ServerUrl, State};

/// Entries in the order of base URLs.
///
/// The entries of a message have the same order, so each is first looked for after the entry that was found last. That
/// keeps a cluster of 300 fast, which merges 300 entries 20 times per second.
#[derive(Clone, Debug, Default)]
pub struct List {
    entries: Vec<Entry>,
    next: usize,
}

impl List {
    /// The entry of a server.
    pub fn get(&self, url: &ServerUrl) -> Option<&Entry> {
        self.find(url).ok().map(|index| &self.entries[index])
    }

    /// The entry of a server, mutable. Remembers its position.
    pub fn get_mut(&mut self, url: &ServerUrl) -> Option<&mut Entry> {
        let index = self.find(url).ok()?;
        self.next = index + 1;
        Some(&mut self.entries[index])
    }

    /// Whether the list has an entry of a server.
    pub fn contains(&self, url: &ServerUrl) -> bool {
        self.find(url).is_ok()
    }

    /// Adds an entry, or replaces the one of the same server.
    pub fn insert(&mut self, entry: Entry) {
        match self.find(&entry.url) {
            Ok(index) => self.entries[index] = entry,
            Err(index) => self.entries.insert(index, entry),
        }
    }

    /// Removes the entry of a server.
    pub fn remove(&mut self, url: &ServerUrl) -> Option<Entry> {
        self.find(url).ok().map(|index| self.entries.remove(index))
    }

    /// Removes all entries that do not meet a condition.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn find(&self, url: &ServerUrl) -> Result<usize, usize> {
        // Equal base URLs usually share their text, so pointers are compared first.
        let is_it = |entry: &&Entry| std::ptr::eq(entry.url.as_str(), url.as_str());
        if self.entries.get(self.next).as_ref().is_some_and(is_it) {
            return Ok(self.next);
        }
        self.entries.binary_search_by(|entry| entry.url.cmp(url))
    }
}

/// The length of a message as JSON, without writing it: version 1 sends its whole state each time.
pub fn json_length(message: &Message) -> u64 {
    let digits = |number: u64| u64::from(number.checked_ilog10().unwrap_or_default()) + 1;
    let of_entry = |entry: &Entry| {
        let v2 = entry.v2.as_ref().map_or(0, |v2| r#","shazbot":"""#.len() + v2.to_string().len());
        let rest = r#"{"baseUrl":"","monitor":,"lastUpdate":}"#.len() + if entry.monitor { 4 } else { 5 };
        (rest + v2 + entry.url.as_str().len()) as u64 + digits(entry.stamp)
    };
    let count = |state| message.entries.iter().filter(|entry| entry.state == state).count() as u64;
    let commas = count(State::Online).saturating_sub(1) + count(State::Offline).saturating_sub(1);
    let around = r#"{"message":"gossip","online":[],"offline":[]}"#.len() as u64;
    around + commas + message.entries.iter().map(of_entry).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use clustershazbot::message::{EntryV2, Extensions, Reason};

    use super::super::tests::{entry, url};
    use super::*;

    #[test]
    fn a_list_is_in_the_order_of_urls_whatever_the_order_of_insertion() {
        let mut list = List::default();
        for server in [3, 1, 2, 1] {
            list.insert(Entry { stamp: server as u64, ..entry(server, State::Online, 0) });
        }
        assert_eq!(list.entries().iter().map(|entry| entry.stamp).collect::<Vec<_>>(), [1, 2, 3]);
        for server in [1, 2, 3, 2] {
            assert_eq!(list.get_mut(&url(server)).map(|entry| entry.stamp), Some(server as u64));
        }
        assert!(list.remove(&url(2)).is_some() && !list.contains(&url(2)));
        assert_eq!(list.get(&url(3)).map(|entry| entry.stamp), Some(3));
    }

    #[test]
    fn the_length_of_a_message_is_that_of_its_json() {
        let v2 = EntryV2 {
            incarnation: 7,
            instance: 0xbeef,
            reason: Some(Reason::Failed),
            author: Some(url(3)),
            extensions: Extensions::default(),
        };
        let offline = Entry { v2: Some(v2), monitor: true, ..entry(2, State::Offline, 7) };
        let stamp_0 = Entry { stamp: 0, ..entry(3, State::Online, 0) };
        for entries in [vec![], vec![entry(1, State::Online, 5), offline.clone(), stamp_0, offline]] {
            let message = Message::new(entries);
            assert_eq!(json_length(&message), message.to_json().len() as u64);
        }
    }
}
