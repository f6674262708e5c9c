//! A server of the simulated cluster: its configuration, clock and health, and the process that runs on it.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use clustershazbot::clock::Now;
use clustershazbot::config::{ListSettings, Settings};
use clustershazbot::message::{Entry, ServerUrl, State};
use clustershazbot::protocol::Core;

use super::event::{HttpExchange, SimEvent};
use super::process::{Process, Version};

/// Wall time at which every run begins, in ms since the Unix epoch.
pub const EPOCH: u64 = 1_800_000_000_000;
/// How often a program reports that its event loop turns, as `lib/` does.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How many heartbeats are merged into one while nothing else happens. The gap stays shorter than what the core takes
/// for a stalled event loop, and a cluster of 10 000 needs no 10 000 events per second.
const MERGED_HEARTBEATS: u32 = 4;

/// How long an answer can be on its way: the longest timeout of an exchange, twice.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// What a server's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Up,
    /// Its event loop works, and the engine's thread gets no turn: answers wait, and nothing is sent.
    Late,
    /// Its event loop is blocked: connections are accepted, requests wait, and the engine's thread continues.
    Blocked,
    /// The whole process is suspended: connections are accepted, requests wait.
    Hung,
    /// The host has vanished: packets to it are lost.
    Gone,
    /// There is no process: connections are refused.
    Down,
}

/// One server: what survives a restart, and the process that runs now.
#[derive(Clone)]
pub struct Server {
    /// The configuration.
    pub settings: Settings,
    /// The version that it runs now, or from its next start on.
    pub version: Version,
    /// The process, if one runs.
    pub process: Option<Process>,
    /// What the process does.
    pub health: Health,
    /// Whether it accepts connections at its base URL: false before it listens, and if its base URL is wrong.
    pub listens: bool,
    /// The state that it was last told to have: online when it starts, offline when it is drained or leaves.
    pub intended: State,
    /// How far its wall clock is ahead, in ms.
    pub clock_skew: i64,
    /// When that was changed last.
    clock_set_at: Option<Duration>,
    /// Counts the processes. Events for an earlier one are dropped.
    pub(super) pid: u32,
    pub(super) wake_at: Option<Duration>,
    /// The revision of the master list that it read last.
    pub(super) list_revision: Option<u64>,
    /// Requests that wait for the event loop.
    pub(super) backlog: Vec<HttpExchange>,
    /// Events that wait for a suspended process.
    pub(super) deferred: Vec<SimEvent>,
    heartbeats: Heartbeats,
}

/// When the event loop reports that it turns: once per interval since `since`.
#[derive(Clone, Copy, Default)]
struct Heartbeats {
    since: Duration,
    last_input: Duration,
}

impl Server {
    /// A server without a process.
    pub fn new(settings: Settings, version: Version, clock_skew: i64) -> Self {
        Self {
            settings,
            version,
            process: None,
            health: Health::Down,
            listens: true,
            intended: State::Offline,
            clock_skew,
            clock_set_at: None,
            pid: 0,
            wake_at: None,
            list_revision: None,
            backlog: Vec::new(),
            deferred: Vec::new(),
            heartbeats: Heartbeats::default(),
        }
    }

    /// Starts a new process. The one before must have ended.
    pub fn start(&mut self, now: Now, seed: u64) {
        self.process = Some(Process::new(self.version, &self.settings, now, seed));
        (self.health, self.intended) = (Health::Up, State::Online);
        (self.pid, self.wake_at) = (self.pid + 1, None);
        self.restart_heartbeats(now.mono);
    }

    /// Gives an input to the process, if one runs.
    pub fn call<R>(&mut self, now: Now, input: impl FnOnce(&mut Process, Now) -> R) -> Option<R> {
        self.heartbeats.last_input = now.mono;
        self.process.as_mut().map(|process| input(process, now))
    }

    /// Begins to count heartbeats at this moment: none was sent while the process was suspended.
    pub fn restart_heartbeats(&mut self, now: Duration) {
        self.heartbeats = Heartbeats { since: now, last_input: now };
    }

