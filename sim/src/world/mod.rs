//! A simulated cluster in one thread: real cores, virtual clocks, a network with faults and a shared master list.
//!
//! The seed decides everything that is random, so the same seed gives the same run. [`World`] routes; its parts own
//! their state:
//!
//! - `server`, `process`: the servers, and what runs on each: the real core or version 1's policy (`v1`).
//! - `event`: the queue of what happens next. `dispatch`, `exchanges`, `list_access`, `watches` carry the events out.
//! - [`network`], [`store`], `dns`: what lies between the servers, where the master list is kept, and the name that leads
//!   to them. Faults are set here.
//! - `traffic`, `convergence`, `invariants`, `trace_hash`: what is counted, compared, checked and hashed.

mod convergence;
mod dispatch;
mod dns;
mod event;
mod exchanges;
mod invariants;
mod list_access;
pub mod network;
mod process;
mod server;
pub mod store;
mod trace_hash;
mod traffic;
mod v1;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::message::{Message, ServerUrl, State};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

pub use convergence::Convergence;
use dns::Dns;
use event::EventQueue;
pub use invariants::{Invariants, MAX_EXCHANGES, Violation};
pub use network::Direction;
use network::Network;
pub use process::{Process, Version};
use server::Servers;
pub use server::{Health, Server, settings};
use store::ListStore;
use trace_hash::TraceHash;
pub use traffic::{ListChange, Traffic};
use watches::Watches;

/// How many entries may be compared again before the lists count as converged. Larger clusters skip that comparison.
const MAX_FINAL_COMPARISONS: usize = 20_000_000;

/// A cluster at one moment of virtual time.
pub struct World {
    now: Duration,
    queue: EventQueue,
    servers: Servers,
    /// The network between the servers.
    pub network: Network,
    /// The store of the master list.
    pub store: ListStore,
    /// The name that leads to servers.
    pub dns: Dns,
    /// Counters of messages and bytes.
    pub traffic: Traffic,
    watches: Watches,
    /// A server that says of every suspect that it answers.
    pub false_witness: Option<usize>,
    /// Random numbers for the code that runs a scenario or a schedule.
    pub rng: SmallRng,
    convergence: Convergence,
    list_changes: Option<Vec<ListChange>>,
    // The last request of a protocol 2 server, with its receiver, if invariants are checked.
    last_request: Option<(usize, Arc<Message>)>,
    invariants: Option<Invariants>,
    trace: Option<TraceHash>,
}

