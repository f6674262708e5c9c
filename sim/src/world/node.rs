//! One server of a cluster: its process, of either kind, its clock and its health.

use std::time::Duration;

use super::v1::V1;
use super::{Event, Letter};
use clustershazbot::clock::Now;
use clustershazbot::config::Settings;
use clustershazbot::message::{Entry, Message, ServerUrl, State};
use clustershazbot::protocol::{Action, Core, Event as CoreEvent, ExchangeError, RequestId, WriteError};

/// What a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This package.
    Ours,
    /// Version 1.0.0, in TypeScript.
    V1,
}

/// What a server's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Up,
    /// Its event loop is blocked: connections are taken, requests wait, and the engine's thread goes on.
    Blocked,
    /// The whole process stands still: connections are taken, requests wait.
    Hung,
    /// The host has vanished: what is sent to it is lost.
    Gone,
    /// There is no process: connections are refused.
    Down,
}

/// The process of a server.
pub enum Node {
    /// The real core.
    Ours(Box<Core>),
    /// Version 1's policy.
    V1(Box<V1>),
}

impl Node {
    /// What it lists of a server.
    pub fn entry(&self, url: &ServerUrl) -> Option<&Entry> {
        match self {
            Self::Ours(core) => core.members().get(url).map(|member| &member.entry),
            Self::V1(v1) => v1.entry(url),
        }
    }

    /// Whether it lists a server online. One that it does not know is not.
    pub fn state(&self, url: &ServerUrl) -> State {
        self.entry(url).map_or(State::Offline, |entry| entry.state)
    }

    /// All that it lists.
    pub fn entries(&self) -> Box<dyn Iterator<Item = &Entry> + '_> {
        match self {
            Self::Ours(core) => Box::new(core.members().entries()),
            Self::V1(v1) => Box::new(v1.entries()),
        }
    }

    /// A control request.
    pub fn handle_control(&mut self, now: Now, online: bool) {
        match self {
            Self::Ours(core) => core.handle_control(now, online),
            Self::V1(v1) => v1.handle_control(now, online),
        }
    }

    /// The program shuts down.
    pub fn handle_leave(&mut self, now: Now) {
        match self {
            Self::Ours(core) => core.handle_leave(now),
            Self::V1(v1) => v1.handle_leave(now),
        }
    }

    /// A peer's message; returns the answer.
    pub fn handle_gossip(&mut self, now: Now, message: &Message) -> Message {
        match self {
            Self::Ours(core) => core.handle_gossip(now, message),
            Self::V1(v1) => v1.handle_gossip(now, message),
        }
    }

    pub(super) fn handle_response(&mut self, now: Now, id: RequestId, answer: Result<Message, ExchangeError>) {
        match self {
            Self::Ours(core) => core.handle_response(now, id, answer),
            Self::V1(v1) => v1.handle_response(now, id, answer),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Ours(core) => core.handle_timeout(now),
            Self::V1(v1) => v1.handle_timeout(now),
        }
    }

    pub(super) fn handle_heartbeat(&mut self, now: Now) {
        match self {
            Self::Ours(core) => core.handle_heartbeat(now),
            Self::V1(_) => {}
        }
    }

    pub(super) fn handle_list_read(
        &mut self,
        now: Now,
        id: RequestId,
        list: Result<Option<Message>, String>,
    ) -> Option<Message> {
        match self {
            Self::Ours(core) => core.handle_list_read(now, id, list),
            // It asks for the whole list each time.
            Self::V1(v1) => v1.handle_list_read(now, list.map(Option::unwrap_or_default)),
        }
    }

    pub(super) fn handle_list_written(&mut self, now: Now, id: RequestId, result: Result<bool, WriteError>) {
        match self {
            Self::Ours(core) => core.handle_list_written(now, id, result),
            // It logs a failure, and does nothing about it.
            Self::V1(_) => {}
        }
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        match self {
            Self::Ours(core) => core.poll_action(),
            Self::V1(v1) => v1.poll_action(),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<CoreEvent> {
        match self {
            Self::Ours(core) => core.poll_event(),
            Self::V1(v1) => v1.poll_event(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match self {
            Self::Ours(core) => core.poll_timeout(),
            Self::V1(v1) => v1.poll_timeout(),
        }
    }
}

/// A server: what stays when its process ends, and the process.
pub struct Server {
    /// Its configuration.
    pub settings: Settings,
    /// What it runs when it is next started, or runs now.
    pub kind: Kind,
    /// Its process, if there is one.
    pub node: Option<Node>,
    /// What that does.
    pub health: Health,
    /// Whether it takes connections at its base URL: not before it listens, and not where its base URL is wrong.
    pub listens: bool,
    /// What it was last told to be.
    pub told: State,
    /// How far its wall clock is off, ms.
    pub skew: i64,
    // Events for an earlier process are void.
    pub(super) process: u32,
    pub(super) wake_at: Option<Duration>,
    // The last input and the phase of the beats, a beat a second.
    pub(super) last_input: Duration,
    pub(super) born: Duration,
    // Which list it has read last.
    pub(super) list_seen: Option<u64>,
    // Requests that wait for the event loop, and whatever waits for the whole process.
    pub(super) waiting: Vec<Letter>,
    pub(super) deferred: Vec<Event>,
}

impl Server {
    pub(super) fn new(settings: Settings, kind: Kind, skew: i64) -> Self {
        Self {
            settings,
            kind,
            node: None,
            health: Health::Down,
            listens: true,
            told: State::Offline,
            skew,
            process: 0,
            wake_at: None,
            last_input: Duration::ZERO,
            born: Duration::ZERO,
            list_seen: None,
            waiting: Vec::new(),
            deferred: Vec::new(),
        }
    }

    /// Whether it has a process that is not at a standstill.
    pub fn is_up(&self) -> bool {
        self.health == Health::Up && self.node.is_some()
    }
}
