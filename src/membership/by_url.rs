//! `ByUrl`: finds the entries of a message or list by their URLs.

use crate::message::{Entry, ServerUrl};

/// Entries, sorted by the hash of their URLs: with 50 000, a map of texts takes too long.
pub struct ByUrl<'a>(Vec<(u64, &'a Entry)>);

impl<'a> ByUrl<'a> {
    /// Sorts the entries. Duplicates stay in their order.
    pub fn new(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut sorted: Vec<_> = entries.into_iter().map(|entry| (entry.url.key(), entry)).collect();
        sorted.sort_by_key(|(key, _)| *key);
        Self(sorted)
    }

    /// The entry of a server, the last of duplicates.
    pub fn get(&self, url: &ServerUrl) -> Option<&'a Entry> {
        let end = self.0.partition_point(|(key, _)| *key <= url.key());
        let same_key = self.0[..end].iter().rev().take_while(|(key, _)| *key == url.key());
        same_key.map(|(_, entry)| *entry).find(|entry| entry.url == *url)
    }

    /// How many entries there are, with duplicates.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All entries, with duplicates.
    pub fn iter(&self) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().map(|(_, entry)| *entry)
    }

    /// The last entry of each server.
    pub fn unique(&self) -> impl Iterator<Item = &'a Entry> {
        self.0.chunk_by(|(_, one), (_, next)| one.url == next.url).filter_map(|same| Some(same.last()?.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::tests::{WALL, entry, url};
    use crate::message::State;

    #[test]
    fn the_last_of_duplicates_is_found() {
        let entries: Vec<_> =
            [("a", 1), ("b", 2), ("a", 3)].map(|(name, ms)| entry(name, State::Online, WALL + ms, None)).into();
        let listed = ByUrl::new(&entries);
        assert_eq!(listed.get(&url("a")), Some(&entries[2]));
        assert_eq!(listed.get(&url("c")), None);
        let mut stamps: Vec<_> = listed.unique().map(|entry| entry.stamp - WALL).collect();
        stamps.sort_unstable();
        assert_eq!((stamps, listed.count()), (vec![2, 3], 3));
    }
}
