//! A list of version 1's servers.

use crate::message::{Entry, ServerUrl};

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
