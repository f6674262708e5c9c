//! Limits the messages that are handled in a second. Each member that has answered us has a share. Version 1 servers, which
//! do not name themselves, use one share together, and unknown senders another. A flood in one name uses only that name's
//! share. A refusal does not harm its sender's picture of us: it shows that we are up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rate_limit::RateLimit;
use crate::error::Error;
use crate::message::ServerUrl;

/// Messages of one member handled a second: more than the shortest interval and a storm of updates make.
const PER_MEMBER: u32 = 100;
/// Messages of all members together. This bounds a sender that writes in many names.
const OF_MEMBERS: u32 = 2_000;
/// Messages of version 1 servers: each sends one in an interval, and many when they restart together.
const OF_VERSION_1: u32 = 500;
/// Messages of servers that have never answered us: many times what a server gets when a large cluster starts.
const OF_STRANGERS: u32 = 500;

/// What has been handled lately.
#[derive(Debug)]
pub struct Admission {
    all_members: RateLimit,
    version_1: RateLimit,
    strangers: RateLimit,
    // Those that have sent something lately. Full buckets are removed each second.
    members: BTreeMap<ServerUrl, RateLimit>,
    cleaned: Duration,
}

impl Admission {
    /// Nothing handled yet.
    pub fn new(now: Duration) -> Self {
        let limit = |rate| RateLimit::full((rate, rate), now);
        Self {
            all_members: limit(OF_MEMBERS),
            version_1: limit(OF_VERSION_1),
            strangers: limit(OF_STRANGERS),
            members: BTreeMap::new(),
            cleaned: now,
        }
    }

    /// Counts a message of version 1.
    pub fn admit_v1(&mut self, now: Duration) -> Result<(), Error> {
        self.version_1.take(1, now).map_err(|_| Error::Limit(OF_VERSION_1))
    }

    /// Counts a message of a server that we do not know, or that has never answered us.
    pub fn admit_stranger(&mut self, now: Duration) -> Result<(), Error> {
        self.strangers.take(1, now).map_err(|_| Error::Limit(OF_STRANGERS))
    }

    /// Counts a message of a member that has answered us.
    pub fn admit_member(&mut self, sender: &ServerUrl, now: Duration) -> Result<(), Error> {
        if now.saturating_sub(self.cleaned) >= Duration::from_secs(1) {
            self.members.retain(|_, limit| !limit.is_full(now));
            self.cleaned = now;
        }
        let new = || RateLimit::full((PER_MEMBER, PER_MEMBER), now);
        let own = self.members.entry(sender.clone()).or_insert_with(new);
        own.take(1, now).map_err(|_| Error::Limit(PER_MEMBER))?;
        self.all_members.take(1, now).map_err(|_| Error::Limit(OF_MEMBERS))
    }
}