    /// Gives the process the heartbeats that are due since its last input, as few as possible.
    pub fn send_heartbeats(&mut self, Now { mono, wall }: Now) {
        let Heartbeats { since, last_input } = &mut self.heartbeats;
        let past = mono.saturating_sub(*since).as_nanos() % HEARTBEAT_INTERVAL.as_nanos();
        let last = mono.saturating_sub(Duration::from_nanos(past as u64));
        while matches!(self.health, Health::Up | Health::Late) && last > *last_input {
            let at = last.min(*last_input + HEARTBEAT_INTERVAL * MERGED_HEARTBEATS);
            let wall = wall.saturating_sub(mono.saturating_sub(at).as_millis() as u64);
            if let Some(process) = &mut self.process {
                process.handle_heartbeat(Now { mono: at, wall });
            }
            *last_input = at;
        }
    }

    /// Sets how far its wall clock is ahead, in ms.
    pub fn set_clock(&mut self, skew: i64, now: Duration) {
        (self.clock_skew, self.clock_set_at) = (skew, Some(now));
    }

    /// Both clocks, at a moment of virtual time.
    pub fn clock(&self, now: Duration) -> Now {
        let wall = EPOCH + now.as_millis() as u64;
        Now { mono: now, wall: wall.saturating_add_signed(self.clock_skew) }
    }

    /// The earliest time that its wall clock showed when it made an answer that arrives now. None if the clock was set
    /// since.
    pub(super) fn earliest_answer(&self, now: Duration) -> Option<u64> {
        let is_settled = self.clock_set_at.is_none_or(|at| now > at + LONGEST_ANSWER);
        is_settled.then(|| self.clock(now.saturating_sub(LONGEST_ANSWER)).wall)
    }

    /// The base URL.
    pub fn url(&self) -> &ServerUrl {
        &self.settings.base_url
    }

    /// Whether a process runs and is neither blocked nor suspended.
    pub fn is_up(&self) -> bool {
        matches!(self.health, Health::Up | Health::Late) && self.process.is_some()
    }

    /// Whether it works, can be reached and was not told to be offline.
    pub fn is_available(&self) -> bool {
        self.is_up() && self.listens && self.intended == State::Online
    }

    /// Whether the process with this number runs.
    pub(super) fn is_running(&self, pid: u32) -> bool {
        self.pid == pid && self.process.is_some()
    }

    /// The core, if the process is of protocol 2.
    pub fn core(&self) -> Option<&Core> {
        match &self.process {
            Some(Process::V2(core)) => Some(core),
            Some(Process::V1(_)) | None => None,
        }
    }

    /// What it lists about a server.
    pub fn entry(&self, url: &ServerUrl) -> Option<&Entry> {
        self.process.as_ref()?.entry(url)
    }

    /// What it lists about itself.
    pub fn own_entry(&self) -> Option<&Entry> {
        self.entry(self.url())
    }
}

/// All servers, by index and by base URL.
#[derive(Default)]
pub struct Servers {
    list: Vec<Server>,
    // Never iterated: the order of a hash map does not depend on the seed.
    by_url: HashMap<ServerUrl, usize>,
}

impl Servers {
    /// Adds a server and returns its index.
    pub fn add(&mut self, server: Server) -> usize {
        let index = self.list.len();
        self.by_url.insert(server.url().clone(), index);
        self.list.push(server);
        index
    }

    /// The index of the server with a base URL.
    pub fn find(&self, url: &ServerUrl) -> Option<usize> {
        self.by_url.get(url).copied()
    }
}

impl Deref for Servers {
    type Target = [Server];

    fn deref(&self) -> &[Server] {
        &self.list
    }
}

impl DerefMut for Servers {
    fn deref_mut(&mut self) -> &mut [Server] {
        &mut self.list
    }
}

/// The settings of a simulated server. The order of base URLs is the order of the indices.
pub fn settings(server: usize, interval: Duration) -> Option<Settings> {
    let base_url = ServerUrl::parse(&format!("http://server-{server:05}:3000/")).ok()?;
    let lists = vec![ListSettings { name: "the list".into(), is_written: true }];
    Some(Settings { interval, lists, ..Settings::new(base_url) })
}
