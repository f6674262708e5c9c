//! Who is known, and in which state. Pure: time and random numbers come in with the calls.

mod digest;
mod member;
mod merge;
mod selection;

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Now;
use crate::message::{Entry, MAX_AHEAD, Reason, ServerUrl, State, stable_hash};

use digest::contribution;
pub use member::Member;
pub use merge::{effective_incarnation, join, supersedes};

/// How long a server that is gone is remembered, ms (v1's README: 24 hours). Until then nothing older than its death
/// makes it online.
pub const TOMBSTONE_TTL: u64 = 24 * 3_600_000;
/// The oldest word of a third party that makes a server online, ms. Less than the life of a tombstone by more than
/// clocks may differ, so that what a tombstone kept out is too old by itself once the tombstone is gone.
pub const ONLINE_TTL: u64 = 20 * 3_600_000;
/// Most servers that are remembered: room for the largest cluster and as many dead again.
pub const MAX_SERVERS: usize = 50_000;
/// How many of them may be known by others' words alone: whoever invents servers leaves as much room to those that answer.
pub const MAX_UNREACHED: usize = MAX_SERVERS / 2;

/// What a merge changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that was not known.
    None,
    /// A newer stamp.
    Refreshed,
    /// A newer word on a server whose state stays what it was: a refutation, a restart, another stamp of a death.
    Renewed,
    /// A server is online that was offline or unknown.
    Online,
    /// A server is offline that was online or unknown.
    Offline,
}

// What servers are looked for by.
#[derive(Clone, Copy)]
enum Kind {
    Live,
    // Failed: neither left nor drained.
    Dead,
    // Online, of version 1.
    Legacy,
    // Online, a monitor.
    Monitor,
    // Online, and has answered us.
    Reached,
    // Offline, and has never answered us.
    Stranger,
}

impl Kind {
    const COUNT: usize = 6;

    fn of(Member { entry, reached, .. }: &Member) -> [bool; Self::COUNT] {
        let live = entry.state == State::Online;
        let legacy = live && entry.v2.is_none();
        [live, entry.is_failure(), legacy, live && entry.monitor, live && *reached, !live && !*reached]
    }
}

/// Every server known, this one included, in an order that all servers share: that of the hashes of their URLs. It is the
/// ring on which they watch each other, and places in it name servers in a few characters.
#[derive(Clone, Debug, Default)]
pub struct Members {
    // By the hash of the URL. Two servers with the same hash do not happen; who makes one up is refused.
    map: BTreeMap<u64, Member>,
    // The hashes of those of each kind, in order.
    of_kind: [Vec<u64>; Kind::COUNT],
    hash: u64,
    // Stamps and hashes of the offline.
    tombstones: BTreeSet<(u64, u64)>,
    revision: u64,
}

impl Members {
    /// Takes what somebody says of a server, if it is newer than what is known and not too old to be taken.
    pub fn merge(&mut self, entry: Entry, now: Now) -> Change {
        if self.would_take(&entry, now) { self.put(entry, now) } else { Change::None }
    }

    /// Whether [`Members::merge`] would take it.
    pub fn would_take(&self, entry: &Entry, now: Now) -> bool {
        let v2 = match entry.state {
            State::Online => ONLINE_TTL,
            State::Offline => TOMBSTONE_TTL,
        };
        if entry.stamp + v2 < now.wall {
            return false;
        }
        match self.map.get(&entry.url.key()) {
            Some(member) => member.entry.url == entry.url && supersedes(entry, &member.entry),
            None => self.has_room(true),
        }
    }

    /// Whether one more server may be listed: one that has answered us, or one that is known by others' words.
    pub fn has_room(&self, reached: bool) -> bool {
        let count = |kind| self.keys(kind).len();
        let unreached = count(Kind::Live) - count(Kind::Reached) + count(Kind::Stranger);
        self.map.len() < MAX_SERVERS && (reached || unreached < MAX_UNREACHED)
    }

