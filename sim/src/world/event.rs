//! What happens by itself: timers, messages on their way there and back, reads and writes of the master list.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;

use super::meter::{ANSWER_HEADERS, Change, REQUEST_HEADERS};
use super::network::{Direction, Packet, Passage};
use super::{BEAT, Health, Kind, LOOKED_AT_ALWAYS, Node, World, list};
use clustershazbot::message::{Entry, Message, ServerUrl};
use clustershazbot::protocol::{Action, Event as CoreEvent, ExchangeError, MemberEventKind, RequestId, WriteError};

/// How many connections wait for a process that takes none: Node's backlog.
const BACKLOG: usize = 511;

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    Wake {
        server: usize,
        process: u32,
    },
    Request(Letter),
    Answer {
        letter: Letter,
        end: End,
    },
    GivenUp {
        to: usize,
        from: usize,
        process: u32,
        id: RequestId,
    },
    ListRead {
        server: usize,
        process: u32,
        sync: Sync,
        works: bool,
    },
    ListStored {
        server: usize,
        process: u32,
        id: RequestId,
        entries: Vec<Entry>,
        condition: Option<u64>,
        told: Duration,
    },
    ListWritten {
        server: usize,
        process: u32,
        id: RequestId,
        result: Result<bool, WriteError>,
    },
}

/// A read of the list, and what is to follow it.
#[derive(Clone, Copy, Debug)]
pub struct Sync {
    id: RequestId,
    write: bool,
    if_changed: bool,
    timeout: Duration,
}

/// How an exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Answered,
    Refused,
    Reset,
    TimedOut,
}

/// An exchange on its way, there or back.
#[derive(Debug)]
pub struct Letter {
    pub from: usize,
    pub process: u32,
    pub id: RequestId,
    pub to: usize,
    pub message: Arc<Message>,
    pub bytes: u64,
    pub deadline: Duration,
    pub given_up: bool,
}

