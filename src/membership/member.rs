//! What is remembered of one server: what everybody may be told, and what only we know. Ten thousand servers are ten
//! thousand of these in each of them: times are kept as ms, not as `Duration`.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::clock::Now;
use crate::message::{Entry, State};

/// One server.
#[derive(Clone, Debug)]
pub struct Member {
    /// What everybody may be told.
    pub entry: Entry,
    // Monotonic ms. Since when this process of it is known, as far as we can tell processes apart; when it last answered
    // us; when we last heard of it from itself, asked or unasked.
    since: u64,
    answered: Option<NonZeroU64>,
    heard: Option<NonZeroU64>,
    // How far its own clock is ahead of our monotonic one, by its last answer, or by later news that puts it further
    // ahead. News that puts it back came by a long way.
    clock: i64,
    /// Whether any process of it has ever answered us.
    pub(super) reached: bool,
    // Exchanges with it that failed since it last answered.
    pub(super) failures: u32,
}

impl Member {
    pub(super) fn new(entry: Entry, now: Now) -> Self {
        let clock = clock_of(&entry, now);
        Self { entry, since: ms(now.mono), answered: None, heard: None, clock, reached: false, failures: 0 }
    }

    pub(super) fn update(&mut self, entry: Entry, now: Now) {
        if self.is_another_process(&entry) {
            *self = Self { reached: self.reached, ..Self::new(entry, now) };
            return;
        }
        // An offline entry is stamped by whoever made it.
        if entry.state == State::Online {
            self.clock = self.clock.max(clock_of(&entry, now));
        }
        self.entry = entry;
    }

    pub(super) fn refresh(&mut self, stamp: u64, now: Now) {
        self.entry.stamp = stamp;
        self.clock = self.clock.max(clock_of(&self.entry, now));
    }

    pub(super) fn answer(&mut self, now: Now) {
        self.answered = NonZeroU64::new(ms(now.mono).max(1));
        self.hear(now);
        self.failures = 0;
        if self.entry.state == State::Online {
            self.clock = clock_of(&self.entry, now);
        }
    }

    pub(super) fn hear(&mut self, now: Now) {
        self.heard = NonZeroU64::new(ms(now.mono).max(1));
    }

    /// Since when this process of it is known, as monotonic time.
    pub fn first_seen(&self) -> Duration {
        Duration::from_millis(self.since)
    }

    /// When this process of it last answered us, as monotonic time.
    pub fn last_answered(&self) -> Option<Duration> {
        self.answered.map(|at| Duration::from_millis(at.get()))
    }

    /// When it last spoke to us, asked or unasked, as monotonic time.
    pub fn last_heard(&self) -> Option<Duration> {
        self.heard.map(|at| Duration::from_millis(at.get()))
    }

    /// How many exchanges with it failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// What its own clock shows now, ms since the epoch, as far as we can know: news of it with a greater stamp is
    /// younger than now, whatever any other clock says.
    pub fn estimated_clock(&self, now: Now) -> u64 {
        ms(now.mono).saturating_add_signed(self.clock)
    }

    // v1 servers do not number their processes: one that comes back may be another.
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

fn clock_of(entry: &Entry, now: Now) -> i64 {
    // Stamps are below 2^53.
    entry.stamp.cast_signed() - ms(now.mono).cast_signed()
}
