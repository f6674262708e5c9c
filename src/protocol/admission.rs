//! Limits how many gossip messages are handled a second: of all senders together, and of each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rate_limit::RateLimit;
use crate::error::Error;
use crate::message::ServerUrl;

/// Messages handled a second: fifty times what the restart of a large cluster sends to one server.
const PER_SECOND: u32 = 1_000;
/// Messages of one sender handled a second: more than the shortest interval and a storm of updates make.
const PER_SENDER: u32 = 100;

/// What has been handled lately.
#[derive(Debug)]
pub struct Admission {
    all: RateLimit,
    // Emptied each second, so that it holds at most PER_SECOND senders.
    senders: BTreeMap<ServerUrl, RateLimit>,
    emptied: Duration,
}

impl Admission {
    /// Nothing handled yet.
    pub fn new(now: Duration) -> Self {
        Self { all: RateLimit::full((PER_SECOND, PER_SECOND), now), senders: BTreeMap::new(), emptied: now }
    }

    /// Counts a message before its sender is known.
    pub fn admit(&mut self, now: Duration) -> Result<(), Error> {
        if now.saturating_sub(self.emptied) >= Duration::from_secs(1) {
            self.senders.clear();
            self.emptied = now;
        }
        self.all.take(1, now).map_err(|_| Error::Limit(PER_SECOND))
    }

    /// Counts the same message once its sender is known.
    pub fn admit_sender(&mut self, sender: &ServerUrl, now: Duration) -> Result<(), Error> {
        let new = || RateLimit::full((PER_SENDER, PER_SENDER), now);
        let limit = self.senders.entry(sender.clone()).or_insert_with(new);
        limit.take(1, now).map_err(|_| {
            // A sender that floods us, or whose message somebody repeats, takes no share of the others'.
            self.all.give_back();
            Error::Limit(PER_SENDER)
        })
    }
}
