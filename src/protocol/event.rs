//! What happened, for people and programs.

use super::action::{ExchangeError, Place};
use crate::membership::Failure;
use crate::message::{Entry, ServerUrl, Skipped};

/// What has become of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberEventKind {
    /// It is listed online, and was not.
    Online,
    /// It is listed offline, and was not.
    Offline,
    /// It is listed offline, and was unknown: it has failed or left before this process began, or is not back yet. Nothing has
    /// changed for the program.
    Tombstone,
    /// It is listed online, and does not answer us.
    Suspect,
    /// It is listed online with other tags.
    Tags,
    /// It is listed online, and may be given work now or may not any more.
    Ready,
}

/// A change of a member, as this server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEvent {
    /// What it is now.
    pub kind: MemberEventKind,
    /// What is listed of it now.
    pub entry: Entry,
    /// Why our last exchange with it failed, where that is why it is suspected or listed as failed.
    pub failure: Option<Failure>,
    /// When we learned of it, ms since the epoch.
    pub at: u64,
    /// How long that was after the entry was stamped, ms, by the clock that stamped it, as far as we know it.
    pub known_after: u64,
}

/// Which event has lost its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// [`Event::Alone`]: another server is known.
    Alone,
    /// [`Event::ListUnusable`]: the list of this name works again.
    List(String),
    /// [`Event::StateNotSaved`]: the state is saved.
    State,
    /// [`Event::Unreachable`]: another server has contacted this one.
    Unreachable,
    /// [`Event::SelfProbeFailed`]: this server was found at its base URL, or something else answers there now.
    SelfProbe,
    /// [`Event::DuplicateUrl`]: the other process is gone.
    DuplicateUrl,
    /// [`Event::ClockWrong`]: the clock agrees with the others', or was set.
    Clock,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first round is over, even if nobody answered.
    Started,
    /// The leave is over, even if nobody has heard of it.
    Left,
    /// A member changed, the local one included.
    Member(MemberEvent),
    /// An exchange with a server failed.
    ExchangeFailed(ServerUrl, ExchangeError),
    /// A place that DNS names did not say which server of this cluster is there; why.
    PlaceFailed(Place, String),
    /// This server has known no other for ten intervals; what it has tried, and what answered.
    Alone(Vec<String>),
    /// A master list was written.
    ListWritten {
        /// Which list.
        list: String,
        /// How many servers it names now.
        servers: usize,
        /// Whether the store made sure that nobody else had written it meanwhile.
        on_condition: bool,
    },
    /// A master list could not be read or written; why.
    ListFailed(String),
    /// A master list has failed for so long that an operator must look at it. Once until it works again.
    ListUnusable {
        /// Which list.
        list: String,
        /// Why.
        error: String,
    },
    /// The state could not be saved; why.
    StateNotSaved(String),
    /// Others list this server as failed and have not contacted it since, though they answer it.
    Unreachable {
        /// The base URL at which they try.
        url: ServerUrl,
        /// The server that said so last.
        by: Option<ServerUrl>,
    },
    /// A server does not find itself at its own base URL; why. Once until that changes.
    SelfProbeFailed(ServerUrl, ExchangeError),
    /// Another process runs under our base URL. Again every five intervals for as long as that lasts.
    DuplicateUrl(ServerUrl),
    /// Our base URL leads every machine to itself, and a server on another machine is online.
    LoopbackUrl {
        /// Our base URL.
        url: ServerUrl,
        /// The other server.
        other: ServerUrl,
    },
    /// The cause of an earlier event is gone.
    Resolved(Resolved),
    /// The clock of this machine differs by more than three hours from those of most other servers. Once until it is set.
    ClockWrong,
    /// A message names more servers than are remembered.
    Full,
    /// Entries of a message or a list were not acceptable.
    EntriesSkipped {
        /// The entries.
        entries: Vec<Skipped>,
        /// Where they stood, in words: which message or list.
        place: String,
    },
}
