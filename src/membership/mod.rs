//! The membership list. `Members` holds one `Member` for each known server and merges entries into it. It is pure: the
//! caller passes time and random numbers.
//!
//! `accept.rs` decides whether to accept an entry, `precedence.rs` which of two entries wins, `digest.rs` compares
//! lists, `selection.rs` chooses members, `expiry.rs` removes old ones.

mod accept;
mod by_url;
mod digest;
mod expiry;
mod failure;
mod member;
mod precedence;
mod selection;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Now;
use crate::message::{Entry, ServerUrl, State, stable_hash};

pub use accept::{
    Circumstances, Decision, LEAST_LEAVE_TTL, MAX_LEAD, ONLINE_TTL, Source, TOMBSTONE_TTL, decide, is_news, leave_lead,
};
pub use by_url::ByUrl;
use digest::Sums;
pub use failure::{Failure, FailureCode, LastFailure};
pub use member::Member;
pub use precedence::{adds_extensions, effective_incarnation, join, raises_incarnation, supersedes};
pub use selection::WATCHERS;

/// The most servers that are remembered: the largest supported cluster, and as many tombstones.
pub const MAX_SERVERS: usize = 50_000;
/// How many of them may be servers that have never answered us. A peer that invents servers cannot use up the rest.
pub const MAX_UNREACHED: usize = MAX_SERVERS / 2;

/// How an entry changed the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list is the same.
    None,
    /// Only the stamp is newer.
    Refreshed,
    /// Same state, newer entry: a refutation, a restart, or a newer stamp of a failure.
    Renewed,
    /// Online; was offline or unknown.
    Online,
    /// Offline; was online.
    Offline,
    /// Offline; was unknown.
    Tombstone,
}

impl Change {
    /// Whether the change must be broadcast.
    pub fn is_news(self) -> bool {
        match self {
            Self::None | Self::Refreshed => false,
            Self::Renewed | Self::Online | Self::Offline | Self::Tombstone => true,
        }
    }
}

/// Indexes of members, each in ring order. A member can be in several.
#[derive(Clone, Copy)]
enum Group {
    Online,
    // Offline, but neither left nor drained.
    Failed,
    // Online, version 1.
    Version1,
    // Online monitors.
    Monitor,
    // Online, and has answered us.
    Reached,
    // Offline, and has never answered us.
    Stranger,
}

impl Group {
    const COUNT: usize = 6;

    fn of(Member { entry, is_reached, .. }: &Member) -> [bool; Self::COUNT] {
        let online = entry.state == State::Online;
        [
            online,
            entry.is_failure(),
            online && entry.v2.is_none(),
            online && entry.monitor,
            online && *is_reached,
            !online && !*is_reached,
        ]
    }
}

/// All known servers, including the local one, in ring order: sorted by the hash of their URLs, so the order is the
/// same on all servers. Servers watch their successors on the ring.
#[derive(Clone, Debug)]
pub struct Members {
    local: ServerUrl,
    // By the hash of the URL. Random collisions do not occur; a URL made to collide with a known one is refused.
    map: BTreeMap<u64, Member>,
    // For each group, the sorted keys of its members.
    groups: [Vec<u64>; Group::COUNT],
    sums: Sums,
    // How long a leave is remembered, ms.
    leave_ttl: u64,
    revision: u64,
}

impl Members {
    /// An empty list, held by the server with this URL.
    pub fn new(local: ServerUrl) -> Self {
        Self {
            local,
            map: BTreeMap::new(),
            groups: Default::default(),
            sums: Sums::default(),
            leave_ttl: TOMBSTONE_TTL,
            revision: 0,
        }
    }

    /// The URL of the local member.
    pub fn local_url(&self) -> &ServerUrl {
        &self.local
    }

    /// The local member's entry. `Core` adds it first and never removes it.
    pub fn local(&self) -> Option<&Entry> {
        self.by_key(self.local.key())
    }

    /// The same list with another local member. For simulations.
    #[cfg(any(feature = "sim", test))]
    #[must_use]
    pub fn held_by(mut self, local: ServerUrl) -> Self {
        self.local = local;
        self
    }

