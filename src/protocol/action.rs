//! What the core asks to be carried out, and how that may fail.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::membership::Failure;
use crate::message::{Message, ServerUrl};

/// The number of an action, which is given back with its outcome.
pub type RequestId = u64;

/// The place of a master list in the configuration, from 0.
pub type ListIndex = usize;

/// The place of a name that DNS leads to servers in the configuration, from 0. The program's `discover` comes last.
pub type NameIndex = usize;

/// Where a server may be, according to DNS. That is not its base URL: the server there says which it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The URL below which it would answer. Its host is the name, which certificates are checked against.
    pub url: ServerUrl,
    /// The address to connect to. None: what the host of the URL leads to.
    pub address: Option<IpAddr>,
}

impl Place {
    /// The base URL of a server there if that has the address, or the target of an SRV record, as its host.
    pub fn base_url(&self) -> Option<ServerUrl> {
        let Some(address) = self.address else { return Some(self.url.clone()) };
        let mut url = Url::parse(self.url.as_str()).ok()?;
        url.set_ip_host(address).ok()?;
        ServerUrl::parse(url.as_str()).ok()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{} at {address}", self.url),
            None => self.url.fmt(f),
        }
    }
}

/// Something to carry out for the core, which is told the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a gossip message, and give the response to `handle_response`.
    Gossip {
        /// To be given back with the response.
        id: RequestId,
        /// The receiver.
        to: ServerUrl,
        /// What to send.
        message: Arc<Message>,
        /// After how long the exchange has failed.
        timeout: Duration,
        /// Whether to use a connection of its own: an idle one may have been closed by the other side, and one that is
        /// kept may keep the other side from ending.
        new_connection: bool,
    },
    /// Read a master list, give it to `handle_list_read`, write what that returns, and tell `handle_list_written`.
    SyncList {
        /// To be given back with each outcome.
        id: RequestId,
        /// Which list.
        list: ListIndex,
        /// Whether it may be written: then nobody else may write it in between, as far as the store can tell.
        write: bool,
        /// Whether its content is of no use if it has not changed since the last read.
        if_changed: bool,
        /// After how long each of reading and writing has failed.
        timeout: Duration,
    },
    /// Look up a name that DNS leads to servers, and give the places to `handle_looked_up`. Or call the program's
    /// `discover`, and give the servers to `handle_discovered`.
    LookUp {
        /// To be given back with the outcome.
        id: RequestId,
        /// Which name.
        name: NameIndex,
        /// After how long the lookup has failed.
        timeout: Duration,
    },
    /// Ask who answers at a place, and give the base URL to `handle_identified`.
    Identify {
        /// To be given back with the outcome.
        id: RequestId,
        /// Where.
        place: Place,
        /// After how long the question has failed.
        timeout: Duration,
    },
    /// Keep this for the next start, and tell `handle_state_saved`.
    SaveState(Box<Message>),
    /// Open a watch: a connection on which nothing is sent. Tell `handle_watch_opened` when it is open (over TLS: with its
    /// handshake done), and `handle_watch_ended` when it has ended or cannot be opened.
    OpenWatch {
        /// To be given back.
        id: RequestId,
        /// The server to connect to.
        to: ServerUrl,
    },
    /// Close a watch, or give up opening it. Nothing is told of it any more.
    CloseWatch {
        /// The number with which it was opened.
        id: RequestId,
    },
}

/// How a watch ended that this server did not close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// The other side closed it, or sent something, which it does before it closes.
    Closed,
    /// The other side's host does not acknowledge keep-alive packets.
    Vanished,
    /// It could not be opened: refused, no answer in time, a failed TLS handshake.
    NotOpened,
    /// It could not be opened because this process or machine lacks something.
    Local,
    /// There is a proxy in between, or the address may not be contacted: this server cannot be watched.
    Unsupported,
}

/// Why a master list was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Another server has written it since it was read.
    Conflict,
    /// The folder of the file does not exist, in words: trying again is of no use before somebody creates it.
    NoFolder(String),
    /// Anything else, in words.
    Failed(String),
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeError {
    /// The connection was refused, in words.
    Refused(String),
    /// Something answers there that is not ready: a proxy in front of a program that does not listen, or a
    /// program whose engine is not started.
    NotReady(Failure),
    /// The server cannot be reached for another reason: no such name, no route, a certificate that is not accepted. Our own
    /// network may be the cause.
    Unreachable(Failure),
    /// The server is up, and handles no more messages at present.
    Busy,
    /// No response in time, and no connection as far as we know.
    TimedOut,
    /// No response in this time, although the server's host accepts connections.
    NoAnswer(Duration),
    /// This process or machine lacked what an exchange needs, such as a file descriptor, in words. It says nothing of the
    /// peer.
    Local(String),
    /// The peer rejected our secret.
    SecretRejected,
    /// The peer belongs to another cluster, in words.
    WrongCluster(String),
    /// Anything else.
    Other(Failure),
}

impl ExchangeError {
    /// Its code and its words.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotReady(failure) | Self::Unreachable(failure) | Self::Other(failure) => failure.clone(),
            Self::Refused(why) => Failure::new("ECONNREFUSED", why.as_str()),
            Self::Local(why) => why.as_str().into(),
            Self::WrongCluster(why) => Failure::new("SHAZBOT_WRONG_CLUSTER", why.as_str()),
            Self::Busy => Failure::new("SHAZBOT_LIMIT", "it handles no more messages at present"),
            Self::TimedOut => Failure::new("ETIMEDOUT", "no connection in time"),
            Self::NoAnswer(time) => {
                // The formatting of fractions would add 20 kB to the binary.
                let tenths = (time.as_millis() as u64 + 50) / 100;
                let (seconds, tenths) = (tenths / 10, tenths % 10);
                let tenths = if tenths == 0 { String::new() } else { format!(".{tenths}") };
                Failure::new("SHAZBOT_NO_ANSWER", format!("connected, no answer in {seconds}{tenths} s"))
            }
            Self::SecretRejected => Failure::new("SHAZBOT_UNAUTHORIZED", "it refuses our SHAZBOT_SECRET"),
        }
    }

    /// The words that are not ours, from which secrets must be removed.
    pub fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::NotReady(failure) | Self::Unreachable(failure) | Self::Other(failure) => Some(&mut failure.text),
            Self::Refused(why) | Self::Local(why) | Self::WrongCluster(why) => Some(why),
            Self::Busy | Self::TimedOut | Self::NoAnswer(_) | Self::SecretRejected => None,
        }
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure().text)
    }
}
