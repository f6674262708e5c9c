//! Counters and last times for people and metrics. Nothing is decided by them.

use crate::message::ServerUrl;

/// What has happened since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// When another server last began an exchange with us, ms since the epoch, and which one, if it is of protocol 2.
    pub last_inbound: Option<(u64, Option<ServerUrl>)>,
    /// When an exchange that we began was last answered, ms since the epoch, and by whom.
    pub last_outbound: Option<(u64, ServerUrl)>,
    /// Updates of members that were broadcast.
    pub updates: u64,
    /// Suspicions that began.
    pub suspicions: u64,
    /// Servers that we declared failed.
    pub failures: u64,
    /// Entries about us that we refuted.
    pub refutations: u64,
}

/// The condition of a master list.
#[derive(Clone, Debug, Default)]
pub struct ListStatus {
    /// When it was read last, ms since the epoch.
    pub read: Option<u64>,
    /// When it was written last, ms since the epoch.
    pub written: Option<u64>,
    /// How many servers it named then.
    pub servers: usize,
    /// How many accesses failed since the last that succeeded, and why the last one did.
    pub failing: Option<(u32, String)>,
    /// How many accesses failed since the start.
    pub failed: u64,
}