impl World {
    /// A world without servers. `seed` decides everything that is random in it.
    pub fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        Self {
            now: Duration::ZERO,
            queue: EventQueue::default(),
            servers: Servers::default(),
            network: Network::new(rng.random()),
            store: ListStore::new(),
            dns: Dns::default(),
            traffic: Traffic::default(),
            watches: Watches::default(),
            false_witness: None,
            rng,
            convergence: Convergence::default(),
            list_changes: None,
            last_request: None,
            invariants: None,
            trace: None,
        }
    }

    /// Adds a server without starting it, its wall clock `clock_skew` ms ahead. Returns its index.
    pub fn add(&mut self, settings: Settings, version: Version, clock_skew: i64) -> usize {
        self.traffic.add_server();
        self.servers.add(Server::new(settings, version, clock_skew))
    }

    /// Replaces the master list by one that was written before the run began and names these servers.
    pub fn fill_master_list(&mut self, servers: &[usize]) {
        self.store.fill(servers.iter().map(|server| self.servers[*server].url()));
    }

    /// Starts a process on a server. If one runs there already, it is killed first.
    pub fn start(&mut self, server: usize) {
        let (now, seed) = (self.clock_of(server), self.rng.random());
        if self.servers[server].process.is_some() {
            self.set_health(server, Health::Down);
        }
        self.servers[server].start(now, seed);
        if let Some(invariants) = &mut self.invariants {
            invariants.on_start(server);
        }
        self.convergence.compare_list(server, &self.servers);
        self.flush_output(server);
    }

    /// Starts each of the servers once, at random times within the period.
    pub fn start_within(&mut self, servers: &[usize], period: Duration) {
        let began = self.now;
        let mut times: Vec<_> = servers.iter().map(|_| period.mul_f64(self.rng.random_range(0.0..1.0))).collect();
        times.sort();
        let mut order = servers.to_vec();
        order.shuffle(&mut self.rng);
        for (server, at) in order.into_iter().zip(times) {
            self.run_until(began + at);
            self.start(server);
        }
        self.run_until(began + period);
    }

    /// Changes the health of a server's process. To bring back a server that is down or gone, call [`World::start`].
    pub fn set_health(&mut self, server: usize, health: Health) {
        if self.servers[server].process.is_none() {
            // A host can vanish or come back while no process runs on it.
            if matches!(health, Health::Gone | Health::Down) {
                self.servers[server].health = health;
            }
            return;
        }
        self.send_heartbeats(server);
        // Version 1 runs on the event loop alone, so a blocked loop stops all of it.
        let health = match (health, self.servers[server].version) {
            (Health::Blocked | Health::Late, Version::V1) => Health::Hung,
            _ => health,
        };
        let before = std::mem::replace(&mut self.servers[server].health, health);
        match health {
            Health::Down | Health::Gone => self.stop_process(server, health),
            Health::Up if matches!(before, Health::Blocked | Health::Hung) => self.resume_process(server),
            Health::Up if before == Health::Late => self.resume_thread(server),
            Health::Up | Health::Late | Health::Blocked | Health::Hung => {}
        }
        self.convergence.compare_list(server, &self.servers);
    }

    /// Sends a control request that puts a server online or drains it.
    pub fn control(&mut self, server: usize, online: bool) {
        self.servers[server].intended = if online { State::Online } else { State::Offline };
        self.call(server, |process, now| process.handle_control(now, online));
    }

    /// Shuts a server's program down. Its process ends once it has told the others.
    pub fn leave(&mut self, server: usize) {
        self.servers[server].intended = State::Offline;
        self.call(server, Process::handle_leave);
    }

    /// Sets how far a server's wall clock is ahead, in ms.
    pub fn set_clock(&mut self, server: usize, clock_skew: i64) {
        self.send_heartbeats(server);
        self.servers[server].set_clock(clock_skew, self.now);
    }

    /// Sets whether a server accepts connections.
    pub fn set_listens(&mut self, server: usize, listens: bool) {
        self.servers[server].listens = listens;
    }

    /// Sets which version a server runs from its next start on.
    pub fn set_version(&mut self, server: usize, version: Version) {
        self.servers[server].version = version;
    }

    /// Gives an input to a server's process, if it has one, and carries out what follows.
    pub fn call<R>(&mut self, server: usize, input: impl FnOnce(&mut Process, Now) -> R) -> Option<R> {
        self.send_heartbeats(server);
        let now = self.clock_of(server);
        let result = self.servers[server].call(now, input);
        self.flush_output(server);
        result
    }

    /// All servers, by index.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// One server.
    pub fn server(&self, server: usize) -> &Server {
        &self.servers[server]
    }

    /// The index of the server with a base URL.
    pub fn find(&self, url: &ServerUrl) -> Option<usize> {
        self.servers.find(url)
    }

    /// The base URL of a server.
    pub fn url(&self, server: usize) -> &ServerUrl {
        self.servers[server].url()
    }

    /// Time since the run began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Both clocks of a server.
    pub fn clock_of(&self, server: usize) -> Now {
        self.servers[server].clock(self.now)
    }

    /// Sets in which state servers should be listed from now on, and whose lists count. Of those, only the lists of
    /// servers that are up are compared.
    pub fn expect_states(&mut self, expected: &[(usize, State)], is_observer: impl Fn(usize) -> bool) {
        self.convergence = Convergence::new(self.servers.len(), expected, is_observer);
        for observer in 0..self.servers.len() {
            self.convergence.compare_list(observer, &self.servers);
        }
    }

    /// Changes in which state one server should be listed.
    pub fn expect_state(&mut self, server: usize, state: State) {
        self.convergence.expect(server, state);
        for observer in 0..self.servers.len() {
            self.convergence.compare_entry(observer, server, &self.servers);
        }
    }

    /// Which lists differ from what is expected.
    pub fn convergence(&self) -> &Convergence {
        &self.convergence
    }

    /// Records changes of lists from now on, and forgets those recorded before.
    pub fn record_list_changes(&mut self) {
        self.list_changes = Some(Vec::new());
    }

    /// Stops recording, to save memory.
    pub fn stop_recording(&mut self) {
        self.list_changes = None;
    }

    /// The recorded changes of lists.
    pub fn list_changes(&self) -> &[ListChange] {
        self.list_changes.as_deref().unwrap_or_default()
    }

    /// Checks the invariants after every event from now on. All servers must have been added.
    pub fn check_invariants(&mut self) {
        self.invariants = Some(Invariants::new(self.servers.len()));
    }

    /// Reports a violation, if invariants are checked.
    pub fn report_violation(&mut self, invariant: &'static str, details: String) {
        if let Some(invariants) = &mut self.invariants {
            invariants.report(invariant, self.now, details);
        }
    }

    /// The violations found so far.
    pub fn violations(&self) -> &[Violation] {
        self.invariants.as_ref().map(Invariants::violations).unwrap_or_default()
    }

    /// The last request that a protocol 2 server sent, with its receiver, if invariants are checked.
    pub fn last_request(&self) -> Option<&(usize, Arc<Message>)> {
        self.last_request.as_ref()
    }

    /// Begins a hash of every event and every body.
    pub fn start_trace(&mut self) {
        self.trace = Some(TraceHash::default());
    }

    /// The hash of all that happened since [`World::start_trace`].
    pub fn trace(&self) -> Option<u64> {
        self.trace.as_ref().map(TraceHash::value)
    }

    /// Runs for a period of virtual time.
    pub fn run_for(&mut self, period: Duration) {
        self.run_until(self.now + period);
    }

    /// Runs until a moment of virtual time.
    pub fn run_until(&mut self, end: Duration) {
        while self.step(end) {}
    }

    /// Runs until every list is as expected, at most until `end`. Returns whether every list is.
    pub fn run_until_converged(&mut self, end: Duration) -> bool {
        loop {
            if self.convergence.wrong_lists() == 0 && self.compare_all_again() {
                return true;
            }
            if !self.step(end) {
                return self.convergence.wrong_lists() == 0;
            }
        }
    }

    // Handles the next event. Returns false at the end.
    fn step(&mut self, end: Duration) -> bool {
        if let Some((at, event)) = self.queue.pop_until(end) {
            self.now = at;
            self.handle_event(event);
            true
        } else {
            self.now = end;
            false
        }
    }

    fn compare_all_again(&mut self) -> bool {
        if self.servers.len() * self.convergence.subjects() <= MAX_FINAL_COMPARISONS {
            for observer in 0..self.servers.len() {
                self.convergence.compare_list(observer, &self.servers);
            }
        }
        self.convergence.wrong_lists() == 0
    }

    fn send_heartbeats(&mut self, server: usize) {
        let now = self.clock_of(server);
        self.servers[server].send_heartbeats(now);
    }
}

#[cfg(test)]
mod tests;
