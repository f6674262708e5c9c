//! Counts the failures of a list or a name, and decides when an operator must look at it.

use std::time::Duration;

use crate::clock::Now;
use crate::protocol::event::{Event, Resolved};
use crate::protocol::output::Output;

/// After how long without success, and how many failures, an operator must look.
const UNUSABLE_AFTER: (Duration, u32) = (Duration::from_secs(30), 3);

/// The failures since the last success.
#[derive(Debug)]
pub struct Failing {
    since: Duration,
    /// How many there are.
    pub times: u32,
    is_reported: bool,
}

impl Failing {
    /// The first is about to be counted.
    pub fn new(now: Now) -> Self {
        Self { since: now.mono, times: 0, is_reported: false }
    }

    /// One more failure. Returns whether an operator must look now: that is true once.
    pub fn count(&mut self, now: Now) -> bool {
        self.times += 1;
        let is_unusable = self.lasted(now) >= UNUSABLE_AFTER.0 && self.times >= UNUSABLE_AFTER.1;
        is_unusable && self.report()
    }

    /// An operator must look now, however long it has lasted. Returns whether that was not reported before.
    pub fn report(&mut self) -> bool {
        !std::mem::replace(&mut self.is_reported, true)
    }

    /// The list or name of this name works again.
    pub fn end(self, name: &str, out: &mut Output) {
        if self.is_reported {
            out.report(Event::Resolved(Resolved::List(name.to_owned())));
        }
    }

    /// How long ago the first was.
    pub fn lasted(&self, now: Now) -> Duration {
        now.mono.saturating_sub(self.since)
    }
}
