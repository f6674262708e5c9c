//! The membership list: who is known, and in which state. Pure: time and random numbers come in with the calls.

mod accept;
mod digest;
mod expiry;
mod failure;
mod member;
mod precedence;
mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Now;
use crate::message::{Entry, Reason, ServerUrl, State, stable_hash};

pub use accept::{
    Circumstances, Decision, LEAST_LEAVE_TTL, MAX_LEAD, ONLINE_TTL, Source, TOMBSTONE_TTL, decide, is_news, leave_lead,
};
use digest::contribution;
pub use failure::{Failure, FailureCode, LastFailure};
pub use member::Member;
pub use precedence::{adds_extensions, effective_incarnation, join, raises_incarnation, supersedes};
pub use selection::WATCHERS;

/// Most servers that are remembered: room for the largest cluster and as many dead again.
pub const MAX_SERVERS: usize = 50_000;
/// How many of them may be servers that have never answered us. A peer that invents servers leaves as much room to those
/// that exist.
pub const MAX_UNREACHED: usize = MAX_SERVERS / 2;

/// What an entry changed in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Only a stamp is newer.
    Refreshed,
    /// The state is the same in a newer version: a refutation, a restart, another stamp of a failure.
    Renewed,
    /// A server is online that was offline or unknown.
    Online,
    /// A server is offline that was online.
    Offline,
    /// A server is offline that was unknown.
    Tombstone,
}

impl Change {
    /// Whether others may have to be told.
    pub fn is_news(self) -> bool {
        match self {
            Self::None | Self::Refreshed => false,
            Self::Renewed | Self::Online | Self::Offline | Self::Tombstone => true,
        }
    }
}

/// The sets of members that are searched and drawn from, each kept in ring order.
#[derive(Clone, Copy)]
enum Group {
    Online,
    // Offline, neither left nor drained.
    Failed,
    // Online, of version 1.
    Version1,
    // Online, a monitor.
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

/// Every server known, the local one included, in ring order: by the hash of their URLs, which all servers share. Servers
/// watch each other along the ring, and a place in it names a server in a few characters.
#[derive(Clone, Debug)]
pub struct Members {
    local: ServerUrl,
    // By the hash of the URL. Two servers never share a hash by chance; one that is made up to do so is refused.
    map: BTreeMap<u64, Member>,
    // The hashes of the members of each group, in order.
    groups: [Vec<u64>; Group::COUNT],
    // The digest of all entries.
    hash: u64,
    // Stamps and hashes of the offline.
    tombstones: BTreeSet<(u64, u64)>,
    // The same of those that left.
    leaves: BTreeSet<(u64, u64)>,
    // How long those are remembered, ms.
    leave_ttl: u64,
    revision: u64,
}

impl Members {
    /// An empty list of the server with this URL.
    pub fn new(local: ServerUrl) -> Self {
        Self {
            local,
            map: BTreeMap::new(),
            groups: Default::default(),
            hash: 0,
            tombstones: BTreeSet::new(),
            leaves: BTreeSet::new(),
            leave_ttl: TOMBSTONE_TTL,
            revision: 0,
        }
    }

    /// The URL of the local member.
    pub fn local_url(&self) -> &ServerUrl {
        &self.local
    }

    /// The local member's entry, which a core puts there first and never removes.
    pub fn local(&self) -> Option<&Entry> {
        self.by_key(self.local.key())
    }

    /// The same list as another server would hold it. For simulations.
    #[cfg(any(feature = "sim", test))]
    #[must_use]
    pub fn held_by(mut self, local: ServerUrl) -> Self {
        self.local = local;
        self
    }

    /// Takes an entry if it is newer than what is known and not too old.
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

    /// Whether [`Members::merge`] would take it.
    pub fn would_take(&self, entry: &Entry, now: Now) -> bool {
        let known = self.get(&entry.url);
        is_news(known, entry, now) && (known.is_some() || self.has_room_for(&entry.url, true))
    }

    /// Whether an unknown server can be listed: one that has answered us, or one that we only heard of.
    pub fn has_room_for(&self, url: &ServerUrl, is_reached: bool) -> bool {
        let count = |group| self.keys(group).len();
        let unreached = count(Group::Online) - count(Group::Reached) + count(Group::Stranger);
        self.map.len() < MAX_SERVERS && (is_reached || unreached < MAX_UNREACHED) && !self.map.contains_key(&url.key())
    }

    /// Forgets an offline server that has never answered us, if there is one, so that an online one can be listed.
    pub fn evict_stranger(&mut self) {
        let local = self.local.key();
        if let Some(key) = self.keys(Group::Stranger).iter().rfind(|key| **key != local) {
            self.forget(*key);
        }
    }

    /// Replaces the listed entry without a check.
    pub fn put(&mut self, entry: Entry, now: Now) -> Change {
        self.revision += 1;
        let (key, state, added) = (entry.url.key(), entry.state, contribution(&entry));
        let before = self.map.get(&key).map(|member| {
            self.tombstones.remove(&(member.entry.stamp, key));
            self.leaves.remove(&(member.entry.stamp, key));
            (member.entry.state, contribution(&member.entry))
        });
        if state == State::Offline {
            self.tombstones.insert((entry.stamp, key));
        }
        if entry.is_leave() {
            self.leaves.insert((entry.stamp, key));
        }
        let groups = if let Some(member) = self.map.get_mut(&key) {
            member.update(entry, now);
            Group::of(member)
        } else {
            Group::of(self.map.entry(key).or_insert(Member::new(entry, now)))
        };
        self.hash = self.hash.wrapping_add(added).wrapping_sub(before.map_or(0, |(_, removed)| removed));
        self.index(key, groups);
        match (before, state) {
            (Some((before, removed)), _) if before == state && removed == added => Change::Refreshed,
            (Some((before, _)), _) if before == state => Change::Renewed,
            (_, State::Online) => Change::Online,
            (Some(_), State::Offline) => Change::Offline,
            (None, State::Offline) => Change::Tombstone,
        }
    }

