//! The state of an explored cluster: its servers, and all that is under way between them. It is cheap to clone: what a step
//! does not change is shared.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use clustershazbot::clock::Now;
use clustershazbot::message::{Entry, Message, ServerUrl, State as Listed};

use super::canonical::{Fingerprint, hash};
use super::event::{Event, Exchange, Kind, Link, START, TIMER, USUAL};
use crate::world::{Health, Invariants, Process, Server, Version, Violation, settings};

/// After how many lost messages a server that lives may be listed as failed: a probe and two retries. Version 1 retries once.
const FATAL_LOSSES: u8 = 3;
const FATAL_LOSSES_OF_V1: u8 = 2;
/// How many messages and connections may be under way: more would mean that one causes another for ever.
const MAX_UNDER_WAY: usize = 100;

/// Whether a program shuts down, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    No,
    ForGood,
    /// It is started again after this time.
    Returns(Duration),
}

/// One server, and what the exploration has done to it.
#[derive(Clone)]
pub struct Node {
    pub server: Server,
    /// Until when its program is blocked, or its process suspended.
    pub busy_until: Duration,
    /// The timer is handled only now, after the event with this rank.
    pub late_timer: Option<(Duration, u32)>,
    /// Whether its timer gets other random numbers, the next time.
    pub has_other_seed: bool,
    /// Whether its program shuts down.
    pub leaving: Leaving,
    /// Whether anything but lost messages has been done to it, so that others may rightly list it as failed.
    pub is_disturbed: bool,
    /// Whether its clock has stepped.
    pub has_stepped: bool,
    /// When it last handled something.
    pub last: Duration,
    /// Counts its processes.
    pub pid: u32,
    /// Those that its last process listed online.
    pub saved: Arc<Message>,
}

impl Borrow<Server> for Arc<Node> {
    fn borrow(&self) -> &Server {
        &self.server
    }
}

/// A cluster at one moment.
#[derive(Clone)]
pub struct State {
    pub now: Duration,
    /// The gossip interval.
    pub interval: Duration,
    nodes: Vec<Arc<Node>>,
    fingerprints: Vec<Option<Arc<Fingerprint>>>,
    pub events: Vec<Arc<Event>>,
    pub links: Vec<Link>,
    pub invariants: Arc<Invariants>,
    /// How many messages were lost or refused.
    pub losses: u8,
    /// What happens, in words, for a replay, and the number of the event.
    pub log: Option<Vec<String>>,
    pub steps: u32,
    /// Which random choices a cluster makes while it heals; 0 during the exploration, in which they depend on the state alone.
    pub seed_offset: u64,
}

impl State {
    /// Servers of these versions that start one after the other.
    pub fn new(versions: &[Version], interval: Duration) -> Option<Self> {
        let saved = |except: usize| {
            let others = (0..versions.len()).filter(|other| *other != except);
            let entry = |url| Entry { url, monitor: false, state: Listed::Online, stamp: 0, v2: None };
            let entries: Option<Vec<_>> = others.map(|it| Some(entry(settings(it, interval)?.base_url))).collect();
            Some(Arc::new(Message::new(entries?)))
        };
        let node = |(index, version): (usize, &Version)| {
            let settings = clustershazbot::config::Settings { lists: Vec::new(), ..settings(index, interval)? };
            Some(Arc::new(Node {
                server: Server::new(settings, *version, 0),
                busy_until: Duration::ZERO,
                late_timer: None,
                has_other_seed: false,
                leaving: Leaving::No,
                is_disturbed: false,
                has_stepped: false,
                last: Duration::ZERO,
                pid: 0,
                saved: saved(index)?,
            }))
        };
        let nodes: Option<Vec<_>> = versions.iter().enumerate().map(node).collect();
        // Rounds of the servers begin at different times.
        let start = |server: usize| Event {
            at: interval.mul_f64(server as f64 / versions.len() as f64),
            rank: START,
            server,
            kind: Kind::Start,
        };
        Some(Self {
            now: Duration::ZERO,
            interval,
            nodes: nodes?,
            fingerprints: vec![None; versions.len()],
            events: (0..versions.len()).map(|server| Arc::new(start(server))).collect(),
            links: Vec::new(),
            invariants: Arc::new(Invariants::new(versions.len())),
            losses: 0,
            log: None,
            steps: 0,
            seed_offset: 0,
        })
    }

    /// All servers.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// One server, to change it.
    pub fn node_mut(&mut self, server: usize) -> &mut Node {
        self.fingerprints[server] = None;
        Arc::make_mut(&mut self.nodes[server])
    }

    /// The server with a base URL.
    pub fn find(&self, url: &ServerUrl) -> Option<usize> {
        self.nodes.iter().position(|node| node.server.url() == url)
    }

    /// Both clocks of a server.
    pub fn clock_of(&self, server: usize) -> Now {
        self.nodes[server].server.clock(self.now)
    }

    /// Adds an event.
    pub fn push(&mut self, at: Duration, server: usize, kind: Kind) {
        let rank = if matches!(kind, Kind::Start | Kind::Resume) { START } else { USUAL };
        self.events.push(Arc::new(Event { at, rank, server, kind }));
    }

    /// Notes what happens, if anybody wants to read it.
    pub fn note(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.log.is_some() {
            let line = format!("{:4} {:8.3} s  {}", self.steps, self.now.as_secs_f64(), text(self));
            self.log.get_or_insert_default().push(line);
        }
    }

    /// When no program is blocked, suspended or about to start any more.
    pub fn end_of_faults(&self) -> Duration {
        let busy = self.nodes.iter().map(|node| node.busy_until);
        let starts = self.events.iter().filter(|event| matches!(event.kind, Kind::Start)).map(|event| event.at);
        busy.chain(starts).fold(self.now, Duration::max)
    }

