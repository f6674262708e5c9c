//! What comes out of the core: actions to carry out, and notices for people and programs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Entry, Message, ServerUrl, Skipped};

/// An exchange, or an access to the master list, under way.
pub type Id = u64;

/// Which of the master lists, from 0.
pub type ListIndex = usize;

/// Something to do for the core, which is told the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a gossip message and give the answer to `handle_response`.
    Gossip {
        /// To be given back with the answer.
        id: Id,
        /// To whom.
        to: ServerUrl,
        /// What.
        message: Arc<Message>,
        /// After how long it has failed.
        timeout: Duration,
        /// Whether it needs a connection of its own: an idle one may have been closed by the other side, and one that is
        /// kept may keep it from ending.
        fresh: bool,
    },
    /// Read a master list, give it to `handle_list_read`, write what that returns, and say so to `handle_list_written`.
    SyncList {
        /// To be given back with each outcome.
        id: Id,
        /// Which list.
        place: ListIndex,
        /// Whether it may be written: then nobody else may write between, as far as the store can tell.
        write: bool,
        /// Whether it is worth nothing if it has not changed since it was read last.
        if_changed: bool,
        /// After how long each of reading and writing has failed.
        timeout: Duration,
    },
    /// Keep this for the next start, and say so to `handle_state_saved`.
    SaveState(Message),
}

/// Why a master list was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Somebody else has written it since it was read.
    Conflict,
    /// Anything else, in words.
    Failed(String),
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeError {
    /// Nobody listens there, in words.
    Refused(String),
    /// It cannot be reached for another reason, in words: no such name, no route, a proxy or a program that is not ready. It
    /// may be our own network.
    Unreachable(String),
    /// No answer in time.
    TimedOut,
    /// The peer does not accept our secret.
    SecretRejected,
    /// It belongs to another cluster, in words.
    WrongCluster(String),
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Unreachable(why) | Self::WrongCluster(why) | Self::Other(why) => {
                f.write_str(why)
            }
            Self::TimedOut => f.write_str("no answer in time"),
            Self::SecretRejected => f.write_str("it refuses our SHAZBOT_SECRET"),
        }
    }
}

/// What a server has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberEventKind {
    /// It is listed online, and was not.
    Online,
    /// It is listed offline, and was not.
    Offline,
    /// It is listed online, and does not answer us.
    Suspect,
}

/// What has become of a server, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEvent {
    /// What it is now.
    pub kind: MemberEventKind,
    /// What is listed of it now.
    pub entry: Entry,
    /// When we learned of it, ms since the epoch.
    pub at: u64,
    /// How long that was after the entry was stamped, ms, by the clock that stamped it where we know that.
    pub known_after: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first round is over, whoever was reached.
    Started,
    /// The leave is over, whoever has heard of it.
    Left,
    /// Something has become of a server, this one included.
    Member(MemberEvent),
    /// An exchange with a server failed.
    ExchangeFailed(ServerUrl, ExchangeError),
    /// A master list was written.
    ListWritten {
        /// Which.
        list: String,
        /// How many servers it names now.
        servers: usize,
        /// Whether on condition that nobody else had.
        on_condition: bool,
    },
    /// A master list could not be read or written; why.
    ListFailed(String),
    /// A master list has failed for so long that somebody must look at it; why. Once, until it works again.
    ListUnusable(String),
    /// The state could not be kept; why.
    StateNotSaved(String),
    /// Others call this server dead and have not spoken to it since, though they answer it. Once.
    Unreachable {
        /// The base URL under which they try.
        url: ServerUrl,
        /// Who said so last.
        by: Option<ServerUrl>,
    },
    /// Another process lives under this base URL, which is ours. Once.
    Rival(ServerUrl),
    /// More servers are named than are remembered. Once.
    Full,
    /// An entry was not taken. Once for each.
    EntrySkipped(Skipped),
}