    /// Lists what a server has answered although it is older than what is known: its clock shows that the latter is not from
    /// it.
    pub fn replace(&mut self, entry: Entry, now: Now) -> Change {
        let (key, stamp) = (entry.url.key(), entry.stamp);
        let change = self.put(entry, now);
        if let Some(member) = self.map.get_mut(&key) {
            member.set_clock(stamp, now);
        }
        change
    }

    /// The stamps of the online servers in ring order, from a place on, all the way round.
    pub fn stamps_from(&self, place: usize) -> impl Iterator<Item = u64> {
        let (before, after) = self.keys(Group::Online).split_at(place);
        after.iter().chain(before).filter_map(|key| self.by_key(*key)).map(|entry| entry.stamp)
    }

    /// Takes a newer stamp of the online server at a place of the ring.
    pub fn refresh(&mut self, place: usize, stamp: u64, now: Now) {
        let Some(key) = self.keys(Group::Online).get(place).copied() else { return };
        if let Some(member) = self.map.get_mut(&key)
            && stamp > member.entry.stamp
            && member.refresh(stamp, now)
        {
            self.revision += 1;
        }
    }

    /// Takes an entry that differs from what is listed of an online server by its stamp alone, as nearly all entries of
    /// a whole list do. Returns whether it is such an entry.
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

    /// Lists a server offline because it could not be reached since a moment. The stamp is that moment by the clock of the
    /// failed server: it can refute this at once when its clock is slow, and a process that has started since wins. An
    /// entry of version 1 has only its stamp to outdo one that the server made just before, so it gets the present time.
    pub fn mark_failed(&mut self, url: &ServerUrl, since: Duration, now: Now) -> Change {
        let Some(member) = self.get(url) else {
            return Change::None;
        };
        let mut entry = member.entry.clone();
        entry.state = State::Offline;
        let since = if entry.v2.is_some() { since } else { now.mono };
        let elapsed = now.mono.saturating_sub(since).as_millis() as u64;
        entry.stamp = member.estimated_clock(now).saturating_sub(elapsed).max(entry.stamp + 1);
        if let Some(v2) = &mut entry.v2 {
            v2.reason = Some(Reason::Failed);
            v2.author = Some(self.local.clone());
        }
        self.put(entry, now)
    }

    /// Notes that a server has answered us; `stamp` is how it stamped itself in the answer, if it is online.
    pub fn on_response(&mut self, url: &ServerUrl, stamp: Option<u64>, now: Now) {
        let Some(member) = self.map.get_mut(&url.key()) else { return };
        let is_first = !std::mem::replace(&mut member.is_reached, true);
        member.answer(stamp, now);
        if is_first {
            let groups = Group::of(member);
            self.index(url.key(), groups);
        }
    }

    /// Notes the same of every server. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn all_answered(&mut self, now: Now) {
        let entries: Vec<_> = self.entries().cloned().collect();
        for Entry { url, stamp, .. } in &entries {
            self.on_response(url, Some(*stamp), now);
        }
    }

    /// Notes that a server has spoken to us.
    pub fn on_message(&mut self, url: &ServerUrl, now: Now) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.hear(now);
        }
    }

    /// Notes the version of this package that a server has told us.
    pub fn set_version(&mut self, url: &ServerUrl, version: Option<&str>) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.set_version(version);
        }
    }

    /// Notes that a server was called offline, and is not.
    pub fn contest(&mut self, url: &ServerUrl, now: Now) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.contest(now);
        }
    }

    fn forget(&mut self, key: u64) {
        let Some(Member { entry, .. }) = self.map.remove(&key) else { return };
        self.tombstones.remove(&(entry.stamp, key));
        self.leaves.remove(&(entry.stamp, key));
        self.hash = self.hash.wrapping_sub(contribution(&entry));
        self.index(key, [false; Group::COUNT]);
        self.revision += 1;
    }

    /// A number that differs whenever the list does.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// One server.
    pub fn get(&self, url: &ServerUrl) -> Option<&Member> {
        self.map.get(&url.key()).filter(|member| member.entry.url == *url)
    }

    /// The state of one server.
    pub fn state(&self, url: &ServerUrl) -> Option<State> {
        self.get(url).map(|member| member.entry.state)
    }

    /// Whether a server has ever answered us.
    pub fn is_reached(&self, url: &ServerUrl) -> bool {
        self.get(url).is_some_and(|member| member.is_reached)
    }

    /// The URL of a server that is listed under exactly this text.
    pub fn known(&self, text: &str) -> Option<ServerUrl> {
        let member = self.map.get(&stable_hash(text.as_bytes()))?;
        (member.entry.url.as_str() == text).then(|| member.entry.url.clone())
    }

    /// The entry of the server with this hash.
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

    /// All entries in ring order, from the first whose hash is not less than this one, all the way round.
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

/// Entries by their URLs; of several with one URL the last.
pub fn by_url<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<&'a ServerUrl, &'a Entry> {
    // Not collected: that would sort first, which is 8 kB of code for each type.
    let mut map = BTreeMap::new();
    map.extend(entries.map(|entry| (&entry.url, entry)));
    map
}

#[cfg(test)]
pub(crate) mod tests;
