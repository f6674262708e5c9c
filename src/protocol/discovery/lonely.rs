//! `Lonely`: warns when this server has known no other for too long.

use std::time::Duration;

use crate::clock::Now;
use crate::protocol::event::{Event, Resolved};
use crate::protocol::output::Output;

/// After how many intervals alone an operator is warned.
const INTERVALS: u32 = 10;

/// Since when this server has known no other.
#[derive(Clone, Debug, Default)]
pub struct Lonely {
    since: Option<Duration>,
    is_reported: bool,
}

impl Lonely {
    /// A round begins. Returns true once for each time that the server is alone: when it must be reported.
    pub fn on_round(&mut self, is_alone: bool, interval: Duration, now: Now, out: &mut Output) -> bool {
        if !is_alone {
            if std::mem::take(self).is_reported {
                out.report(Event::Resolved(Resolved::Alone));
            }
            return false;
        }
        let since = *self.since.get_or_insert(now.mono);
        let is_long = now.mono >= since + interval * INTERVALS;
        is_long && !std::mem::replace(&mut self.is_reported, true)
    }
}
