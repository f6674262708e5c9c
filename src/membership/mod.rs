//! Who is known, and in which state. Pure: time and random numbers come in with the calls.

mod member;
mod merge;
mod selection;

use std::collections::BTreeMap;

use crate::clock::Now;
use crate::message::{Entry, MAX_AHEAD, Reason, ServerUrl, State};

pub use member::Member;
pub use merge::{join, number, supersedes};
pub use selection::audience;

/// How long a server that is gone is remembered, ms (v1's README: 24 hours). Until then nothing older than its death
/// makes it online.
pub const TOMBSTONE_LIFE: u64 = 24 * 3_600_000;
/// The oldest word of a third party that makes a server online, ms. Less than the life of a tombstone by more than
/// clocks may differ, so that what a tombstone kept out is too old by itself once the tombstone is gone.
pub const ONLINE_LIFE: u64 = 20 * 3_600_000;
/// Most servers that are remembered: room for the largest cluster and as many dead again.
pub const MAX_SERVERS: usize = 50_000;

/// What a merge changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that was not known.
    None,
    /// A newer word on a server whose state stays what it was.
    Refreshed,
    /// A server is online that was offline or unknown.
    Online,
    /// A server is offline that was online or unknown.
    Offline,
}

/// Every server known, this one included, in the order of their URLs.
#[derive(Clone, Debug, Default)]
pub struct Members {
    map: BTreeMap<ServerUrl, Member>,
    version: u64,
}

impl Members {
    /// Takes what somebody says of a server, if it is newer than what is known and not too old to be taken.
    pub fn merge(&mut self, entry: Entry, now: Now) -> Change {
        let life = match entry.state {
            State::Online => ONLINE_LIFE,
            State::Offline => TOMBSTONE_LIFE,
        };
        if entry.stamp + life < now.wall {
            return Change::None;
        }
        match self.map.get(&entry.url) {
            Some(member) if !supersedes(&entry, &member.entry) => Change::None,
            None if self.map.len() >= MAX_SERVERS => Change::None,
            _ => self.put(entry, now),
        }
    }

    /// Puts an entry in place of whatever is known: for a server's word on itself.
    pub fn put(&mut self, entry: Entry, now: Now) -> Change {
        self.version += 1;
        let state = entry.state;
        let before = self.map.get(&entry.url).map(|member| member.entry.state);
        match self.map.get_mut(&entry.url) {
            Some(member) => member.update(entry, now),
            None => drop(self.map.insert(entry.url.clone(), Member::new(entry, now))),
        }
        match state {
            _ if before == Some(state) => Change::Refreshed,
            State::Online => Change::Online,
            State::Offline => Change::Offline,
        }
    }

    /// Lists a server offline because it could not be reached.
    pub fn declare_dead(&mut self, url: &ServerUrl, author: &ServerUrl, now: Now) -> Change {
        let Some(member) = self.map.get(url) else {
            return Change::None;
        };
        let mut entry = member.entry.clone();
        entry.state = State::Offline;
        entry.stamp = member.own_clock(now).max(entry.stamp + 1);
        if let Some(life) = &mut entry.life {
            life.reason = Some(Reason::Failed);
            life.author = Some(author.clone());
        }
        self.put(entry, now)
    }

    /// Notes that a server has answered us.
    pub fn answered(&mut self, url: &ServerUrl, now: Now) {
        if let Some(member) = self.map.get_mut(url) {
            member.answer(now);
        }
    }

    /// Forgets tombstones past their life, and what is stamped further ahead of our clock than we would accept today:
    /// the latter were accepted while our own clock was wrong. Returns those, to be met anew.
    pub fn expire(&mut self, own: &ServerUrl, now: Now) -> Vec<Entry> {
        let ahead = |entry: &Entry| entry.stamp.max(number(entry)) > now.wall + MAX_AHEAD;
        let dead = |entry: &Entry| entry.state == State::Offline && entry.stamp + TOMBSTONE_LIFE < now.wall;
        let before = self.map.len();
        let mut strangers = Vec::new();
        self.map.retain(|url, member| {
            if url != own && ahead(&member.entry) {
                strangers.push(member.entry.clone());
                return false;
            }
            url == own || !dead(&member.entry)
        });
        if self.map.len() != before {
            self.version += 1;
        }
        strangers
    }

    /// A number that differs whenever a list handed out would.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// One server.
    pub fn get(&self, url: &ServerUrl) -> Option<&Member> {
        self.map.get(url)
    }

