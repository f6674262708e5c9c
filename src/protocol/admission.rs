//! Limits how many incoming messages are handled each second. Each member that has answered us has its own limit;
//! version 1 servers, which do not name themselves, share one, and unknown senders share another. So a flood under one
//! name blocks that name only. A refused sender still sees that we are up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rate_limit::RateLimit;
use crate::error::Error;
use crate::message::ServerUrl;

/// Per member and second: more than the shortest interval with a storm of updates needs.
const PER_MEMBER: u32 = 100;
/// All members together, per second. Bounds a sender that uses many names.
const OF_MEMBERS: u32 = 2_000;
/// A member that sends fewer than this, per second, is quiet: more than a healthy one sends except in a storm of updates.
const QUIET: u32 = 20;
/// All quiet members together, per second, while the others use up [`OF_MEMBERS`].
const OF_QUIET: u32 = 500;
/// Version 1 servers, per second: each sends one message an interval, and many when all restart together.
const OF_VERSION_1: u32 = 500;
/// Senders that have never answered us, per second: many times what the start of a large cluster causes.
const OF_STRANGERS: u32 = 500;

/// The rate limits of incoming messages, by sender.
#[derive(Clone, Debug)]
pub struct Admission {
    all_members: RateLimit,
    quiet_members: RateLimit,
    version_1: RateLimit,
    strangers: RateLimit,
    // Senders of the last seconds. Full buckets are removed each second.
    members: BTreeMap<ServerUrl, Share>,
    cleaned: Duration,
}

/// The limits of one member.
#[derive(Clone, Debug)]
struct Share {
    all: RateLimit,
    // Empty while it sends more than a quiet member.
    quiet: RateLimit,
}

impl Admission {
    /// All limits unused.
    pub fn new(now: Duration) -> Self {
        let limit = |rate| RateLimit::full((rate, rate), now);
        Self {
            all_members: limit(OF_MEMBERS),
            quiet_members: limit(OF_QUIET),
            version_1: limit(OF_VERSION_1),
            strangers: limit(OF_STRANGERS),
            members: BTreeMap::new(),
            cleaned: now,
        }
    }

    /// Admits a version 1 message, or returns the limit.
    pub fn admit_v1(&mut self, now: Duration) -> Result<(), Error> {
        self.version_1.take(1, now).map_err(|_| Error::Limit(OF_VERSION_1))
    }

    /// Admits a message from a server that is unknown or has never answered us.
    pub fn admit_stranger(&mut self, now: Duration) -> Result<(), Error> {
        self.strangers.take(1, now).map_err(|_| Error::Limit(OF_STRANGERS))
    }

    /// Admits a message from a member that has answered us.
    pub fn admit_member(&mut self, sender: &ServerUrl, now: Duration) -> Result<(), Error> {
        if now.saturating_sub(self.cleaned) >= Duration::from_secs(1) {
            self.members.retain(|_, share| !share.all.is_full(now) || !share.quiet.is_full(now));
            self.cleaned = now;
        }
        let limit = |rate| RateLimit::full((rate, rate), now);
        let new = || Share { all: limit(PER_MEMBER), quiet: limit(QUIET) };
        let share = self.members.entry(sender.clone()).or_insert_with(new);
        let is_quiet = share.quiet.take(1, now).is_ok() && share.quiet.is_half_full();
        share.all.take(1, now).map_err(|_| Error::Limit(PER_MEMBER))?;
        if is_quiet && self.quiet_members.take(1, now).is_ok() {
            return Ok(());
        }
        self.all_members.take(1, now).map_err(|_| Error::Limit(OF_MEMBERS))
    }
}
