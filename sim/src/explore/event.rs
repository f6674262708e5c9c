//! What is under way in an explored cluster: messages, outcomes of exchanges, watch connections, starts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clustershazbot::message::Message;
use clustershazbot::protocol::{RequestId, WatchEnd};

/// The ranks of events of the same moment at the same server. A postponed event gets a higher one than the event after which
/// it comes.
pub const START: u32 = 0;
pub const TIMER: u32 = 1;
pub const USUAL: u32 = 2;

/// Something that a server will handle at a moment.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Duration,
    pub rank: u32,
    /// Where it is handled.
    pub server: usize,
    pub kind: Kind,
}

/// What it is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The timer of the process. It is not kept: the process says when it is due.
    Timer,
    /// A request arrives.
    Request(Exchange, Body),
    /// The sender of a request learns how the exchange ended.
    Outcome(Exchange, Outcome),
    /// The first packet of a watch connection arrives.
    WatchConnects(Link),
    /// A watch connection is open.
    WatchOpened(Link),
    /// A watch connection has ended, or could not be opened.
    WatchEnded(Link, WatchEnd),
    /// A process starts.
    Start,
    /// The process continues that was blocked or suspended.
    Resume,
}

/// An exchange, known by its sender's process and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub from: usize,
    pub pid: u32,
    pub id: RequestId,
    pub to: usize,
    pub deadline: Duration,
}

/// How an exchange ends.
#[derive(Clone, Debug)]
pub enum Outcome {
    Answered(Body),
    Refused,
    /// The process that had the request has ended.
    Reset,
    TimedOut,
}

/// A message, and the hash of its content.
#[derive(Clone, Debug)]
pub struct Body {
    pub message: Arc<Message>,
    pub hash: u64,
}

/// A watch connection: who watches, by which process and number, and who is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub from: usize,
    pub pid: u32,
    pub id: RequestId,
    pub to: usize,
    /// The watched process, once the connection has reached it.
    pub process: Option<u32>,
}

impl Event {
    /// Events are handled in this order. Where events of two servers have the same time, any order gives the same states.
    pub fn order(&self) -> impl Ord + use<> {
        (self.at, self.rank, self.server, self.kind.identity())
    }
}

impl Kind {
    /// A number for the kind, the server and the process that gave it a number, and that number.
    pub fn identity(&self) -> (u8, usize, u32, RequestId) {
        match self {
            Self::Start => (0, 0, 0, 0),
            Self::Resume => (1, 0, 0, 0),
            Self::Timer => (2, 0, 0, 0),
            Self::Request(it, _) => (3, it.from, it.pid, it.id),
            Self::Outcome(it, Outcome::Answered(_)) => (4, it.from, it.pid, it.id),
            Self::Outcome(it, Outcome::Refused) => (5, it.from, it.pid, it.id),
            Self::Outcome(it, Outcome::TimedOut) => (7, it.from, it.pid, it.id),
            Self::WatchConnects(it) => (8, it.from, it.pid, it.id),
            Self::WatchOpened(it) => (9, it.from, it.pid, it.id),
            Self::WatchEnded(it, WatchEnd::Vanished) => (10, it.from, it.pid, it.id),
            Self::WatchEnded(it, _) => (11, it.from, it.pid, it.id),
            Self::Outcome(it, Outcome::Reset) => (6, it.from, it.pid, it.id),
        }
    }

    /// The hash of the message that it carries.
    pub fn content(&self) -> u64 {
        match self {
            Self::Request(_, body) | Self::Outcome(_, Outcome::Answered(body)) => body.hash,
            _ => 0,
        }
    }

    /// The watch connection that it is about.
    pub fn link(&self) -> Option<Link> {
        match self {
            Self::WatchConnects(link) | Self::WatchOpened(link) | Self::WatchEnded(link, _) => Some(*link),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer => f.write_str("its timer is due"),
            Self::Request(it, _) => write!(f, "request {} of server {} arrives", it.id, it.from),
            Self::Outcome(it, Outcome::Answered(_)) => write!(f, "server {} answers its request {}", it.to, it.id),
            Self::Outcome(it, Outcome::Refused) => write!(f, "server {} refuses its request {}", it.to, it.id),
            Self::Outcome(it, Outcome::Reset) => write!(f, "its request {} to server {} is reset", it.id, it.to),
            Self::Outcome(it, Outcome::TimedOut) => write!(f, "its request {} to server {} times out", it.id, it.to),
            Self::WatchConnects(it) => write!(f, "a watch of server {} connects", it.from),
            Self::WatchOpened(it) => write!(f, "its watch of server {} is open", it.to),
            Self::WatchEnded(it, end) => write!(f, "its watch of server {} ends: {end:?}", it.to),
            Self::Start => f.write_str("a process starts"),
            Self::Resume => f.write_str("its process continues"),
        }
    }
}
