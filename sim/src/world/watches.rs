//! Watch connections between servers: silent TCP connections, as the kernels on both sides handle them.

use std::collections::BTreeMap;
use std::time::Duration;

use clustershazbot::message::{ServerUrl, State};
use clustershazbot::protocol::{RequestId, WatchEnd};

use super::event::SimEvent;
use super::network::{Direction, Packet, Passage};
use super::{Health, Process, World};

/// How long after the first attempt a kernel repeats a packet that opens a connection, and when the engine gives up.
const SYN_REPEATED: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// TCP keep-alive: after how long without a packet it asks, how often it repeats that, and how many answers may be missing.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_COUNT: u32 = 3;
/// Bytes of packets without content, IP and TCP headers included: those that open a connection have more options.
const SYN: u64 = 60;
const ACK: u64 = 52;
const OPENED: u64 = 2 * SYN + ACK;
const CLOSED: u64 = 4 * ACK;
const KEPT_ALIVE: u64 = 2 * ACK;

/// A watch connection: the watching server, its process, and the number that its core gave.
pub type WatchId = (usize, u32, RequestId);

/// The other side of a watch connection.
struct Connection {
    to: usize,
    // The process that it leads to, once it is open.
    process: Option<u32>,
    began: Duration,
}

/// All watch connections.
#[derive(Default)]
pub struct Watches {
    by_id: BTreeMap<WatchId, Connection>,
    // After how long without a request a proxy in front of every server closes a connection.
    proxy_timeout: Option<Duration>,
}

impl World {
    /// Puts a proxy in front of every server that closes a connection after this time without a request, or removes it.
    pub fn set_proxy_timeout(&mut self, timeout: Option<Duration>) {
        self.watches.proxy_timeout = timeout;
    }

    /// Closes every watch connection of some servers at once, as a switch does that restarts.
    pub fn close_watches(&mut self, is_closed: impl Fn(usize) -> bool) {
        let is_it = |(id, it): &(&WatchId, &Connection)| it.process.is_some() && (is_closed(id.0) || is_closed(it.to));
        let closed: Vec<_> = self.watches.by_id.iter().filter(is_it).map(|(id, _)| *id).collect();
        for watch in closed {
            self.queue.push(self.now, SimEvent::WatchEnded { watch, end: WatchEnd::Closed });
        }
    }

    pub(super) fn open_watch(&mut self, from: usize, id: RequestId, to: &ServerUrl) {
        let watch = (from, self.servers[from].pid, id);
        // No server has this base URL: its host refuses connections like that of a server that is down.
        let Some(to) = self.find(to) else { return self.end_watch(self.now, watch, WatchEnd::NotOpened) };
        self.watches.by_id.insert(watch, Connection { to, process: None, began: self.now });
        self.connect_watch(watch);
    }

    /// The kernel of the watcher sends the first packet of a connection, or repeats it.
    pub(super) fn connect_watch(&mut self, watch: WatchId) {
        let Some(Connection { to, began, .. }) = self.watches.by_id.get(&watch) else { return };
        let (to, began) = (*to, *began);
        self.traffic.count_packets(SYN);
        match self.network.passage(Packet { from: watch.0, to, direction: Direction::Request }) {
            Passage::After(latency) => self.queue.push(self.now + latency, SimEvent::WatchArrives { watch }),
            Passage::Lost => self.connect_watch_again(watch, began),
        }
    }

    fn connect_watch_again(&mut self, watch: WatchId, began: Duration) {
        match SYN_REPEATED.into_iter().map(|after| began + after).find(|at| *at > self.now) {
            Some(at) => self.queue.push(at, SimEvent::WatchConnects { watch }),
            None => self.end_watch(began + CONNECT_TIMEOUT, watch, WatchEnd::NotOpened),
        }
    }

    /// The first packet of a connection arrives at a server's host, whose kernel accepts or refuses it.
    pub(super) fn accept_watch(&mut self, watch: WatchId) {
        let Some(connection) = self.watches.by_id.get_mut(&watch) else { return };
        let (to, began) = (connection.to, connection.began);
        let server = &self.servers[to];
        if server.health == Health::Gone {
            return self.connect_watch_again(watch, began);
        }
        let is_accepted = server.health != Health::Down && server.listens;
        if is_accepted {
            connection.process = Some(server.pid);
        }
        match self.network.passage(Packet { from: to, to: watch.0, direction: Direction::Response }) {
            Passage::After(latency) if is_accepted => {
                self.queue.push(self.now + latency, SimEvent::WatchOpened { watch });
            }
            Passage::After(latency) => self.end_watch(self.now + latency, watch, WatchEnd::NotOpened),
            Passage::Lost => self.connect_watch_again(watch, began),
        }
    }

