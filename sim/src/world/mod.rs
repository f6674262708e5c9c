//! A cluster in one thread: the real core of every server, virtual clocks, a network whose faults compose, a store of
//! the master list, servers of version 1 beside ours. A run is a seed, and the same seed gives the same run.

mod event;
pub mod invariants;
mod list;
mod meter;
pub mod network;
mod node;
pub mod store;
mod v1;
mod wanted;

use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::message::{ServerUrl, State};
use clustershazbot::protocol::Core;

use event::{Event, Letter, Scheduled};
use invariants::Invariants;
pub use meter::{Change, Meter, Rate};
use network::Network;
pub use node::{Health, Kind, Node, Server};
use store::Store;
use v1::V1;
use wanted::Wanted;

/// Wall time at which every run begins, ms since the epoch.
pub const EPOCH: u64 = 1_800_000_000_000;
/// How often a program's event loop says that it turns: as `lib/heartbeat.js` does.
const BEAT: Duration = Duration::from_secs(1);
/// How many of them count as one where nothing else happens: less than the core takes for a stall.
const BEATS_AS_ONE: u32 = 4;
/// Up to how many wrong entries of a list are looked at whenever its server has done anything. An entry may change
/// without a notice, as when it expires.
const LOOKED_AT_ALWAYS: u32 = 4;
/// How many entries are looked at once more before all lists count as right.
const LOOKED_AT_LAST: usize = 20_000_000;

/// A cluster at a moment.
pub struct World {
    now: Duration,
    queue: BinaryHeap<Scheduled>,
    events: u64,
    servers: Vec<Server>,
    // Looked up, never iterated: its order is not that of a seed.
    by_url: HashMap<ServerUrl, usize>,
    /// Whatever lies between the servers.
    pub network: Network,
    /// Where the master list is.
    pub store: Store,
    /// What has been counted.
    pub meter: Meter,
    /// Random numbers for whoever does something to the cluster.
    pub rng: SmallRng,
    wanted: Wanted,
    /// What has changed in the lists, while it is written down.
    pub changes: Option<Vec<Change>>,
    /// Whoever checks what every server does.
    pub invariants: Option<Box<Invariants>>,
    // A hash of all that happened, while it is asked for.
    trace: Option<u64>,
}

