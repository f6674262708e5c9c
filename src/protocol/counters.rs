//! Counters and timestamps for status and metrics. They never influence a decision.

use super::action::WatchEnd;
use crate::message::ServerUrl;

/// Totals since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// The last exchange that another server began: when, ms since the epoch, and its sender if it is protocol 2.
    pub last_inbound: Option<(u64, Option<ServerUrl>)>,
    /// The last answer to an exchange that we began: when, ms since the epoch, and its sender.
    pub last_outbound: Option<(u64, ServerUrl)>,
    /// Updates broadcast.
    pub updates: u64,
    /// Suspicions started.
    pub suspicions: u64,
    /// Failures that we declared.
    pub failures: u64,
    /// Refutations of entries about us.
    pub refutations: u64,
    /// How watches ended, except those that we closed.
    pub watches: WatchCounters,
}

/// How watches ended, and the probes that followed.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchCounters {
    /// Closed by the peer.
    pub closed: u64,
    /// Given up by TCP keep-alive.
    pub vanished: u64,
    /// Could not be opened.
    pub not_opened: u64,
    /// Probes started because of these and other hints.
    pub probes: u64,
}

impl WatchCounters {
    /// Counts the end of a watch.
    pub fn on_end(&mut self, end: WatchEnd) {
        match end {
            WatchEnd::Closed => self.closed += 1,
            WatchEnd::Vanished => self.vanished += 1,
            WatchEnd::NotOpened | WatchEnd::Local | WatchEnd::Unsupported => self.not_opened += 1,
        }
    }
}

/// The status of a master list.
#[derive(Clone, Debug, Default)]
pub struct ListStatus {
    /// Last successful read, ms since the epoch.
    pub read: Option<u64>,
    /// Last successful write, ms since the epoch.
    pub written: Option<u64>,
    /// How many servers it listed then.
    pub servers: usize,
    /// How many accesses have failed in a row, and the last error.
    pub failing: Option<(u32, String)>,
    /// How many accesses have failed since the start.
    pub failed: u64,
}
