//! When members are forgotten, and what must not bring them back afterwards.

use super::{LEAST_LEAVE_TTL, Members, TOMBSTONE_TTL, effective_incarnation};
use crate::clock::{MAX_CLOCK_ERROR, Now};
use crate::message::{Entry, MAX_AHEAD, State};

impl Members {
    /// The same, and servers that left are remembered for `ttl` ms.
    #[must_use]
    pub fn forgetting_leaves(mut self, ttl: u64) -> Self {
        self.leave_ttl = ttl.clamp(LEAST_LEAVE_TTL, TOMBSTONE_TTL);
        self
    }

    /// Whether an entry of an unknown server tells of a leave that is forgotten.
    pub fn is_forgotten(&self, entry: &Entry, now: Now) -> bool {
        self.is_past_ttl(entry, now) && self.get(&entry.url).is_none()
    }

    /// Whether an entry lists an unknown server online, and is so old that the server may have left since and be forgotten.
    /// It must be contacted before it is listed. Our clock may have been set back since we forgot it.
    pub fn may_be_forgotten(&self, entry: &Entry, now: Now) -> bool {
        let newest = now.wall.saturating_sub(self.leave_ttl - 3 * MAX_CLOCK_ERROR);
        entry.state == State::Online && entry.stamp < newest && self.get(&entry.url).is_none()
    }

    fn is_past_ttl(&self, entry: &Entry, now: Now) -> bool {
        let ttl = if entry.is_leave() { self.leave_ttl } else { TOMBSTONE_TTL };
        entry.state == State::Offline && entry.stamp + ttl < now.wall
    }

    /// Forgets tombstones past their TTL, and entries that are stamped further ahead of our clock than is accepted: they
    /// were taken while our own clock was wrong. Returns the latter, to be contacted anew.
    pub fn expire(&mut self, now: Now) -> Vec<Entry> {
        let is_ahead = |entry: &Entry| entry.stamp.max(effective_incarnation(entry)) > now.wall + MAX_AHEAD;
        let others = self.entries().filter(|entry| entry.url != self.local);
        let gone: Vec<_> = others.filter(|entry| is_ahead(entry) || self.is_past_ttl(entry, now)).cloned().collect();
        for entry in &gone {
            self.forget(entry.url.key());
        }
        gone.into_iter().filter(is_ahead).collect()
    }
}