    pub(super) fn deliver_watch_opened(&mut self, watch: WatchId) {
        if !self.watches.by_id.contains_key(&watch) {
            return;
        }
        self.traffic.count_packets(OPENED - SYN);
        self.queue.push(self.now + KEEP_ALIVE_IDLE, SimEvent::KeepAlive { watch, unanswered: 0 });
        if let Some(timeout) = self.watches.proxy_timeout {
            self.end_watch(self.now + timeout, watch, WatchEnd::Closed);
        }
        self.call(watch.0, |process, now| process.handle_watch_opened(now, watch.2));
    }

    /// The kernel of the watcher sends a keep-alive packet.
    pub(super) fn keep_watch_alive(&mut self, watch: WatchId, unanswered: u32) {
        let Some(Connection { to, process, .. }) = self.watches.by_id.get(&watch) else { return };
        let (to, process) = (*to, *process);
        self.traffic.count_packets(KEPT_ALIVE);
        let there = self.network.passage(Packet { from: watch.0, to, direction: Direction::Request });
        let back = self.network.passage(Packet { from: to, to: watch.0, direction: Direction::Response });
        let is_lost = there == Passage::Lost || back == Passage::Lost || self.servers[to].health == Health::Gone;
        let is_unknown = !process.is_some_and(|pid| self.servers[to].is_running(pid));
        match (is_lost, unanswered + 1) {
            // A kernel that does not know the connection resets it.
            (false, _) if is_unknown => self.end_watch(self.now, watch, WatchEnd::Closed),
            (false, _) => self.queue.push(self.now + KEEP_ALIVE_IDLE, SimEvent::KeepAlive { watch, unanswered: 0 }),
            (true, KEEP_ALIVE_COUNT..) => self.end_watch(self.now + KEEP_ALIVE_INTERVAL, watch, WatchEnd::Vanished),
            (true, unanswered) => {
                self.queue.push(self.now + KEEP_ALIVE_INTERVAL, SimEvent::KeepAlive { watch, unanswered });
            }
        }
    }

    pub(super) fn deliver_watch_ended(&mut self, watch: WatchId, end: WatchEnd) {
        if self.watches.by_id.remove(&watch).is_some() {
            self.traffic.count_packets(CLOSED);
            let before = self.invariants.is_some().then(|| self.states_listed_by(watch.0));
            self.call(watch.0, |process, now| process.handle_watch_ended(now, watch.2, end));
            if before.is_some_and(|before| before != self.states_listed_by(watch.0)) {
                let details = format!("the end of a watch changed the list of server {}", watch.0);
                self.report_violation("a hint decides nothing", details);
            }
        }
    }

    pub(super) fn close_watch(&mut self, from: usize, id: RequestId) {
        if self.watches.by_id.remove(&(from, self.servers[from].pid, id)).is_some() {
            self.traffic.count_packets(CLOSED);
        }
    }

    /// A process ends: its kernel closes its connections, unless the host is gone.
    pub(super) fn close_watches_of_process(&mut self, server: usize, health: Health) {
        let pid = self.servers[server].pid;
        self.watches.by_id.retain(|(from, process, _), _| (*from, *process) != (server, pid));
        if health == Health::Gone {
            return;
        }
        let leads_there = |it: &Connection| it.to == server && it.process == Some(pid);
        let watched: Vec<_> = self.watches.by_id.iter().filter(|(_, it)| leads_there(it)).map(|(id, _)| *id).collect();
        for watch in watched {
            let packet = Packet { from: server, to: watch.0, direction: Direction::Response };
            // If the packet is lost, the next keep-alive packet is answered by a reset.
            if let Passage::After(latency) = self.network.passage(packet) {
                self.end_watch(self.now + latency, watch, WatchEnd::Closed);
            }
        }
    }

    fn states_listed_by(&self, server: usize) -> Vec<State> {
        let entries = self.servers[server].process.iter().flat_map(Process::entries);
        entries.map(|entry| entry.state).collect()
    }

    fn end_watch(&mut self, at: Duration, watch: WatchId, end: WatchEnd) {
        self.queue.push(at, SimEvent::WatchEnded { watch, end });
    }
}