    /// Merges an entry if it is newer than the listed one and not too old.
    pub fn merge(&mut self, entry: Entry, now: Now) -> Change {
        if !self.would_take(&entry, now) {
            return Change::None;
        }
        let entry = match self.get(&entry.url) {
            Some(known) => join(known.entry.clone(), entry),
            None => entry,
        };
        self.put(entry, now)
    }

    /// Whether [`Members::merge`] would accept the entry.
    pub fn would_take(&self, entry: &Entry, now: Now) -> bool {
        let known = self.get(&entry.url);
        is_news(known, entry, now) && (known.is_some() || self.has_room_for(&entry.url, true))
    }

    /// Whether an unknown server can be added. `is_reached`: it has answered us.
    pub fn has_room_for(&self, url: &ServerUrl, is_reached: bool) -> bool {
        let count = |group| self.keys(group).len();
        let unreached = count(Group::Online) - count(Group::Reached) + count(Group::Stranger);
        self.map.len() < MAX_SERVERS && (is_reached || unreached < MAX_UNREACHED) && !self.map.contains_key(&url.key())
    }

    /// Forgets one offline server that has never answered us, to make room for an online one.
    pub fn evict_stranger(&mut self) {
        let local = self.local.key();
        if let Some(key) = self.keys(Group::Stranger).iter().rfind(|key| **key != local) {
            self.forget(*key);
        }
    }

    /// Replaces the listed entry unconditionally.
    pub fn put(&mut self, entry: Entry, now: Now) -> Change {
        self.revision += 1;
        let (key, state) = (entry.url.key(), entry.state);
        let before = self.map.get(&key).map(|member| (member.entry.state, self.sums.remove(&member.entry)));
        let added = self.sums.add(&entry);
        let groups = if let Some(member) = self.map.get_mut(&key) {
            member.update(entry, now);
            Group::of(member)
        } else {
            Group::of(self.map.entry(key).or_insert(Member::new(entry, now)))
        };
        self.index(key, groups);
        match (before, state) {
            (Some((before, removed)), _) if before == state && removed == added => Change::Refreshed,
            (Some((before, _)), _) if before == state => Change::Renewed,
            (_, State::Online) => Change::Online,
            (Some(_), State::Offline) => Change::Offline,
            (None, State::Offline) => Change::Tombstone,
        }
    }

    /// Lists a server's own answer although the listed entry is newer: the server's clock proves that the listed entry
    /// is not its own.
    pub fn replace(&mut self, entry: Entry, now: Now) -> Change {
        let (key, stamp) = (entry.url.key(), entry.stamp);
        let change = self.put(entry, now);
        if let Some(member) = self.map.get_mut(&key) {
            member.set_clock(stamp, now);
        }
        change
    }

    /// The stamps of all online servers in ring order, starting at ring position `place`.
    pub fn stamps_from(&self, place: usize) -> impl Iterator<Item = u64> {
        let (before, after) = self.keys(Group::Online).split_at(place);
        after.iter().chain(before).filter_map(|key| self.by_key(*key)).map(|entry| entry.stamp)
    }

    /// Updates the stamp of the online server at ring position `place`, if it is newer.
    pub fn refresh(&mut self, place: usize, stamp: u64, now: Now) {
        let Some(key) = self.keys(Group::Online).get(place).copied() else { return };
        if let Some(member) = self.map.get_mut(&key)
            && stamp > member.entry.stamp
            && member.refresh(stamp, now)
        {
            self.revision += 1;
        }
    }

    /// Fast path for whole lists: if the entry of an online server differs from the listed one in its stamp at most,
    /// updates the stamp and returns true.
    pub fn refresh_if_same(&mut self, entry: &Entry, now: Now) -> bool {
        let Some(member) = self.map.get_mut(&entry.url.key()) else { return false };
        let known = &member.entry;
        let is_same = (known.state, entry.state) == (State::Online, State::Online)
            && (known.monitor, &known.v2) == (entry.monitor, &entry.v2)
            && known.url == entry.url;
        let is_newer = is_same && entry.stamp > known.stamp && entry.stamp + ONLINE_TTL >= now.wall;
        if is_newer && member.refresh(entry.stamp, now) {
            self.revision += 1;
        }
        is_same
    }