/// An event and its time. The earliest is the greatest, and among those the first that was thought of.
#[derive(Debug)]
pub struct Scheduled {
    pub at: Duration,
    pub number: u64,
    pub event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        if self.trace.is_some() {
            self.note_in_trace(&event);
        }
        match event {
            Event::Wake { server, process } => self.wake(server, process),
            Event::Request(letter) => self.deliver(letter),
            Event::Answer { letter, end } => self.answered(letter, end),
            Event::GivenUp { to, from, process, id } => {
                let is_it = |it: &&mut Letter| (it.from, it.process, it.id) == (from, process, id);
                if let Some(letter) = self.servers[to].waiting.iter_mut().find(is_it) {
                    letter.given_up = true;
                    let letter = Letter { message: Arc::default(), ..*letter };
                    self.answered(letter, End::TimedOut);
                }
            }
            Event::ListRead { server, process, sync, works } => {
                if self.is_current(server, process) {
                    if self.servers[server].health == Health::Hung {
                        self.servers[server].deferred.push(event);
                    } else {
                        self.list_read(server, sync, works);
                    }
                }
            }
            Event::ListStored { server, process, id, entries, condition, told } => {
                let result = self.store.write(entries, condition).map(|()| condition.is_some());
                // Where it is slow its caller has been told that it failed.
                if told >= self.now {
                    self.push(told, Event::ListWritten { server, process, id, result });
                }
            }
            Event::ListWritten { server, process, id, ref result } => {
                if self.is_current(server, process) {
                    if self.servers[server].health == Health::Hung {
                        self.servers[server].deferred.push(event);
                    } else {
                        let result = result.clone();
                        self.handle(server, |node, now| node.handle_list_written(now, id, result));
                    }
                }
            }
        }
    }

    fn wake(&mut self, server: usize, process: u32) {
        if !self.is_current(server, process) || self.servers[server].wake_at != Some(self.now) {
            return;
        }
        self.servers[server].wake_at = None;
        if self.servers[server].health == Health::Hung {
            self.servers[server].wake_at = Some(self.now);
            self.servers[server].deferred.push(Event::Wake { server, process });
            return;
        }
        let now = self.now;
        let due = self.servers[server].node.as_ref().and_then(Node::poll_timeout).is_some_and(|at| at <= now);
        if due {
            if let Some(invariants) = &mut self.invariants {
                invariants.woken(server, now);
            }
            self.handle(server, Node::handle_timeout);
        } else {
            self.after(server);
        }
    }

    fn deliver(&mut self, letter: Letter) {
        let to = letter.to;
        match self.servers[to].health {
            Health::Gone => self.push(letter.deadline, Event::Answer { letter, end: End::TimedOut }),
            Health::Down => self.reply(letter, End::Refused),
            Health::Up | Health::Blocked | Health::Hung if !self.servers[to].listens => {
                self.reply(letter, End::Refused);
            }
            Health::Up => self.give(letter),
            Health::Blocked | Health::Hung if self.servers[to].waiting.len() < BACKLOG => {
                let Letter { from, process, id, deadline, .. } = letter;
                self.servers[to].waiting.push(letter);
                self.push(deadline, Event::GivenUp { to, from, process, id });
            }
            Health::Blocked | Health::Hung => {
                self.push(letter.deadline, Event::Answer { letter, end: End::TimedOut });
            }
        }
    }

    // The message reaches the program, also that of somebody who waits no more: it has been sent.
    fn give(&mut self, mut letter: Letter) {
        let to = letter.to;
        self.meter.arrived(letter.bytes, REQUEST_HEADERS);
        let message = std::mem::take(&mut letter.message);
        let Some(answer) = self.handle(to, |node, now| node.handle_gossip(now, &message)) else {
            return self.reply(letter, End::Reset);
        };
        if !letter.given_up {
            letter.bytes = self.measure(to, &answer, ANSWER_HEADERS);
            letter.message = Arc::new(answer);
            self.reply(letter, End::Answered);
        }
    }

    fn reply(&mut self, letter: Letter, end: End) {
        let packet = Packet { from: letter.to, to: letter.from, direction: Direction::Answer };
        match self.network.passage(packet) {
            Passage::After(latency) if self.now + latency <= letter.deadline => {
                self.push(self.now + latency, Event::Answer { letter, end });
            }
            Passage::After(_) | Passage::Lost => {
                self.push(letter.deadline.max(self.now), Event::Answer { letter, end: End::TimedOut });
            }
        }
    }

    fn answered(&mut self, letter: Letter, end: End) {
        let Letter { from, process, id, deadline, .. } = letter;
        if !self.is_current(from, process) {
            return;
        }
        if self.servers[from].health == Health::Hung {
            self.servers[from].deferred.push(Event::Answer { letter, end });
            return;
        }
        // A process that stood still finds its time-out over before it finds the answer.
        let end = if self.now > deadline { End::TimedOut } else { end };
        if end == End::Answered {
            self.meter.arrived(letter.bytes, ANSWER_HEADERS);
        }
        let answer = match end {
            End::Answered => Ok(Arc::unwrap_or_clone(letter.message)),
            End::Refused => Err(ExchangeError::Refused("refused".into())),
            End::Reset => Err(ExchangeError::Other("connection reset".into())),
            End::TimedOut => Err(ExchangeError::TimedOut),
        };
        self.handle(from, |node, now| node.handle_response(now, id, answer));
    }

    /// The process of a server is over: whoever waits for it is told so, unless the host is gone too.
    pub(super) fn end(&mut self, server: usize, health: Health) {
        let it = &mut self.servers[server];
        it.node = None;
        it.deferred.clear();
        for letter in std::mem::take(&mut it.waiting).into_iter().filter(|letter| !letter.given_up) {
            if health == Health::Gone {
                self.push(letter.deadline, Event::Answer { letter, end: End::TimedOut });
            } else {
                self.reply(letter, End::Reset);
            }
        }
    }

    /// A process goes on after a standstill. Its engine's thread and its event loop race for the first turn.
    pub(super) fn resume(&mut self, server: usize) {
        let it = &mut self.servers[server];
        let (deferred, waiting) = (std::mem::take(&mut it.deferred), std::mem::take(&mut it.waiting));
        // Nothing beat meanwhile.
        (it.last_input, it.born) = (self.now, self.now);
        if deferred.iter().any(|event| matches!(event, Event::Wake { .. })) {
            it.wake_at = Some(self.now);
        }
        if self.rng.random_bool(0.5) {
            self.servers[server].health = Health::Blocked;
            for event in deferred {
                self.happen(event);
            }
            // It may have waited for nothing but to end.
            if self.servers[server].node.is_some() {
                self.servers[server].health = Health::Up;
            }
            self.handle(server, Node::handle_heartbeat);
        } else {
            self.handle(server, Node::handle_heartbeat);
            for event in deferred {
                self.happen(event);
            }
        }
        for letter in waiting {
            self.give(letter);
        }
    }

    /// Carries out what a server wants done, and looks at what it lists.
    pub(super) fn after(&mut self, server: usize) {
        let mut left = false;
        while let Some(node) = &mut self.servers[server].node {
            if let Some(notice) = node.poll_event() {
                left |= notice == CoreEvent::Left;
                self.notice(server, notice);
                continue;
            }
            match node.poll_action() {
                Some(Action::Gossip { id, to, message, timeout, .. }) => self.post(server, id, &to, message, timeout),
                Some(Action::SyncList { id, write, if_changed, timeout, .. }) => {
                    let process = self.servers[server].process;
                    let access = self.store.access(server, self.now, timeout, &mut self.rng);
                    let works = access.works;
                    let sync = Sync { id, write, if_changed, timeout };
                    self.push(access.told, Event::ListRead { server, process, sync, works });
                }
                // No server of the simulator keeps a state.
                Some(Action::SaveState(_)) => {}
                None => break,
            }
        }
        let it = &mut self.servers[server];
        let (process, now) = (it.process, self.now);
        let wake_at = it.node.as_ref().and_then(Node::poll_timeout).map(|at| at.max(now));
        if let Some(mut at) = wake_at
            && it.wake_at.is_none_or(|set| at < set)
        {
            if self.invariants.as_ref().is_some_and(|invariants| invariants.spins(server)) {
                at = now + BEAT;
            }
            it.wake_at = Some(at);
            self.push(at, Event::Wake { server, process });
        }
        if (1..=LOOKED_AT_ALWAYS).contains(&self.wanted.wrong_of(server)) {
            for target in self.wanted.wrong(server) {
                self.look_at(server, target);
            }
        }
        if let Some(mut invariants) = self.invariants.take() {
            invariants.look(self, server);
            self.invariants = Some(invariants);
        }
        if left {
            self.set_health(server, Health::Down);
        }
    }

    fn notice(&mut self, server: usize, notice: CoreEvent) {
        let event = match notice {
            CoreEvent::Member(event) if event.kind != MemberEventKind::Suspect => event,
            CoreEvent::DuplicateUrl(url) => {
                let what = format!("server {server} takes another process for one with its base URL, {url}");
                if let Some(invariants) = &mut self.invariants {
                    invariants.violated("no rival", self.now, what);
                }
                return;
            }
            CoreEvent::Member(_)
            | CoreEvent::Started
            | CoreEvent::Left
            | CoreEvent::ExchangeFailed(..)
            | CoreEvent::ListWritten { .. }
            | CoreEvent::ListFailed(_)
            | CoreEvent::ListUnusable(_)
            | CoreEvent::StateNotSaved(_)
            | CoreEvent::Unreachable { .. }
            | CoreEvent::Full
            | CoreEvent::EntriesSkipped(_) => return,
        };
        let (url, online) = (event.entry.url, event.kind == MemberEventKind::Online);
        let Some(about) = self.find(&url) else { return };
        self.look_at(server, about);
        if self.changes.is_some() && about != server {
            self.write_down(server, &url, about, online);
        }
    }

    fn write_down(&mut self, by: usize, url: &ServerUrl, about: usize, online: bool) {
        let entry = self.servers[by].node.as_ref().and_then(|node| node.entry(url));
        let life = entry.map_or(0, |entry| entry.v2.as_ref().map_or(entry.stamp, |life| life.incarnation));
        let change = Change { at: self.now, by, about, online, life, lives: self.lives(about) };
        if let Some(changes) = &mut self.changes {
            changes.push(change);
        }
    }

    fn post(&mut self, from: usize, id: RequestId, to: &ServerUrl, message: Arc<Message>, timeout: Duration) {
        let (process, deadline) = (self.servers[from].process, self.now + timeout);
        let bytes = self.measure(from, &message, REQUEST_HEADERS);
        self.meter.exchanges += 1;
        self.meter.begun[from].count(self.now);
        let found = self.find(to);
        let to = found.unwrap_or(from);
        let letter = Letter { from, process, id, to, message, bytes, deadline, given_up: false };
        match self.network.passage(Packet { from, to, direction: Direction::Request }) {
            // A name that nobody has.
            Passage::After(latency) if found.is_none() => {
                self.push(self.now + latency, Event::Answer { letter, end: End::Refused });
            }
            Passage::After(latency) => self.push(self.now + latency, Event::Request(letter)),
            Passage::Lost => self.push(deadline, Event::Answer { letter, end: End::TimedOut }),
        }
    }

    // Counts a body that is sent; returns its length.
    fn measure(&mut self, server: usize, message: &Message, headers: u64) -> u64 {
        if self.trace.is_some() {
            self.hash(&message.to_json());
        }
        let bytes = match self.servers[server].kind {
            Kind::Ours => message.to_json().len() as u64,
            Kind::V1 => list::length(message),
        };
        self.meter.sent(server, bytes, headers, self.now);
        if let Some(invariants) = &mut self.invariants {
            let is_request = headers == REQUEST_HEADERS;
            invariants.sent(server, self.servers[server].kind, (bytes, is_request), self.now);
        }
        bytes
    }

    fn list_read(&mut self, server: usize, sync: Sync, works: bool) {
        let Sync { id, write, if_changed, timeout } = sync;
        let version = self.store.version();
        let it = &mut self.servers[server];
        let list = if !works {
            Err("the store fails".to_owned())
        } else if if_changed && it.list_seen == Some(version) {
            Ok(None)
        } else {
            it.list_seen = Some(version);
            Ok(Some(Message::new(self.store.read())))
        };
        let joined = self.handle(server, |node, now| node.handle_list_read(now, id, list)).flatten();
        // It may have left meanwhile.
        let (Some(joined), Some(_)) = (joined, &self.servers[server].node) else { return };
        let process = self.servers[server].process;
        let access = self.store.access(server, self.now, timeout, &mut self.rng);
        let condition = (write && self.servers[server].kind == Kind::Ours).then_some(version);
        if let Some(done) = access.done {
            let entries = joined.entries;
            self.push(done, Event::ListStored { server, process, id, entries, condition, told: access.told });
        }
        if !access.works {
            let result = Err(WriteError::Failed("the store fails".to_owned()));
            self.push(access.told, Event::ListWritten { server, process, id, result });
        }
    }

    fn note_in_trace(&mut self, event: &Event) {
        let text = match event {
            Event::Wake { server, .. } => format!("wake {server}"),
            Event::Request(letter) => format!("request {} {}", letter.from, letter.to),
            Event::Answer { letter, end } => format!("answer {} {} {end:?}", letter.to, letter.from),
            Event::GivenUp { to, from, .. } => format!("given up {to} {from}"),
            Event::ListRead { server, works, .. } => format!("read {server} {works}"),
            Event::ListStored { entries, .. } => format!("stored {}", entries.len()),
            Event::ListWritten { server, result, .. } => format!("written {server} {}", result.is_ok()),
        };
        self.hash(format!("{:?} {text}\n", self.now).as_bytes());
    }

    // FNV-1a.
    fn hash(&mut self, bytes: &[u8]) {
        self.trace = self
            .trace
            .map(|hash| bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)));
    }
}
