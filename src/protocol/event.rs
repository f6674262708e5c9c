//! Events: what the core reports to the program and the operator.

use super::action::{ExchangeError, Place};
use crate::membership::Failure;
use crate::message::{Entry, ServerUrl, Skipped};

/// How a member changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberEventKind {
    /// Now listed online.
    Online,
    /// Now listed offline.
    Offline,
    /// Listed offline, and was unknown: it failed or left before this process began, or is not back yet. Not a change
    /// for the program.
    Tombstone,
    /// Listed online, but does not answer us.
    Suspect,
    /// Listed online with different tags.
    Tags,
    /// Listed online with a different readiness.
    Ready,
}

/// A change of a member, as this server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEvent {
    /// What changed.
    pub kind: MemberEventKind,
    /// Its new entry.
    pub entry: Entry,
    /// Our last failed exchange with it, if that is why it is suspected or failed.
    pub failure: Option<Failure>,
    /// When we learned of it, ms since the epoch.
    pub at: u64,
    /// How long before that the entry was stamped, ms, by our estimate of the clock that stamped it.
    pub known_after: u64,
}

/// The event whose cause is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// [`Event::Alone`]: another server is known.
    Alone,
    /// [`Event::Isolated`]: another server has answered, or [`Event::Alone`] has taken its place.
    Isolated,
    /// [`Event::ListUnusable`]: the list of this name works again.
    List(String),
    /// [`Event::StateNotSaved`]: the state is saved.
    State,
    /// [`Event::Unreachable`]: another server has contacted this one.
    Unreachable,
    /// [`Event::SelfProbeFailed`]: this server was found at its base URL, or the error changed.
    SelfProbe,
    /// [`Event::DuplicateUrl`]: the other process is gone.
    DuplicateUrl,
    /// [`Event::ClockWrong`]: the clock agrees with the others, or was set.
    Clock,
}

/// What the core reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first round is over, even if nobody answered.
    Started,
    /// The leave is over, even if nobody received it.
    Left,
    /// A member changed; may be the local one.
    Member(MemberEvent),
    /// An exchange with a server failed.
    ExchangeFailed(ServerUrl, ExchangeError),
    /// A place from DNS did not lead to a server of this cluster, and why.
    PlaceFailed(Place, ExchangeError),
    /// This server has known no other for ten intervals. Has what it tried and the results.
    Alone(Vec<String>),
    /// No other server has answered for a while: our own network is probably cut. Once until one answers.
    Isolated,
    /// A master list was written.
    ListWritten {
        /// Which list.
        list: String,
        /// How many servers it lists now.
        servers: usize,
        /// Whether the store ensured that nobody else had written in between.
        on_condition: bool,
    },
    /// A master list could not be read or written, and why.
    ListFailed(String),
    /// A master list has failed for long; an operator must act. Once until it works again.
    ListUnusable {
        /// Which list.
        list: String,
        /// Why.
        error: String,
    },
    /// The state could not be saved, and why.
    StateNotSaved(String),
    /// Others answer this server, but have not contacted it since it started or since they listed it as failed.
    Unreachable {
        /// The base URL that they use.
        url: ServerUrl,
        /// The server that reported it last.
        by: Option<ServerUrl>,
    },
    /// A server does not find itself at its own base URL, and why. Once until that changes.
    SelfProbeFailed(ServerUrl, ExchangeError),
    /// Another process has our base URL. Repeated while that lasts.
    DuplicateUrl(ServerUrl),
    /// Our base URL is a loopback address, but a server on another machine is online.
    LoopbackUrl {
        /// Our base URL.
        url: ServerUrl,
        /// The other server.
        other: ServerUrl,
    },
    /// The cause of an earlier event is gone.
    Resolved(Resolved),
    /// The local clock differs by over three hours from those of most servers. Once until it is set.
    ClockWrong,
    /// A message lists more servers than can be remembered.
    Full,
    /// Invalid entries in a message or list were skipped.
    EntriesSkipped {
        /// The entries.
        entries: Vec<Skipped>,
        /// Which message or list, as text.
        place: String,
    },
}
