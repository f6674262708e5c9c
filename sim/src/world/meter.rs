//! What is counted of a cluster.

use std::time::Duration;

/// What HTTP adds to the body of a gossip request: request line, host, content type and length, the secret, and what
/// reqwest sends of itself.
pub const REQUEST_HEADERS: u64 = 260;
/// What HTTP adds to the body of an answer: status line, date, content type and length, `ETag`, `X-Powered-By`, as
/// Express sends them.
pub const ANSWER_HEADERS: u64 = 230;

/// A change of what one server lists of another.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// When.
    pub at: Duration,
    /// In whose list.
    pub by: usize,
    /// Of whom.
    pub about: usize,
    /// Whether it is listed online now.
    pub online: bool,
    /// Which of its lives: the incarnation, or v1's stamp.
    pub life: u64,
    /// Whether the server works at that moment, and is reachable, whatever is said of it.
    pub lives: bool,
}

/// Messages of one second, and the most that there were in any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    second: u64,
    count: u32,
    /// The most of any second.
    pub peak: u32,
}

impl Rate {
    /// Counts one; returns how many there have been in this second.
    pub fn count(&mut self, now: Duration) -> u32 {
        if self.second != now.as_secs() {
            (self.second, self.count) = (now.as_secs(), 0);
        }
        self.count += 1;
        self.peak = self.peak.max(self.count);
        self.count
    }
}

/// Counts since the last reset.
#[derive(Debug, Default)]
pub struct Meter {
    /// When that was.
    pub since: Duration,
    /// Bytes sent and received, headers included: each body counts once at its sender, and once where it arrives.
    pub bytes: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// Bytes of the largest body.
    pub largest: u64,
    /// Messages, of the whole cluster.
    pub all: Rate,
    /// Messages that each server sent.
    pub each: Vec<Rate>,
    /// Exchanges that each server began.
    pub begun: Vec<Rate>,
}

impl Meter {
    /// Begins anew.
    pub fn reset(&mut self, now: Duration) {
        *self = Self {
            since: now,
            each: vec![Rate::default(); self.each.len()],
            begun: vec![Rate::default(); self.begun.len()],
            ..Self::default()
        };
    }

    /// Bytes that a server sent and received in a second, on average.
    pub fn bytes_per_second(&self, servers: usize, now: Duration) -> f64 {
        self.bytes as f64 / servers as f64 / now.saturating_sub(self.since).as_secs_f64().max(1.0)
    }

    pub(super) fn sent(&mut self, server: usize, body: u64, headers: u64, now: Duration) {
        self.bytes += body + headers;
        self.largest = self.largest.max(body);
        self.all.count(now);
        if let Some(rate) = self.each.get_mut(server) {
            rate.count(now);
        }
    }

    pub(super) fn arrived(&mut self, body: u64, headers: u64) {
        self.bytes += body + headers;
    }
}
