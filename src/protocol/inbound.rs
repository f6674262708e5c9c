//! A bound on the messages that are handled, of all others and of each.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Error;
use crate::message::ServerUrl;

/// Gossip messages handled in a second: fifty times what the restart of a large cluster sends to one server.
const PER_SECOND: u32 = 1_000;
/// The same of one server: more than the shortest interval and a storm of news make.
const OF_ONE_PER_SECOND: u32 = 100;

/// What has come in the present second.
#[derive(Debug, Default)]
pub struct Inbound {
    since: Duration,
    count: u32,
    // No more of them than messages in a second.
    of: BTreeMap<ServerUrl, u32>,
}

impl Inbound {
    /// Counts one message.
    pub fn admit(&mut self, now: Duration) -> Result<(), Error> {
        if now.saturating_sub(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, ..Self::default() };
        }
        self.count += 1;
        if self.count > PER_SECOND { Err(Error::Limit(PER_SECOND)) } else { Ok(()) }
    }

    /// Counts the same message as one of its sender.
    pub fn admit_from(&mut self, from: &ServerUrl) -> Result<(), Error> {
        let count = self.of.entry(from.clone()).or_default();
        *count += 1;
        if *count > OF_ONE_PER_SECOND {
            // One that floods us, or whose message somebody repeats, uses up nothing of the others'.
            self.count -= 1;
            return Err(Error::Limit(OF_ONE_PER_SECOND));
        }
        Ok(())
    }
}