    /// Lists a server as failed since `since`. The stamp is that moment by the failed server's own clock, so that a
    /// server with a slow clock can refute it at once and a process started later wins. A version 1 entry has nothing
    /// but its stamp, which must be newer than the server's last, so it gets the present time.
    pub fn mark_failed(&mut self, url: &ServerUrl, since: Duration, now: Now) -> Change {
        let Some(member) = self.get(url) else {
            return Change::None;
        };
        let mut entry = member.entry.clone().failed_by(&self.local);
        let since = if entry.v2.is_some() { since } else { now.mono };
        let elapsed = now.mono.saturating_sub(since).as_millis() as u64;
        entry.stamp = member.estimated_clock(now).saturating_sub(elapsed).max(entry.stamp + 1);
        self.put(entry, now)
    }

    /// Records that a server answered us. `stamp` is its own stamp in the answer, if it is online.
    pub fn on_response(&mut self, url: &ServerUrl, stamp: Option<u64>, now: Now) {
        let Some(member) = self.map.get_mut(&url.key()) else { return };
        let is_first = !std::mem::replace(&mut member.is_reached, true);
        member.on_response(stamp, now);
        if is_first {
            let groups = Group::of(member);
            self.index(url.key(), groups);
        }
    }

    /// Records an answer of every server. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn all_answered(&mut self, now: Now) {
        let entries: Vec<_> = self.entries().cloned().collect();
        for Entry { url, stamp, .. } in &entries {
            self.on_response(url, Some(*stamp), now);
        }
    }

    /// Records a message from a server.
    pub fn on_message(&mut self, url: &ServerUrl, now: Now) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.on_message(now);
        }
    }

    /// Records the package version that a server sent.
    pub fn set_version(&mut self, url: &ServerUrl, version: Option<&str>) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.set_version(version);
        }
    }

    /// Records that a server was reported offline but is up, see [`Member::is_contested`].
    pub fn contest(&mut self, url: &ServerUrl, now: Now) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.contest(now);
        }
    }

    fn forget(&mut self, key: u64) {
        let Some(Member { entry, .. }) = self.map.remove(&key) else { return };
        self.sums.remove(&entry);
        self.index(key, [false; Group::COUNT]);
        self.revision += 1;
    }

    /// Changes with every change of the list.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The member with this URL.
    pub fn get(&self, url: &ServerUrl) -> Option<&Member> {
        self.map.get(&url.key()).filter(|member| member.entry.url == *url)
    }

    /// The listed state of a server.
    pub fn state(&self, url: &ServerUrl) -> Option<State> {
        self.get(url).map(|member| member.entry.state)
    }

    /// Whether a server has ever answered us.
    pub fn is_reached(&self, url: &ServerUrl) -> bool {
        self.get(url).is_some_and(|member| member.is_reached)
    }

    /// The URL of the server that is listed under exactly this text.
    pub fn known(&self, text: &str) -> Option<ServerUrl> {
        let member = self.map.get(&stable_hash(text.as_bytes()))?;
        (member.entry.url.as_str() == text).then(|| member.entry.url.clone())
    }

    /// The entry of the server with this URL hash.
    pub fn by_key(&self, key: u64) -> Option<&Entry> {
        self.map.get(&key).map(|member| &member.entry)
    }

    fn keys(&self, group: Group) -> &[u64] {
        &self.groups[group as usize]
    }

    fn index(&mut self, key: u64, groups: [bool; Group::COUNT]) {
        for (keys, is_in) in self.groups.iter_mut().zip(groups) {
            match (keys.binary_search(&key), is_in) {
                (Err(place), true) => keys.insert(place, key),
                (Ok(place), false) => drop(keys.remove(place)),
                (Ok(_), true) | (Err(_), false) => {}
            }
        }
    }

    /// All entries in ring order, starting at `key` and wrapping around.
    pub fn from(&self, key: u64) -> impl Iterator<Item = &Entry> {
        self.map.range(key..).chain(self.map.range(..key)).map(|(_, member)| &member.entry)
    }

    /// All members in ring order.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.map.values()
    }

    /// All entries in ring order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.map.values().map(|member| &member.entry)
    }
}

#[cfg(test)]
pub(crate) mod tests;