    /// Forgets a server that is offline and has never answered us, if there is one: whoever is online is worth its place.
    /// Not this one, which does not ask itself.
    pub fn make_room(&mut self, own: &ServerUrl) {
        if let Some(key) = self.keys(Kind::Stranger).iter().rfind(|key| **key != own.key()) {
            self.forget(*key);
        }
    }

    /// Puts an entry in place of whatever is known: for a server's word on itself.
    pub fn put(&mut self, entry: Entry, now: Now) -> Change {
        self.revision += 1;
        let (key, state, added) = (entry.url.key(), entry.state, contribution(&entry));
        let before = self.map.get(&key).map(|member| {
            self.tombstones.remove(&(member.entry.stamp, key));
            (member.entry.state, contribution(&member.entry))
        });
        if state == State::Offline {
            self.tombstones.insert((entry.stamp, key));
        }
        let kinds = if let Some(member) = self.map.get_mut(&key) {
            member.update(entry, now);
            Kind::of(member)
        } else {
            Kind::of(self.map.entry(key).or_insert(Member::new(entry, now)))
        };
        self.hash = self.hash.wrapping_add(added).wrapping_sub(before.map_or(0, |(_, removed)| removed));
        self.index(key, kinds);
        match (before, state) {
            (Some((before, removed)), _) if before == state && removed == added => Change::Refreshed,
            (Some((before, _)), _) if before == state => Change::Renewed,
            (_, State::Online) => Change::Online,
            (_, State::Offline) => Change::Offline,
        }
    }

    /// The stamps of the online servers from a place on, the first after the last.
    pub fn stamps_from(&self, place: usize) -> impl Iterator<Item = u64> {
        let (before, after) = self.keys(Kind::Live).split_at(place);
        after.iter().chain(before).filter_map(|key| self.by_key(*key)).map(|entry| entry.stamp)
    }

    /// Takes a newer stamp of an online server, by its place.
    pub fn refresh(&mut self, place: usize, stamp: u64, now: Now) {
        let Some(key) = self.keys(Kind::Live).get(place).copied() else { return };
        if let Some(member) = self.map.get_mut(&key).filter(|member| stamp > member.entry.stamp) {
            member.refresh(stamp, now);
            self.revision += 1;
        }
    }

    /// Takes a heartbeat: what says nothing of an online server but that its stamp is newer, as nearly all of a whole list
    /// does. Returns whether it was one.
    pub fn refresh_if_same(&mut self, entry: &Entry, now: Now) -> bool {
        let Some(member) = self.map.get_mut(&entry.url.key()) else { return false };
        let known = &member.entry;
        let is_same = (known.state, entry.state) == (State::Online, State::Online)
            && (known.monitor, &known.v2) == (entry.monitor, &entry.v2)
            && known.url == entry.url;
        if is_same && entry.stamp > known.stamp && entry.stamp + ONLINE_TTL >= now.wall {
            member.refresh(entry.stamp, now);
            self.revision += 1;
        }
        is_same
    }

    /// Lists a server offline because it could not be reached.
    pub fn mark_failed(&mut self, url: &ServerUrl, author: &ServerUrl, now: Now) -> Change {
        let Some(member) = self.get(url) else {
            return Change::None;
        };
        let mut entry = member.entry.clone();
        entry.state = State::Offline;
        entry.stamp = member.estimated_clock(now).max(entry.stamp + 1);
        if let Some(v2) = &mut entry.v2 {
            v2.reason = Some(Reason::Failed);
            v2.author = Some(author.clone());
        }
        self.put(entry, now)
    }

    /// Notes that a server has answered us.
    pub fn answered(&mut self, url: &ServerUrl, now: Now) {
        let Some(member) = self.map.get_mut(&url.key()) else { return };
        let is_first = !std::mem::replace(&mut member.reached, true);
        member.answer(now);
        if is_first {
            let kinds = Kind::of(member);
            self.index(url.key(), kinds);
        }
    }

