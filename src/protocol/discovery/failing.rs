//! `Failing`: counts the failures of a list or name, and decides when to report them to an operator.

use std::time::Duration;

use crate::clock::Now;
use crate::protocol::event::{Event, Resolved};
use crate::protocol::output::Output;

/// After how long, and how many failures in a row, an operator is warned.
const UNUSABLE_AFTER: (Duration, u32) = (Duration::from_secs(30), 3);

/// The failures since the last success.
#[derive(Clone, Debug)]
pub struct Failing {
    since: Duration,
    /// How many.
    pub times: u32,
    is_reported: bool,
}

impl Failing {
    /// No failures counted yet.
    pub fn new(now: Now) -> Self {
        Self { since: now.mono, times: 0, is_reported: false }
    }

    /// Counts a failure. Returns true once: when it must be reported.
    pub fn count(&mut self, now: Now) -> bool {
        self.times += 1;
        let is_unusable = self.lasted(now) >= UNUSABLE_AFTER.0 && self.times >= UNUSABLE_AFTER.1;
        is_unusable && self.report()
    }

    /// Reports the failures now. Returns whether they were not reported before.
    pub fn report(&mut self) -> bool {
        !std::mem::replace(&mut self.is_reported, true)
    }

    /// The list or name `name` works again.
    pub fn end(self, name: &str, out: &mut Output) {
        if self.is_reported {
            out.report(Event::Resolved(Resolved::List(name.to_owned())));
        }
    }

    /// The time since the first failure.
    pub fn lasted(&self, now: Now) -> Duration {
        now.mono.saturating_sub(self.since)
    }
}
