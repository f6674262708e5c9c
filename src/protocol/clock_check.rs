//! Detects a wrong local clock, by comparing it with the clocks of servers that answer and the stamps in master lists.
//! A server whose clock is hours wrong rejects others' entries, and others reject its own, so it must not overwrite a
//! master list with what it knows.

use std::collections::BTreeSet;
use std::time::Duration;

use super::event::{Event, Resolved};
use super::output::Output;
use crate::clock::Now;
use crate::message::{MAX_AHEAD, ServerUrl};

/// How many servers are remembered on each side: enough for a majority.
const MAX_REMEMBERED: usize = 16;
/// How long a server whose clock seems wrong leaves the lists alone: a booting machine sets its clock meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// Evidence about our clock.
#[derive(Clone, Debug, Default)]
pub struct ClockCheck {
    agreeing: BTreeSet<ServerUrl>,
    differing: BTreeSet<ServerUrl>,
    // Most entries of a list are stamped ahead of our clock.
    is_behind_list: bool,
    // Since when our clock has seemed wrong.
    doubted_since: Option<Duration>,
    is_reported: bool,
}

impl ClockCheck {
    /// Our clock was set or jumped: drops all evidence.
    pub fn reset(&mut self, out: &mut Output) {
        self.resolve(out);
        *self = Self::default();
    }

    /// A server answered. `stamp` is its own stamp, or None if that was too far ahead of our clock to be accepted.
    pub fn on_answer(&mut self, from: &ServerUrl, stamp: Option<u64>, now: Now, out: &mut Output) {
        let differs = stamp.is_none_or(|stamp| stamp.abs_diff(now.wall) > MAX_AHEAD);
        let (to, other) =
            if differs { (&mut self.differing, &mut self.agreeing) } else { (&mut self.agreeing, &mut self.differing) };
        other.remove(from);
        if to.len() < MAX_REMEMBERED {
            to.insert(from.clone());
        }
        self.judge(now, out);
    }

    /// A list was read. `ahead` of its servers are stamped too far ahead of our clock, `others` are not.
    pub fn on_list(&mut self, ahead: usize, others: usize, now: Now, out: &mut Output) {
        self.is_behind_list = ahead > others;
        self.judge(now, out);
    }

    /// Whether our clock seems wrong by more than three hours.
    pub fn is_wrong(&self) -> bool {
        self.differing.len() > self.agreeing.len() || self.is_behind_list && self.agreeing.is_empty()
    }

    /// Whether our clock has seemed wrong for [`PATIENCE`]. Then nobody is about to set it, and the others' clocks may
    /// be the wrong ones, or the list was left by a server with a wrong clock.
    pub fn is_wrong_for_long(&self, now: Now) -> bool {
        self.is_wrong() && self.doubted_since.is_some_and(|since| now.mono >= since + PATIENCE)
    }

    fn judge(&mut self, now: Now, out: &mut Output) {
        if !self.is_wrong() {
            self.doubted_since = None;
            return self.resolve(out);
        }
        self.doubted_since.get_or_insert(now.mono);
        if !self.is_reported {
            self.is_reported = true;
            out.report(Event::ClockWrong);
        }
    }

    fn resolve(&mut self, out: &mut Output) {
        if std::mem::take(&mut self.is_reported) {
            out.report(Event::Resolved(Resolved::Clock));
        }
    }
}
