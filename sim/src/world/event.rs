//! The queue of simulated events: timers, HTTP requests and responses, reads and writes of the master list.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use clustershazbot::message::{Entry, Message, ServerUrl};
use clustershazbot::protocol::{ExchangeError, Place, RequestId, WatchEnd, WriteError};

use super::watches::WatchId;

/// Something that happens at a moment of virtual time.
#[derive(Clone, Debug)]
pub enum SimEvent {
    /// The timer of a process is due.
    Wake { server: usize, pid: u32 },
    /// A request arrives.
    Request(HttpExchange),
    /// The sender of a request learns how the exchange ended.
    Response { exchange: HttpExchange, end: ExchangeEnd },
    /// The sender of a request stops waiting while the request is in the backlog of `to`.
    TimeoutInBacklog { to: usize, from: usize, pid: u32, id: RequestId },
    /// A process has read the master list, or failed to.
    ListRead { server: usize, pid: u32, read: ListRead, succeeds: bool },
    /// A write of the master list takes effect.
    ListStored {
        server: usize,
        pid: u32,
        id: RequestId,
        entries: Vec<Entry>,
        if_revision: Option<u64>,
        answered_at: Duration,
    },
    /// A process learns what its lookup of the name has found.
    LookedUp { server: usize, pid: u32, id: RequestId, found: Result<Vec<Place>, String> },
    /// A process learns which server is at an address.
    Identified { server: usize, pid: u32, id: RequestId, answer: Result<ServerUrl, ExchangeError> },
    /// A process learns how its write of the master list ended.
    ListWritten { server: usize, pid: u32, id: RequestId, result: Result<bool, WriteError> },
    /// The first packet of a watch connection is sent once more.
    WatchConnects { watch: WatchId },
    /// The first packet of a watch connection arrives.
    WatchArrives { watch: WatchId },
    /// A process learns that its watch connection is open.
    WatchOpened { watch: WatchId },
    /// A keep-alive packet is sent on a watch connection, after so many that were not answered.
    KeepAlive { watch: WatchId, unanswered: u32 },
    /// A process learns that its watch connection has ended.
    WatchEnded { watch: WatchId, end: WatchEnd },
}

/// A read of the master list, and the write that may follow it.
#[derive(Clone, Copy, Debug)]
pub struct ListRead {
    pub id: RequestId,
    pub write: bool,
    pub if_changed: bool,
    pub timeout: Duration,
}

/// How an HTTP exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeEnd {
    Answered,
    Refused,
    Reset,
    TimedOut,
}

/// An HTTP exchange. `message` is the body of the request on the way there, and that of the response on the way back.
#[derive(Clone, Debug)]
pub struct HttpExchange {
    pub from: usize,
    pub pid: u32,
    pub id: RequestId,
    pub to: usize,
    pub message: Arc<Message>,
    pub bytes: u64,
    pub deadline: Duration,
    pub timed_out: bool,
}

impl SimEvent {
    /// The process that receives the event, if it is one that a suspended process receives later.
    pub fn recipient(&self) -> Option<(usize, u32)> {
        match self {
            Self::Response { exchange, .. } => Some((exchange.from, exchange.pid)),
            Self::ListRead { server, pid, .. }
            | Self::ListWritten { server, pid, .. }
            | Self::LookedUp { server, pid, .. }
            | Self::Identified { server, pid, .. } => Some((*server, *pid)),
            Self::WatchOpened { watch: (server, pid, _) } | Self::WatchEnded { watch: (server, pid, _), .. } => {
                Some((*server, *pid))
            }
            Self::Wake { .. }
            | Self::Request(_)
            | Self::TimeoutInBacklog { .. }
            | Self::ListStored { .. }
            | Self::WatchConnects { .. }
            | Self::WatchArrives { .. }
            | Self::KeepAlive { .. } => None,
        }
    }

    /// The event as the trace records it. Changing the text changes all traces.
    pub fn trace_text(&self) -> String {
        match self {
            Self::Wake { server, .. } => format!("wake {server}"),
            Self::Request(exchange) => format!("request {} {}", exchange.from, exchange.to),
            Self::Response { exchange, end } => format!("answer {} {} {end:?}", exchange.to, exchange.from),
            Self::TimeoutInBacklog { to, from, .. } => format!("given up {to} {from}"),
            Self::ListRead { server, succeeds, .. } => format!("read {server} {succeeds}"),
            Self::ListStored { entries, .. } => format!("stored {}", entries.len()),
            Self::LookedUp { server, found, .. } => format!("found {server} {}", found.is_ok()),
            Self::Identified { server, answer, .. } => format!("identified {server} {}", answer.is_ok()),
            Self::ListWritten { server, result, .. } => format!("written {server} {}", result.is_ok()),
            Self::WatchConnects { watch: (from, ..) } => format!("connects {from}"),
            Self::WatchArrives { watch: (from, ..) } => format!("arrives {from}"),
            Self::WatchOpened { watch: (from, ..) } => format!("opened {from}"),
            Self::KeepAlive { watch: (from, ..), unanswered } => format!("kept alive {from} {unanswered}"),
            Self::WatchEnded { watch: (from, ..), end } => format!("ended {from} {end:?}"),
        }
    }
}

/// Events in the order of time. Events of the same moment keep the order in which they were pushed.
#[derive(Default)]
pub struct EventQueue {
    heap: BinaryHeap<Scheduled>,
    pushed: u64,
}

impl EventQueue {
    /// Schedules an event.
    pub fn push(&mut self, at: Duration, event: SimEvent) {
        self.pushed += 1;
        self.heap.push(Scheduled { at, number: self.pushed, event });
    }

    /// Takes the next event, if it is not later than `end`.
    pub fn pop_until(&mut self, end: Duration) -> Option<(Duration, SimEvent)> {
        if self.heap.peek()?.at > end {
            return None;
        }
        self.heap.pop().map(|Scheduled { at, event, .. }| (at, event))
    }
}

// The heap yields its greatest element, so the earliest event compares as the greatest.
struct Scheduled {
    at: Duration,
    number: u64,
    event: SimEvent,
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
