//! A list of version 1's servers, and the length of two of them on the wire.

use clustershazbot::message::{Entry, Message, ServerUrl, State};

/// Entries in the order of their URLs. Those of a message come in the same order, so each is looked for where the last
/// one was found: a cluster of 300 merges 300 entries 20 times a second.
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

    /// The same, to be changed, and remembers where it was.
    pub fn get_mut(&mut self, url: &ServerUrl) -> Option<&mut Entry> {
        let index = self.find(url).ok()?;
        self.next = index + 1;
        Some(&mut self.entries[index])
    }

    /// Whether it names a server.
    pub fn contains(&self, url: &ServerUrl) -> bool {
        self.find(url).is_ok()
    }

    /// Puts an entry in place of whatever is there.
    pub fn put(&mut self, entry: Entry) {
        match self.find(&entry.url) {
            Ok(index) => self.entries[index] = entry,
            Err(index) => self.entries.insert(index, entry),
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, url: &ServerUrl) -> Option<Entry> {
        self.find(url).ok().map(|index| self.entries.remove(index))
    }

    /// Keeps some entries alone.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn find(&self, url: &ServerUrl) -> Result<usize, usize> {
        // Most URLs share their text with the one that is there.
        let is_it = |entry: &&Entry| std::ptr::eq(entry.url.as_str(), url.as_str());
        if self.entries.get(self.next).as_ref().is_some_and(is_it) {
            return Ok(self.next);
        }
        self.entries.binary_search_by(|entry| entry.url.cmp(url))
    }
}

/// The length of a message as JSON, without writing it: its whole state is what version 1 sends each time.
pub fn length(message: &Message) -> u64 {
    let digits = |number: u64| u64::from(number.checked_ilog10().unwrap_or_default()) + 1;
    let of_entry = |entry: &Entry| {
        let life = entry.v2.as_ref().map_or(0, |life| r#","shazbot":"""#.len() + life.to_string().len());
        let rest = r#"{"baseUrl":"","monitor":,"lastUpdate":}"#.len() + if entry.monitor { 4 } else { 5 };
        (rest + life + entry.url.as_str().len()) as u64 + digits(entry.stamp)
    };
    let count = |state| message.entries.iter().filter(|entry| entry.state == state).count() as u64;
    let commas = count(State::Online).saturating_sub(1) + count(State::Offline).saturating_sub(1);
    let around = r#"{"message":"gossip","online":[],"offline":[]}"#.len() as u64;
    around + commas + message.entries.iter().map(of_entry).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::settings;
    use clustershazbot::message::{EntryV2, Reason};

    fn url(server: usize) -> ServerUrl {
        settings(server, Duration::from_secs(30)).expect("valid").base_url
    }

    fn entry(server: usize, state: State, stamp: u64) -> Entry {
        Entry { url: url(server), monitor: false, state, stamp, v2: None }
    }

    #[test]
    fn a_list_is_in_the_order_of_urls_however_it_came_about() {
        let mut list = List::default();
        for server in [3, 1, 2, 1] {
            list.put(entry(server, State::Online, server as u64));
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
        let life = EntryV2 { incarnation: 7, instance: 0xbeef, reason: Some(Reason::Failed), author: Some(url(3)) };
        let with = Entry { v2: Some(life), monitor: true, ..entry(2, State::Offline, 7) };
        for entries in [vec![], vec![entry(1, State::Online, 5), with.clone(), entry(3, State::Online, 0), with]] {
            let message = Message::new(entries);
            assert_eq!(length(&message), message.to_json().len() as u64);
        }
    }
}
