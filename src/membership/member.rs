//! What this server knows of one member: the entry that everybody may be told, and its own observations. A server of ten
//! thousand keeps ten thousand of these, so times are milliseconds and not `Duration`.

use std::num::NonZeroU64;
use std::time::Duration;

use super::{LastFailure, raises_incarnation};
use crate::clock::Now;
use crate::message::{Entry, State};

/// For how long a server counts as contested after it was called offline and was not, ms.
const CONTESTED: u64 = 300_000;
/// How far a stamp that others pass on may be ahead of the clock that a server showed in its last answer, ms.
const MAX_DRIFT: u64 = 60_000;

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    /// What everybody may be told.
    pub entry: Entry,
    // Monotonic times, ms: when this process of it was first seen, last answered us, and last spoke to us.
    first_seen: u64,
    last_answered: Option<NonZeroU64>,
    last_heard: Option<NonZeroU64>,
    // How far its clock is ahead of our monotonic one, ms: by its last answer, or by a later stamp that puts its clock
    // further ahead. A stamp that puts it back only came a long way round.
    clock_offset: i64,
    // Since when it is listed offline, monotonic ms.
    offline_since: u64,
    // Since when it is in its state, for the same reason, monotonic ms.
    changed_at: u64,
    // Until when offline entries of it are verified first, monotonic ms.
    contested_until: u64,
    /// Whether any process of it has ever answered us.
    pub(super) is_reached: bool,
    // The version of this package that it runs, by its last message.
    version: Option<Box<str>>,
    // Exchanges with it that failed since it last answered, and the last of them.
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
            last_heard: None,
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
        // Another server may have stamped an offline entry.
        if entry.state == State::Online && self.may_be_from_it(entry.stamp, now) {
            self.clock_offset = self.clock_offset.max(clock_offset(entry.stamp, now));
        }
        self.entry = entry;
    }

    /// Takes a newer stamp of the same process. A stamp that is ahead of the clock which the server itself showed to us
    /// is not from it.
    pub(super) fn refresh(&mut self, stamp: u64, now: Now) -> bool {
        if !self.may_be_from_it(stamp, now) {
            return false;
        }
        self.entry.stamp = stamp;
        self.clock_offset = self.clock_offset.max(clock_offset(stamp, now));
        true
    }

    // Whether the clock that it showed in its last answer can show this now. Version 1 servers are stamped by others too.
    fn may_be_from_it(&self, stamp: u64, now: Now) -> bool {
        let is_known = self.entry.v2.is_some() && self.last_answered.is_some();
        !is_known || stamp <= self.estimated_clock(now) + MAX_DRIFT
    }

    /// It has answered us, and stamped itself so in its answer, if it is online.
    pub(super) fn answer(&mut self, stamp: Option<u64>, now: Now) {
        self.last_answered = NonZeroU64::new(ms(now.mono).max(1));
        self.hear(now);
        self.failures = 0;
        self.last_failure = None;
        if let Some(stamp) = stamp {
            self.set_clock(stamp, now);
        }
    }

    /// Its clock shows this now, whatever was known of it.
    pub(super) fn set_clock(&mut self, stamp: u64, now: Now) {
        self.clock_offset = clock_offset(stamp, now);
    }

    /// It was called offline, and was not.
    pub(super) fn contest(&mut self, now: Now) {
        self.contested_until = ms(now.mono) + CONTESTED;
    }

    /// Whether the server was recently listed or reported offline and was up. We contact it before we believe the next
    /// offline entry, so repeated lies gain nothing.
    pub fn is_contested(&self, now: Now) -> bool {
        ms(now.mono) < self.contested_until
    }

    /// Whether an online entry of it that is older than what is listed was nevertheless made after it was listed offline: it
    /// was up then, and does not know of it.
    pub fn is_denied_by(&self, entry: &Entry) -> bool {
        let clock_then = self.offline_since.saturating_add_signed(self.clock_offset);
        (self.entry.state, entry.state) == (State::Offline, State::Online) && entry.stamp > clock_then
    }

    pub(super) fn hear(&mut self, now: Now) {
        self.last_heard = NonZeroU64::new(ms(now.mono).max(1));
    }

    /// When this process of it was first seen, as monotonic time.
    pub fn first_seen(&self) -> Duration {
        Duration::from_millis(self.first_seen)
    }

    /// Since when it is in its state, for the same reason, as monotonic time.
    pub fn changed_at(&self) -> Duration {
        Duration::from_millis(self.changed_at)
    }

    /// When this process of it last answered us, as monotonic time.
    pub fn last_answered(&self) -> Option<Duration> {
        self.last_answered.map(|at| Duration::from_millis(at.get()))
    }

    /// When it last spoke to us, asked or unasked, as monotonic time.
    pub fn last_heard(&self) -> Option<Duration> {
        self.last_heard.map(|at| Duration::from_millis(at.get()))
    }

    /// It has told us the version that it runs.
    pub(super) fn set_version(&mut self, version: Option<&str>) {
        if self.version.as_deref() != version {
            self.version = version.map(Into::into);
        }
    }

    /// The version of this package that it runs, if it has told us.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How many exchanges with it failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The last failed exchange with it. None if it has answered since.
    pub fn last_failure(&self) -> Option<&LastFailure> {
        self.last_failure.as_deref()
    }

    /// What its own clock shows now, ms since the epoch, as far as we can know. An entry with a greater stamp was made
    /// later than now, whatever any other clock shows.
    pub fn estimated_clock(&self, now: Now) -> u64 {
        ms(now.mono).saturating_add_signed(self.clock_offset)
    }

    // It is back, or has raised its incarnation: it answers those who call it offline. After a restart that is not so, but
    // does no harm.
    fn is_refuted_by(&self, entry: &Entry) -> bool {
        entry.state == State::Online && (self.entry.state == State::Offline || raises_incarnation(entry, &self.entry))
    }

    // Version 1 servers do not number their processes: one that comes back may be another process.
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
    // Stamps are below 2^53.
    stamp.cast_signed() - ms(now.mono).cast_signed()
}
