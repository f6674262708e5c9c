//! What is remembered of one server: what everybody may be told, and what only we know.

use std::time::Duration;

use crate::clock::Now;
use crate::message::{Entry, State};

/// One server.
#[derive(Clone, Debug)]
pub struct Member {
    /// What everybody may be told.
    pub entry: Entry,
    /// Since when this process of it is known to be online, as far as we can tell processes apart.
    pub since: Duration,
    /// When this process of it last answered us.
    pub answered: Option<Duration>,
    // A reading of its own clock and when we had it: that of its last answer, or a later one that puts its clock further
    // ahead. One that puts it back came by a long way.
    reading: (u64, Duration),
}

impl Member {
    pub(super) fn new(entry: Entry, now: Now) -> Self {
        let reading = (entry.stamp, now.mono);
        Self { entry, since: now.mono, answered: None, reading }
    }

    pub(super) fn update(&mut self, entry: Entry, now: Now) {
        if self.is_another_process(&entry) {
            *self = Self::new(entry, now);
            return;
        }
        // An offline entry is stamped by whoever made it.
        if entry.state == State::Online && entry.stamp >= self.own_clock(now) {
            self.reading = (entry.stamp, now.mono);
        }
        self.entry = entry;
    }

    pub(super) fn answer(&mut self, now: Now) {
        self.answered = Some(now.mono);
        if self.entry.state == State::Online {
            self.reading = (self.entry.stamp, now.mono);
        }
    }

    /// What its own clock shows now, ms since the epoch, as far as we can know: news of it with a greater stamp is
    /// younger than now, whatever any other clock says.
    pub fn own_clock(&self, now: Now) -> u64 {
        let (stamp, at) = self.reading;
        stamp + now.mono.saturating_sub(at).as_millis() as u64
    }

    // v1 servers do not number their processes: one that comes back may be another.
    fn is_another_process(&self, entry: &Entry) -> bool {
        match (&self.entry.life, &entry.life) {
            (Some(before), Some(after)) => before.instance != after.instance,
            (None, None) => self.entry.state == State::Offline && entry.state == State::Online,
            _ => true,
        }
    }
}
