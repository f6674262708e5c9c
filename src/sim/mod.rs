//! A cluster in one thread: the real core of every server, virtual clocks, a network whose faults are chosen. A run is a
//! seed, and the same seed gives the same run.

mod network;
pub mod scenario;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::clock::Now;
use crate::config::Settings;
use crate::message::{Entry, Message, ServerUrl, State};
use crate::protocol::{Action, Core, ExchangeError, Id};

pub use network::Network;
use network::Passage;

/// Wall time at which every run begins, ms since the epoch.
const EPOCH: u64 = 1_800_000_000_000;
/// How often a program's event loop says that it turns: as `lib/beat.js` does.
const BEAT: Duration = Duration::from_secs(1);

/// What a server's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Up,
    /// Its event loop is blocked: connections are taken, and nothing is answered, but the engine's thread goes on.
    Blocked,
    /// The whole process stands still.
    Hung,
    /// There is no process: connections are refused.
    Down,
}

/// A cluster at a moment.
pub struct World {
    now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    events: u64,
    servers: Vec<Server>,
    by_url: BTreeMap<ServerUrl, usize>,
    /// Whatever lies between the servers.
    pub network: Network,
    store: Vec<Entry>,
    rng: SmallRng,
    wanted: Wanted,
    wrong: BTreeSet<usize>,
}

struct Server {
    settings: Settings,
    core: Option<Core>,
    health: Health,
    // Events for an earlier process of it are void.
    process: u32,
    wake_at: Option<Duration>,
    /// How far its wall clock is off, ms.
    skew: i64,
    sent: u64,
}

/// How servers should be listed, and by whom.
#[derive(Default)]
pub struct Wanted {
    /// The state that each should have.
    pub states: BTreeMap<ServerUrl, State>,
    /// Servers whose lists do not count.
    pub except: BTreeSet<usize>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Wake { server: usize, process: u32 },
    Beat { server: usize, process: u32 },
    Request { letter: Letter, deadline: Duration },
    Answer { letter: Letter, end: End },
}

/// How an exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    Refused,
    TimedOut,
}

/// An exchange on its way, there or back.
#[derive(Debug)]
struct Letter {
    from: usize,
    process: u32,
    id: Id,
    to: usize,
    message: Arc<Message>,
}