impl World {
    /// A world without servers. `seed` decides everything that is random in it.
    pub fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        Self {
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            events: 0,
            servers: Vec::new(),
            by_url: HashMap::new(),
            network: Network::new(rng.random()),
            store: Store::new(),
            meter: Meter::default(),
            rng,
            wanted: Wanted::default(),
            changes: None,
            invariants: None,
            trace: None,
        }
    }

    /// Adds a server that is not started yet, its wall clock `skew` ms ahead; returns its number.
    pub fn add(&mut self, settings: Settings, kind: Kind, skew: i64) -> usize {
        let server = self.servers.len();
        self.by_url.insert(settings.base_url.clone(), server);
        self.servers.push(Server::new(settings, kind, skew));
        self.meter.each.push(Rate::default());
        self.meter.begun.push(Rate::default());
        server
    }

    /// Starts a server, or starts it again: another process at the same base URL.
    pub fn start(&mut self, server: usize) {
        let (now, seed) = (self.now_of(server), self.rng.random());
        if self.servers[server].node.is_some() {
            self.set_health(server, Health::Down);
        }
        let it = &mut self.servers[server];
        let settings = it.settings.clone();
        it.node = Some(match it.kind {
            Kind::Ours => Node::Ours(Box::new(Core::new(&settings, now, seed))),
            Kind::V1 => Node::V1(Box::new(V1::new(settings, now, seed))),
        });
        (it.health, it.process, it.wake_at) = (Health::Up, it.process + 1, None);
        (it.last_input, it.born, it.told) = (self.now, self.now, State::Online);
        if let Some(invariants) = &mut self.invariants {
            invariants.started(server);
        }
        self.look_at_all(server);
        self.after(server);
    }

    /// Changes what a server's process does. One that is down or gone is started by [`World::start`].
    pub fn set_health(&mut self, server: usize, health: Health) {
        if self.servers[server].node.is_none() {
            // A host may vanish, or come back, without any process on it.
            if matches!(health, Health::Gone | Health::Down) {
                self.servers[server].health = health;
            }
            return;
        }
        self.beat(server);
        // Version 1 has no thread beside its event loop.
        let health = match (health, self.servers[server].kind) {
            (Health::Blocked, Kind::V1) => Health::Hung,
            _ => health,
        };
        let before = std::mem::replace(&mut self.servers[server].health, health);
        match health {
            Health::Down | Health::Gone => self.end(server, health),
            Health::Up if matches!(before, Health::Blocked | Health::Hung) => self.resume(server),
            Health::Up | Health::Blocked | Health::Hung => {}
        }
        self.look_at_all(server);
    }

    /// A control request to a server.
    pub fn control(&mut self, server: usize, online: bool) {
        self.servers[server].told = if online { State::Online } else { State::Offline };
        self.handle(server, |node, now| node.handle_control(now, online));
    }

    /// Has a server's program shut down. Its process ends when it has told the others.
    pub fn leave(&mut self, server: usize) {
        self.servers[server].told = State::Offline;
        self.handle(server, Node::handle_leave);
    }

    /// Sets a server's wall clock to another time: `skew` ms ahead of the right one.
    pub fn set_clock(&mut self, server: usize, skew: i64) {
        self.beat(server);
        self.servers[server].skew = skew;
    }

    /// Whether a server takes connections.
    pub fn set_listens(&mut self, server: usize, listens: bool) {
        self.servers[server].listens = listens;
    }

    /// What a server runs when it is next started.
    pub fn set_kind(&mut self, server: usize, kind: Kind) {
        self.servers[server].kind = kind;
    }

    /// Gives a server an input.
    pub fn handle<R>(&mut self, server: usize, input: impl FnOnce(&mut Node, Now) -> R) -> Option<R> {
        self.beat(server);
        let now = self.now_of(server);
        let it = &mut self.servers[server];
        it.last_input = now.mono;
        let result = it.node.as_mut().map(|node| input(node, now));
        self.after(server);
        result
    }

    /// The servers, by their numbers.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The number of a server.
    pub fn find(&self, url: &ServerUrl) -> Option<usize> {
        self.by_url.get(url).copied()
    }

    /// The base URL of a server.
    pub fn url(&self, server: usize) -> &ServerUrl {
        &self.servers[server].settings.base_url
    }

    /// Time since the world began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Both clocks of a server.
    pub fn now_of(&self, server: usize) -> Now {
        let wall = EPOCH + self.now.as_millis() as u64;
        Now { mono: self.now, wall: wall.saturating_add_signed(self.servers[server].skew) }
    }

    /// Whether a server works and can be reached, and has not been told to be offline.
    pub fn lives(&self, server: usize) -> bool {
        let it = &self.servers[server];
        it.is_up() && it.listens && it.told == State::Online
    }

    /// Sets how servers should be listed from now on, and whose lists matter: of those only the ones that are up.
    pub fn want(&mut self, targets: &[(usize, State)], observer: impl Fn(usize) -> bool) {
        self.wanted = Wanted::new(self.servers.len(), targets, observer);
        for server in 0..self.servers.len() {
            self.look_at_all(server);
        }
    }

    /// Changes how one server should be listed.
    pub fn expect(&mut self, server: usize, state: State) {
        self.wanted.put(server, state);
        for observer in 0..self.servers.len() {
            self.look_at(observer, server);
        }
    }

    /// Who lists whom wrongly.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Begins a hash of all that happens, bodies included.
    pub fn start_trace(&mut self) {
        self.trace = Some(0xcbf2_9ce4_8422_2325);
    }

    /// The hash of all that has happened.
    pub fn trace(&self) -> Option<u64> {
        self.trace
    }

    /// Lets time pass by so much.
    pub fn pass(&mut self, time: Duration) {
        self.run(self.now + time, false);
    }

    /// Lets time pass until then, or until every list is as wanted if `until_right`. Returns whether they all are.
    pub fn run(&mut self, end: Duration, until_right: bool) -> bool {
        loop {
            if until_right && self.wanted.wrong_lists() == 0 && self.are_all_right() {
                return true;
            }
            if self.queue.peek().is_none_or(|next| next.at > end) {
                self.now = end;
                return self.wanted.wrong_lists() == 0;
            }
            if let Some(Scheduled { at, event, .. }) = self.queue.pop() {
                self.now = at;
                self.happen(event);
            }
        }
    }

    fn are_all_right(&mut self) -> bool {
        if self.servers.len() * self.wanted.targets.len() <= LOOKED_AT_LAST {
            for server in 0..self.servers.len() {
                self.look_at_all(server);
            }
        }
        self.wanted.wrong_lists() == 0
    }

    fn look_at_all(&mut self, server: usize) {
        if !self.wanted.is_observer(server) {
            return;
        }
        if !self.servers[server].is_up() {
            self.wanted.clear(server);
            return;
        }
        for index in 0..self.wanted.targets.len() {
            self.look_at(server, self.wanted.targets[index]);
        }
    }

    fn look_at(&mut self, server: usize, target: usize) {
        let it = &self.servers[server];
        if let (Some(wanted), true, true) = (self.wanted.state(target), self.wanted.is_observer(server), it.is_up()) {
            let wrong = it.node.as_ref().is_some_and(|node| node.state(self.url(target)) != wanted);
            self.wanted.set(server, target, wrong);
        }
    }

    // The beats since the last input, as few as do not look like a stall: that is the same to whoever only wants to know
    // when the last one was, and does without 10 000 events a second.
    fn beat(&mut self, server: usize) {
        let Now { mono, wall } = self.now_of(server);
        let it = &mut self.servers[server];
        let since_last = Duration::from_nanos((mono.saturating_sub(it.born).as_nanos() % BEAT.as_nanos()) as u64);
        let last = mono.saturating_sub(since_last);
        while it.health == Health::Up && last > it.last_input {
            let at = last.min(it.last_input + BEAT * BEATS_AS_ONE);
            let wall = wall.saturating_sub(mono.saturating_sub(at).as_millis() as u64);
            if let Some(node) = &mut it.node {
                node.handle_heartbeat(Now { mono: at, wall });
            }
            it.last_input = at;
        }
    }

    fn push(&mut self, at: Duration, event: Event) {
        self.events += 1;
        self.queue.push(Scheduled { at, number: self.events, event });
    }

    fn is_current(&self, server: usize, process: u32) -> bool {
        self.servers[server].process == process && self.servers[server].node.is_some()
    }
}

#[cfg(test)]
mod tests;