    /// The next event of all.
    pub fn next_event(&self) -> Option<Event> {
        self.earliest(|_| true)
    }

    /// The next event at one server.
    #[cfg(test)]
    pub fn next_event_of(&self, server: usize) -> Option<Event> {
        self.earliest(|event| event.server == server)
    }

    /// The next event at one server after another event there.
    pub fn event_after(&self, event: &Event) -> Option<Event> {
        let order = event.order();
        self.earliest(|it| it.server == event.server && it.order() > order)
    }

    fn earliest(&self, is_it: impl Fn(&Event) -> bool) -> Option<Event> {
        let event = self.events.iter().map(|it| &**it).filter(|it| is_it(it)).min_by_key(|it| it.order());
        let timers = (0..self.nodes.len()).filter_map(|server| self.timer_of(server));
        timers.filter(is_it).chain(event.cloned()).min_by_key(Event::order)
    }

    fn timer_of(&self, server: usize) -> Option<Event> {
        let node = &self.nodes[server];
        let due = node.server.process.as_ref().and_then(Process::poll_timeout)?.max(node.last);
        let (at, rank) = node.late_timer.filter(|(at, _)| *at >= due).unwrap_or((due, TIMER));
        let at = if matches!(node.server.health, Health::Hung | Health::Late) { at.max(node.busy_until) } else { at };
        Some(Event { at, rank, server, kind: Kind::Timer })
    }

    /// The hash of all that decides what can happen from now on.
    pub fn fingerprint(&mut self) -> u64 {
        let mut text = Vec::with_capacity(512);
        let mut add = |number: u64| text.extend_from_slice(&number.to_le_bytes());
        for server in 0..self.nodes.len() {
            add(self.fingerprint_of(server).hash);
        }
        let mut events = self.events.clone();
        events.sort_by_key(|event| event.order());
        for event in events {
            let (kind, from, pid, id) = event.kind.identity();
            let (to, deadline) = match &event.kind {
                Kind::Request(Exchange { to, deadline, .. }, _) | Kind::Outcome(Exchange { to, deadline, .. }, _) => {
                    (*to, *deadline)
                }
                Kind::WatchConnects(it) | Kind::WatchOpened(it) | Kind::WatchEnded(it, _) => (it.to, Duration::ZERO),
                Kind::Timer | Kind::Start | Kind::Resume => (0, Duration::ZERO),
            };
            let id = self.fingerprint_of(from).id(id).map_or(u64::MAX, |place| place as u64);
            for number in [u64::from(kind), from as u64, id, u64::from(pid), to as u64, event.server as u64] {
                add(number);
            }
            add(event.at.as_nanos() as u64);
            add(u64::from(event.rank));
            add(deadline.as_nanos() as u64);
            add(event.kind.content());
        }
        let mut links = self.links.clone();
        links.sort_by_key(|link| (link.from, link.pid, link.id));
        for link in links {
            let id = self.fingerprint_of(link.from).id(link.id).map_or(u64::MAX, |place| place as u64);
            for number in [link.from as u64, id, u64::from(link.pid), link.to as u64] {
                add(number);
            }
            add(link.process.map_or(0, u64::from));
        }
        add(u64::from(self.losses.min(FATAL_LOSSES)));
        hash(&text)
    }

    /// The canonical form of one server.
    pub fn fingerprint_of(&mut self, server: usize) -> Arc<Fingerprint> {
        if let Some(known) = &self.fingerprints[server] {
            return Arc::clone(known);
        }
        let node = &*self.nodes[server];
        let it = &node.server;
        let settings = (it.health, it.intended, it.clock_skew, it.version);
        // Counts for the random choices.
        let suspicions = it.core().map(|core| core.counters().suspicions);
        let timing = (node.busy_until, node.late_timer, node.has_other_seed, suspicions);
        let done = (node.leaving, node.is_disturbed, node.has_stepped, node.pid);
        let known = Arc::new(Fingerprint::of(&(&it.process, settings, timing, done, &node.saved)));
        self.fingerprints[server] = Some(Arc::clone(&known));
        known
    }

    /// Checks what must hold at every moment, after an event at a server.
    pub fn check(&mut self, server: usize) -> Result<(), Violation> {
        let violation = |invariant, details| Err(Violation { invariant, at: self.now, details });
        if self.events.len() + self.links.len() > MAX_UNDER_WAY {
            return violation("bounded traffic", format!("{} messages are under way", self.events.len()));
        }
        let invariants = Arc::make_mut(&mut self.invariants);
        invariants.check(&self.nodes, self.now, server);
        if let Some(violation) = invariants.violations().first() {
            return Err(violation.clone());
        }
        let observer = &self.nodes[server];
        let is_fatal = match observer.server.version {
            // One that was suspended takes its own silence for that of others.
            Version::V1 => observer.is_disturbed || self.losses >= FATAL_LOSSES_OF_V1,
            Version::V2 => self.losses >= FATAL_LOSSES,
        };
        if is_fatal {
            return Ok(());
        }
        let Some(process) = &self.nodes[server].server.process else { return Ok(()) };
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.is_disturbed) {
            if let (Some(listed), Some(own)) = (process.entry(node.server.url()), node.server.own_entry())
                && listed.is_failure()
                && listed.instance() == own.instance()
            {
                let details =
                    format!("server {server} lists {index} as failed, and {} messages were lost", self.losses);
                return violation("no running server is declared failed", details);
            }
        }
        Ok(())
    }
}