// Events are ordered by time and number, so what they hold never decides.
impl PartialEq for Letter {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Letter {}
impl PartialOrd for Letter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Letter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.from, self.id).cmp(&(other.from, other.id))
    }
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
            by_url: BTreeMap::new(),
            network: Network::new(rng.random()),
            store: Vec::new(),
            rng,
            wanted: Wanted::default(),
            wrong: BTreeSet::new(),
        }
    }

    /// Adds a server that is not started yet, its wall clock `skew` ms ahead; returns its number.
    pub fn add(&mut self, base_url: ServerUrl, interval: Duration, skew: i64) -> usize {
        let server = self.servers.len();
        self.by_url.insert(base_url.clone(), server);
        let settings = Settings {
            base_url,
            monitor: false,
            interval,
            announce_minimum: Duration::from_secs(300),
            announce_interval: Duration::from_secs(600),
            update_list_on_shutdown: false,
        };
        self.servers.push(Server {
            settings,
            core: None,
            health: Health::Down,
            process: 0,
            wake_at: None,
            skew,
            sent: 0,
        });
        server
    }

    /// Starts a server, or starts it again.
    pub fn start(&mut self, server: usize) {
        let (now, seed) = (self.now_of(server), self.rng.random());
        let it = &mut self.servers[server];
        it.core = Some(Core::new(it.settings.clone(), now, seed));
        (it.health, it.process, it.wake_at) = (Health::Up, it.process + 1, None);
        let process = it.process;
        self.push(self.now + BEAT, Event::Beat { server, process });
        self.after(server);
    }

    /// Changes what a server's process does. One that is down is started by [`World::start`].
    pub fn set_health(&mut self, server: usize, health: Health) {
        self.servers[server].health = health;
        if health == Health::Down {
            self.servers[server].core = None;
        } else {
            self.handle(server, Core::handle_beat);
        }
    }

    /// Gives a server an input.
    pub fn handle<R>(&mut self, server: usize, input: impl FnOnce(&mut Core, Now) -> R) -> Option<R> {
        let now = self.now_of(server);
        let result = self.servers[server].core.as_mut().map(|core| input(core, now));
        self.after(server);
        result
    }

    /// The base URL of a server.
    pub fn url(&self, server: usize) -> ServerUrl {
        self.servers[server].settings.base_url.clone()
    }

    /// Bytes of all bodies that a server has sent.
    pub fn bytes_sent(&self, server: usize) -> u64 {
        self.servers[server].sent
    }

    /// Time since the world began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Sets how servers should be listed from now on.
    pub fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
        self.wrong.clear();
        for server in 0..self.servers.len() {
            self.look_at(server);
        }
    }

    /// How many servers list something else than what is wanted.
    pub fn wrong(&self) -> usize {
        self.wrong.len()
    }

    /// Lets time pass until then, or until every list is as wanted if `until_right`. Returns whether they all are.
    pub fn run(&mut self, end: Duration, until_right: bool) -> bool {
        while !(until_right && self.wrong.is_empty()) {
            match self.queue.peek() {
                Some(Reverse((at, ..))) if *at <= end => {}
                Some(_) | None => {
                    self.now = end;
                    break;
                }
            }
            if let Some(Reverse((at, _, event))) = self.queue.pop() {
                self.now = at;
                self.happen(event);
            }
        }
        self.wrong.is_empty()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { server, process } => {
                if self.is_current(server, process) && self.servers[server].wake_at == Some(self.now) {
                    self.servers[server].wake_at = None;
                    if self.servers[server].health == Health::Hung {
                        // It goes on where it stood when it is resumed.
                        self.push(self.now + BEAT, Event::Wake { server, process });
                        self.servers[server].wake_at = Some(self.now + BEAT);
                    } else {
                        self.handle(server, Core::handle_timeout);
                    }
                }
            }
            Event::Beat { server, process } => {
                if self.is_current(server, process) {
                    if self.servers[server].health == Health::Up {
                        self.handle(server, Core::handle_beat);
                    }
                    self.push(self.now + BEAT, Event::Beat { server, process });
                }
            }
            Event::Request { letter, deadline } => self.deliver(letter, deadline),
            Event::Answer { letter, end } => {
                if self.is_current(letter.from, letter.process) {
                    let answer = match end {
                        End::Answered => Ok(Arc::unwrap_or_clone(letter.message)),
                        End::Refused => Err(ExchangeError::NotListening("refused".into())),
                        End::TimedOut => Err(ExchangeError::TimedOut),
                    };
                    self.handle(letter.from, |core, now| core.handle_answer(now, letter.id, answer));
                }
            }
        }
    }

    fn deliver(&mut self, mut letter: Letter, deadline: Duration) {
        let to = letter.to;
        match self.servers[to].health {
            Health::Up => {
                let answer = self.handle(to, |core, now| core.handle_gossip(now, &letter.message));
                letter.message = Arc::new(answer.unwrap_or_default());
                self.servers[to].sent += letter.message.to_json().len() as u64;
                let (at, end) = match self.network.passage(to, letter.from) {
                    Passage::After(latency) if self.now + latency <= deadline => (self.now + latency, End::Answered),
                    Passage::After(_) | Passage::Lost => (deadline, End::TimedOut),
                };
                self.push(at, Event::Answer { letter, end });
            }
            Health::Blocked | Health::Hung => self.push(deadline, Event::Answer { letter, end: End::TimedOut }),
            Health::Down => self.push(self.now, Event::Answer { letter, end: End::Refused }),
        }
    }

    // Carries out what a server wants done.
    fn after(&mut self, server: usize) {
        while let Some(core) = self.servers[server].core.as_mut() {
            while core.poll_notice().is_some() {}
            match core.poll_action() {
                Some(Action::Gossip { id, to, message, timeout, .. }) => {
                    self.servers[server].sent += message.to_json().len() as u64;
                    self.post(server, id, &to, message, self.now + timeout);
                }
                Some(Action::SyncList { id, .. }) => self.sync_list(server, id),
                None => break,
            }
        }
        let process = self.servers[server].process;
        let wake_at = self.servers[server].core.as_ref().and_then(Core::poll_timeout).map(|at| at.max(self.now));
        if let Some(at) = wake_at
            && self.servers[server].wake_at != Some(at)
        {
            self.servers[server].wake_at = Some(at);
            self.push(at, Event::Wake { server, process });
        }
        self.look_at(server);
    }

    fn post(&mut self, from: usize, id: Id, to: &ServerUrl, message: Arc<Message>, deadline: Duration) {
        let process = self.servers[from].process;
        let Some(&to) = self.by_url.get(to) else { return };
        let letter = Letter { from, process, id, to, message };
        match self.network.passage(from, to) {
            Passage::After(latency) => self.push(self.now + latency, Event::Request { letter, deadline }),
            Passage::Lost => self.push(deadline, Event::Answer { letter, end: End::TimedOut }),
        }
    }

    fn sync_list(&mut self, server: usize, id: Id) {
        let now = self.now_of(server);
        let list = Message::new(self.store.clone());
        let Some(core) = self.servers[server].core.as_mut() else { return };
        if let Some(joined) = core.handle_list(now, id, Ok(list)) {
            self.store = joined.entries;
            core.handle_list_written(now, id, Ok(()));
        }
    }

    fn look_at(&mut self, server: usize) {
        let wrong = self.servers[server].health == Health::Up
            && !self.wanted.except.contains(&server)
            && self.servers[server].core.as_ref().is_some_and(|core| {
                let state = |url| core.members().get(url).map_or(State::Offline, |member| member.entry.state);
                self.wanted.states.iter().any(|(url, wanted)| state(url) != *wanted)
            });
        if wrong {
            self.wrong.insert(server);
        } else {
            self.wrong.remove(&server);
        }
    }

    fn push(&mut self, at: Duration, event: Event) {
        self.events += 1;
        self.queue.push(Reverse((at, self.events, event)));
    }

    fn is_current(&self, server: usize, process: u32) -> bool {
        self.servers[server].process == process && self.servers[server].core.is_some()
    }

    fn now_of(&self, server: usize) -> Now {
        let wall = EPOCH + self.now.as_millis() as u64;
        Now { mono: self.now, wall: wall.saturating_add_signed(self.servers[server].skew) }
    }
}
