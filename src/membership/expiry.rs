//! Removes expired members, and decides which entries must not bring them back.

use super::{LEAST_LEAVE_TTL, Members, TOMBSTONE_TTL, effective_incarnation};
use crate::clock::{MAX_CLOCK_ERROR, Now};
use crate::message::{Entry, MAX_AHEAD, State};

/// Most entries that are removed at once: a peer can bring thousands that expire at the same moment.
const AT_ONCE: usize = 1_000;

impl Members {
    /// Sets for how long leaves are remembered, ms.
    #[must_use]
    pub fn forgetting_leaves(mut self, ttl: u64) -> Self {
        self.leave_ttl = ttl.clamp(LEAST_LEAVE_TTL, TOMBSTONE_TTL);
        self
    }

    /// Whether an entry reports a leave that we have already forgotten.
    pub fn is_forgotten(&self, entry: &Entry, now: Now) -> bool {
        self.is_past_ttl(entry, now) && self.get(&entry.url).is_none()
    }

    /// Whether an unknown server in an old online entry may have left since, and been forgotten here. It must be
    /// contacted before it is listed. The margin covers a clock that was set back since.
    pub fn may_be_forgotten(&self, entry: &Entry, now: Now) -> bool {
        let newest = now.wall.saturating_sub(self.leave_ttl - 3 * MAX_CLOCK_ERROR);
        entry.state == State::Online && entry.stamp < newest && self.get(&entry.url).is_none()
    }

    fn is_past_ttl(&self, entry: &Entry, now: Now) -> bool {
        let ttl = if entry.is_leave() { self.leave_ttl } else { TOMBSTONE_TTL };
        entry.state == State::Offline && entry.stamp + ttl < now.wall
    }

    /// Removes expired tombstones, and entries stamped too far ahead of our clock, which were accepted while our clock
    /// was wrong. Returns the latter, whose servers must be contacted again, and whether more may have expired.
    pub fn expire(&mut self, now: Now) -> (Vec<Entry>, bool) {
        let is_ahead = |entry: &Entry| entry.stamp.max(effective_incarnation(entry)) > now.wall + MAX_AHEAD;
        let others = self.entries().filter(|entry| entry.url != self.local);
        let expired = others.filter(|entry| is_ahead(entry) || self.is_past_ttl(entry, now));
        let gone: Vec<_> = expired.take(AT_ONCE).cloned().collect();
        for entry in &gone {
            self.forget(entry.url.key());
        }
        let has_more = gone.len() == AT_ONCE;
        (gone.into_iter().filter(is_ahead).collect(), has_more)
    }
}
