//! One member: its entry, which is gossiped, and our own observations of it, which are not. There may be ten thousand
//! members, so times are `u64` milliseconds instead of `Duration`.

use std::num::NonZeroU64;
use std::time::Duration;

use super::{LastFailure, raises_incarnation};
use crate::clock::Now;
use crate::message::{Entry, State};

/// How long a server counts as contested, ms, see [`Member::is_contested`].
const CONTESTED: u64 = 300_000;
/// How far a relayed stamp may be ahead of the clock that the server showed in its last answer, ms.
const MAX_DRIFT: u64 = 60_000;

/// A known server.
#[derive(Clone, Debug)]
pub struct Member {
    /// The entry, as it is gossiped.
    pub entry: Entry,
    // Monotonic times, ms: when this process was first seen, last answered us, and last sent us a message.
    first_seen: u64,
    last_answered: Option<NonZeroU64>,
    last_seen: Option<NonZeroU64>,
    // Wall clock of the member minus our monotonic clock, ms. Set by its answers; a relayed stamp can only raise it,
    // because an old stamp makes a clock look slow.
    clock_offset: i64,
    // When it was listed offline, monotonic ms.
    offline_since: u64,
    // When its state or the reason last changed, monotonic ms.
    changed_at: u64,
    // Until when reports that it is offline are verified first, monotonic ms.
    contested_until: u64,
    /// Whether any process at this URL has ever answered us.
    pub(super) is_reached: bool,
    // The package version in its last message.
    version: Option<Box<str>>,
    // Exchanges that failed since it last answered: how many, and the last one.
    pub(super) failures: u32,
    pub(super) last_failure: Option<Box<LastFailure>>,
}

impl Member {
    pub(super) fn new(entry: Entry, now: Now) -> Self {
        let clock_offset = clock_offset(entry.stamp, now);
        Self {
            entry,
            first_seen: ms(now.mono),
            last_answered: None,
            last_seen: None,
            clock_offset,
            offline_since: ms(now.mono),
            changed_at: ms(now.mono),
            contested_until: 0,
            is_reached: false,
            version: None,
            failures: 0,
            last_failure: None,
        }
    }

    pub(super) fn update(&mut self, entry: Entry, now: Now) {
        if self.is_refuted_by(&entry) {
            self.contest(now);
        }
        let state = |entry: &Entry| (entry.state, entry.v2.as_ref().and_then(|v2| v2.reason));
        let changed_at = if state(&entry) == state(&self.entry) { self.changed_at } else { ms(now.mono) };
        if self.is_another_process(&entry) {
            let Self { contested_until, is_reached, .. } = *self;
            *self = Self { changed_at, contested_until, is_reached, ..Self::new(entry, now) };
            return;
        }
        self.changed_at = changed_at;
        if self.entry.state == State::Online {
            self.offline_since = ms(now.mono);
        }
        // An offline entry may be stamped by another server, so it says nothing about this server's clock.
        if entry.state == State::Online && self.may_be_from_it(entry.stamp, now) {
            self.clock_offset = self.clock_offset.max(clock_offset(entry.stamp, now));
        }
        self.entry = entry;
    }

    /// Updates the stamp. Refuses a stamp that is ahead of the clock that the server itself showed us: somebody else
    /// made it.
    pub(super) fn refresh(&mut self, stamp: u64, now: Now) -> bool {
        if !self.may_be_from_it(stamp, now) {
            return false;
        }
        self.entry.stamp = stamp;
        self.clock_offset = self.clock_offset.max(clock_offset(stamp, now));
        true
    }

    // Whether the server's clock can show `stamp` now. Other servers stamp version 1 servers too, so theirs always
    // pass.
    fn may_be_from_it(&self, stamp: u64, now: Now) -> bool {
        let is_known = self.entry.v2.is_some() && self.last_answered.is_some();
        !is_known || stamp <= self.estimated_clock(now) + MAX_DRIFT
    }

    /// The server answered us. `stamp` is its own stamp in the answer, if it is online.
    pub(super) fn on_response(&mut self, stamp: Option<u64>, now: Now) {
        self.last_answered = NonZeroU64::new(ms(now.mono).max(1));
        self.on_message(now);
        self.failures = 0;
        self.last_failure = None;
        if let Some(stamp) = stamp {
            self.set_clock(stamp, now);
        }
    }

    /// The server's clock shows `stamp` now. Replaces earlier estimates.
    pub(super) fn set_clock(&mut self, stamp: u64, now: Now) {
        self.clock_offset = clock_offset(stamp, now);
    }

    /// The server was reported offline but is up.
    pub(super) fn contest(&mut self, now: Now) {
        self.contested_until = ms(now.mono) + CONTESTED;
    }

    /// Whether the server was recently listed or reported offline although it was up. The next such report is verified
    /// first, so that repeating a lie gains nothing.
    pub fn is_contested(&self, now: Now) -> bool {
        ms(now.mono) < self.contested_until
    }

    /// Whether an online entry proves that the server was up after it was listed offline, although the entry loses to
    /// the listed one. The server does not know yet that it is listed offline.
    pub fn is_denied_by(&self, entry: &Entry) -> bool {
        let clock_then = self.offline_since.saturating_add_signed(self.clock_offset);
        (self.entry.state, entry.state) == (State::Offline, State::Online) && entry.stamp > clock_then
    }

    pub(super) fn on_message(&mut self, now: Now) {
        self.last_seen = NonZeroU64::new(ms(now.mono).max(1));
    }

    /// When this process was first seen, monotonic.
    pub fn first_seen(&self) -> Duration {
        Duration::from_millis(self.first_seen)
    }

    /// When its state or the reason last changed, monotonic.
    pub fn changed_at(&self) -> Duration {
        Duration::from_millis(self.changed_at)
    }

    /// When this process last answered us, monotonic.
    pub fn last_answered(&self) -> Option<Duration> {
        self.last_answered.map(|at| Duration::from_millis(at.get()))
    }

    /// When it last sent us anything, a message or an answer, monotonic.
    pub fn last_seen(&self) -> Option<Duration> {
        self.last_seen.map(|at| Duration::from_millis(at.get()))
    }

    pub(super) fn set_version(&mut self, version: Option<&str>) {
        if self.version.as_deref() != version {
            self.version = version.map(Into::into);
        }
    }

    /// The package version that it runs, if known.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How many exchanges with it have failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The last failed exchange, unless it has answered since.
    pub fn last_failure(&self) -> Option<&LastFailure> {
        self.last_failure.as_deref()
    }

    /// The best estimate of its own wall clock, ms since the epoch. An entry with a greater stamp was made later than
    /// now, even if other clocks differ.
    pub fn estimated_clock(&self, now: Now) -> u64 {
        ms(now.mono).saturating_add_signed(self.clock_offset)
    }

    // Whether `entry` shows that the server came back or refuted a report. A restart also matches, which does no harm.
    fn is_refuted_by(&self, entry: &Entry) -> bool {
        entry.state == State::Online && (self.entry.state == State::Offline || raises_incarnation(entry, &self.entry))
    }

    // Version 1 has no instances, so a version 1 server that comes back may be another process.
    fn is_another_process(&self, entry: &Entry) -> bool {
        match (&self.entry.v2, &entry.v2) {
            (Some(before), Some(after)) => before.instance != after.instance,
            (None, None) => self.entry.state == State::Offline && entry.state == State::Online,
            _ => true,
        }
    }
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

fn clock_offset(stamp: u64, now: Now) -> i64 {
    // Cannot overflow: stamps are below 2^53.
    stamp.cast_signed() - ms(now.mono).cast_signed()
}