    /// The URL of a server that is known under the very same text.
    pub fn known(&self, text: &str) -> Option<ServerUrl> {
        self.map.get_key_value(text).map(|(url, _)| url.clone())
    }

    /// What is known of each server.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.map.values().map(|member| &member.entry)
    }

    fn others<'a>(&'a self, own: &'a ServerUrl, state: State) -> impl Iterator<Item = &'a Entry> {
        self.entries().filter(move |entry| entry.state == state && entry.url != *own)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::Life;

    const HOUR: u64 = 3_600_000;
    pub(crate) const WALL: u64 = 1_800_000_000_000;

    pub(crate) fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall: WALL + seconds * 1000 }
    }

    pub(crate) fn url(name: &str) -> ServerUrl {
        ServerUrl::parse(&format!("http://{name}/")).expect(name)
    }

    pub(crate) fn entry(name: &str, state: State, stamp: u64, incarnation: Option<u64>) -> Entry {
        let life = incarnation.map(|incarnation| Life { incarnation, instance: 1, reason: None, author: None });
        Entry { url: url(name), monitor: false, state, stamp, life }
    }

    #[test]
    fn nothing_older_than_a_death_makes_a_server_online() {
        let mut members = Members::default();
        members.merge(entry("a", State::Online, WALL, Some(WALL)), at(0));
        members.declare_dead(&url("a"), &url("b"), at(10));
        // A later stamp at the same incarnation is what v1 peers make of it in their master list.
        members.merge(entry("a", State::Online, WALL + HOUR, Some(WALL)), at(11));
        // One that was stripped of its incarnation on the way.
        members.merge(entry("a", State::Online, WALL + 9_000, None), at(11));
        assert_eq!(members.get(&url("a")).expect("known").entry.state, State::Offline);
        // The server itself rises above it.
        members.merge(entry("a", State::Online, WALL + 1, Some(WALL + HOUR)), at(12));
        assert_eq!(members.get(&url("a")).expect("known").entry.state, State::Online);
    }

    #[test]
    fn an_online_entry_older_than_20_hours_is_refused() {
        let mut members = Members::default();
        assert_eq!(members.merge(entry("a", State::Online, WALL - 20 * HOUR - 1, None), at(0)), Change::None);
        assert_eq!(members.merge(entry("a", State::Online, WALL - 20 * HOUR, None), at(0)), Change::Online);
    }

    #[test]
    fn a_tombstone_expires_after_24_hours_and_is_not_taken_again() {
        let mut members = Members::default();
        let tombstone = entry("a", State::Offline, WALL, Some(5));
        members.merge(tombstone.clone(), at(0));
        members.expire(&url("own"), at(24 * 3600));
        assert!(members.get(&url("a")).is_some());
        members.expire(&url("own"), at(24 * 3600 + 1));
        assert!(members.get(&url("a")).is_none());
        assert_eq!(members.merge(tombstone, at(24 * 3600 + 1)), Change::None);
    }

    #[test]
    fn a_death_is_stamped_by_the_clock_of_the_dead() {
        let mut members = Members::default();
        // Its clock is an hour slow.
        members.merge(entry("a", State::Online, WALL - HOUR, None), at(0));
        members.declare_dead(&url("a"), &url("b"), at(10));
        assert_eq!(members.get(&url("a")).expect("known").entry.stamp, WALL - HOUR + 10_000);
    }

    #[test]
    fn what_was_accepted_while_our_clock_was_ahead_is_met_anew_when_it_is_right() {
        let mut members = Members::default();
        let days = 3 * 24 * HOUR;
        let wrong = Now { wall: WALL + days, ..at(0) };
        members.merge(entry("a", State::Online, WALL + days, Some(WALL + days)), wrong);
        members.merge(entry("b", State::Online, WALL + days, None), wrong);
        assert_eq!(members.expire(&url("own"), at(1)).len(), 2);
        assert_eq!(members.entries().count(), 0);
    }

    #[test]
    fn no_more_servers_are_remembered_than_the_limit() {
        let mut members = Members::default();
        for i in 0..=MAX_SERVERS {
            members.merge(entry(&format!("s{i}"), State::Online, WALL, None), at(0));
        }
        assert_eq!(members.entries().count(), MAX_SERVERS);
        assert_eq!(members.merge(entry("s0", State::Online, WALL + 1, None), at(1)), Change::Refreshed);
    }
}