    /// Notes the same of every server. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn all_answered(&mut self, now: Now) {
        let urls: Vec<_> = self.entries().map(|entry| entry.url.clone()).collect();
        for url in &urls {
            self.answered(url, now);
        }
    }

    /// Notes that a server has spoken to us.
    pub fn heard(&mut self, url: &ServerUrl, now: Now) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.hear(now);
        }
    }

    /// Notes that an exchange with a server failed.
    pub fn failed(&mut self, url: &ServerUrl) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.failures = member.failures.saturating_add(1);
        }
    }

    /// Forgets tombstones past their life, and what is stamped further ahead of our clock than we would accept today:
    /// the latter were accepted while our own clock was wrong. Returns those, to be met anew.
    pub fn expire(&mut self, own: &ServerUrl, now: Now) -> Vec<Entry> {
        let ahead = |entry: &Entry| entry.stamp.max(effective_incarnation(entry)) > now.wall + MAX_AHEAD;
        let dead = |entry: &Entry| entry.state == State::Offline && entry.stamp + TOMBSTONE_TTL < now.wall;
        let gone: Vec<_> = self.entries().filter(|it| it.url != *own && (ahead(it) || dead(it))).cloned().collect();
        for entry in &gone {
            self.forget(entry.url.key());
        }
        gone.into_iter().filter(ahead).collect()
    }

    fn forget(&mut self, key: u64) {
        let Some(Member { entry, .. }) = self.map.remove(&key) else { return };
        self.tombstones.remove(&(entry.stamp, key));
        self.hash = self.hash.wrapping_sub(contribution(&entry));
        self.index(key, [false; Kind::COUNT]);
        self.revision += 1;
    }

    /// A number that differs whenever a list handed out would.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// One server.
    pub fn get(&self, url: &ServerUrl) -> Option<&Member> {
        self.map.get(&url.key()).filter(|member| member.entry.url == *url)
    }

    /// The URL of a server that is known under the very same text.
    pub fn known(&self, text: &str) -> Option<ServerUrl> {
        let member = self.map.get(&stable_hash(text.as_bytes()))?;
        (member.entry.url.as_str() == text).then(|| member.entry.url.clone())
    }

    /// The server with this hash.
    pub fn by_key(&self, key: u64) -> Option<&Entry> {
        self.map.get(&key).map(|member| &member.entry)
    }

    /// The hashes of the servers of a kind, in order.
    fn keys(&self, kind: Kind) -> &[u64] {
        &self.of_kind[kind as usize]
    }

    fn index(&mut self, key: u64, kinds: [bool; Kind::COUNT]) {
        for (keys, is_in) in self.of_kind.iter_mut().zip(kinds) {
            match (keys.binary_search(&key), is_in) {
                (Err(place), true) => keys.insert(place, key),
                (Ok(place), false) => drop(keys.remove(place)),
                (Ok(_), true) | (Err(_), false) => {}
            }
        }
    }

    /// What is known of each server, from the first whose hash is not less than this one, round to those before it.
    pub fn from(&self, key: u64) -> impl Iterator<Item = &Entry> {
        self.map.range(key..).chain(self.map.range(..key)).map(|(_, member)| &member.entry)
    }

    /// Each server, with what only we know of it.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.map.values()
    }

    /// What is known of each server.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.map.values().map(|member| &member.entry)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::EntryV2;

    const HOUR: u64 = 3_600_000;
    pub(crate) const WALL: u64 = 1_800_000_000_000;

    pub(crate) fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall: WALL + seconds * 1000 }
    }

    pub(crate) fn url(name: &str) -> ServerUrl {
        ServerUrl::parse(&format!("http://{name}/")).expect(name)
    }

    pub(crate) fn entry(name: &str, state: State, stamp: u64, incarnation: Option<u64>) -> Entry {
        let v2 = incarnation.map(|incarnation| EntryV2 { incarnation, instance: 1, reason: None, author: None });
        Entry { url: url(name), monitor: false, state, stamp, v2 }
    }

    #[test]
    fn nothing_older_than_a_death_makes_a_server_online() {
        let mut members = Members::default();
        members.merge(entry("a", State::Online, WALL, Some(WALL)), at(0));
        members.mark_failed(&url("a"), &url("b"), at(10));
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
        members.mark_failed(&url("a"), &url("b"), at(10));
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
