//! Counters and last times for people and metrics. Nothing is decided by them.

use super::action::WatchEnd;
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
    /// How watch connections ended, except those that this server closed.
    pub watches: WatchCounters,
}

/// How watch connections ended, and what followed.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchCounters {
    /// Closed by the other side.
    pub closed: u64,
    /// The other side's host did not acknowledge keep-alive packets.
    pub vanished: u64,
    /// Could not be opened.
    pub not_opened: u64,
    /// Probes that these and other hints started.
    pub probes: u64,
}

impl WatchCounters {
    /// A watch has ended.
    pub fn on_end(&mut self, end: WatchEnd) {
        match end {
            WatchEnd::Closed => self.closed += 1,
            WatchEnd::Vanished => self.vanished += 1,
            WatchEnd::NotOpened | WatchEnd::Local | WatchEnd::Unsupported => self.not_opened += 1,
        }
    }
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
