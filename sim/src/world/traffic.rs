//! Counters of messages and bytes, and the records of list changes.

use std::time::Duration;

use super::network::Direction;

/// What HTTP adds to the body of a gossip request, in bytes: request line, host, content type and length, the secret,
/// and the headers that reqwest adds.
const REQUEST_HEADERS: u64 = 260;
/// What HTTP adds to the body of a response, in bytes: status line, date, content type and length, `ETag`,
/// `X-Powered-By`, as Express sends them.
const RESPONSE_HEADERS: u64 = 230;

/// What TCP and IP add to a request on a new connection and to its response, in bytes: headers, and the packets that open
/// and close the connection. Idle connections are too old to be reused.
const REQUEST_PACKETS: u64 = 60 + 5 * 52;
const RESPONSE_PACKETS: u64 = 60 + 4 * 52;

/// A change in one server's list.
#[derive(Clone, Copy, Debug)]
pub struct ListChange {
    /// When it changed.
    pub at: Duration,
    /// The server whose list it is.
    pub observer: usize,
    /// The server that is listed differently now.
    pub subject: usize,
    /// Whether it is listed online now.
    pub online: bool,
    /// Its incarnation as listed, or version 1's stamp.
    pub incarnation: u64,
    /// Whether the subject was available at that moment, whatever the list says.
    pub subject_available: bool,
}

/// Counts per second, and the highest count in any second.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeakRate {
    second: u64,
    count: u32,
    /// The highest count in any second.
    pub peak: u32,
}

impl PeakRate {
    /// Counts one. Returns the count in this second.
    pub fn count(&mut self, now: Duration) -> u32 {
        if self.second != now.as_secs() {
            (self.second, self.count) = (now.as_secs(), 0);
        }
        self.count += 1;
        self.peak = self.peak.max(self.count);
        self.count
    }

    /// The count in the second in which something was counted last.
    pub fn current(&self) -> u32 {
        self.count
    }
}

/// Counters since the last reset.
#[derive(Debug, Default)]
pub struct Traffic {
    since: Duration,
    bytes: u64,
    // Bytes that all servers sent, packet headers and watch connections included.
    packet_bytes: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// The length of the largest body, in bytes.
    pub largest_body: u64,
    /// Messages that the whole cluster sent.
    pub messages: PeakRate,
    /// Messages that each server sent.
    pub messages_by_server: Vec<PeakRate>,
    /// Exchanges that each server began.
    pub exchanges_by_server: Vec<PeakRate>,
}

impl Traffic {
    /// Adds the counters of one more server.
    pub fn add_server(&mut self) {
        self.messages_by_server.push(PeakRate::default());
        self.exchanges_by_server.push(PeakRate::default());
    }

    /// Sets all counters to zero.
    pub fn reset(&mut self, now: Duration) {
        let by_server = vec![PeakRate::default(); self.messages_by_server.len()];
        *self = Self {
            since: now,
            messages_by_server: by_server.clone(),
            exchanges_by_server: by_server,
            ..Self::default()
        };
    }

    /// Bytes per second that one of so many servers sent and received on average, headers included. Each body counts at
    /// its sender, and at its receiver if it arrives.
    pub fn bytes_per_second(&self, servers: usize, now: Duration) -> f64 {
        self.bytes as f64 / servers as f64 / now.saturating_sub(self.since).as_secs_f64().max(1.0)
    }

    /// Bytes per second that one of so many servers sent on average, packet headers and watch connections included.
    pub fn sent_per_second(&self, servers: usize, now: Duration) -> f64 {
        self.packet_bytes as f64 / servers as f64 / now.saturating_sub(self.since).as_secs_f64().max(1.0)
    }

    /// Counts packets of watch connections, of both sides.
    pub(super) fn count_packets(&mut self, bytes: u64) {
        self.packet_bytes += bytes;
    }

    pub(super) fn count_exchange(&mut self, server: usize, now: Duration) {
        self.exchanges += 1;
        self.exchanges_by_server[server].count(now);
    }

    pub(super) fn count_sent(&mut self, server: usize, body: u64, direction: Direction, now: Duration) {
        self.bytes += body + headers(direction);
        self.packet_bytes += body + headers(direction) + packets(direction);
        self.largest_body = self.largest_body.max(body);
        self.messages.count(now);
        self.messages_by_server[server].count(now);
    }

    pub(super) fn count_received(&mut self, body: u64, direction: Direction) {
        self.bytes += body + headers(direction);
    }
}

fn packets(direction: Direction) -> u64 {
    match direction {
        Direction::Request => REQUEST_PACKETS,
        Direction::Response => RESPONSE_PACKETS,
    }
}

fn headers(direction: Direction) -> u64 {
    match direction {
        Direction::Request => REQUEST_HEADERS,
        Direction::Response => RESPONSE_HEADERS,
    }
}
