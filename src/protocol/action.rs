//! Actions: what the core asks the engine to do (send, read a list, open a watch), and how each can fail.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::membership::Failure;
use crate::message::{Message, ServerUrl};

/// Identifies an action. The engine passes it back with the outcome.
pub type RequestId = u64;

/// The index of a master list in the configuration.
pub type ListIndex = usize;

/// The index of a DNS name in the configuration. The program's `discover` comes after the last one.
pub type NameIndex = usize;

/// Where DNS says that a server may be. This is not a base URL: the server there must be asked for its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The URL to ask at. Its host is the name that the certificate must match.
    pub url: ServerUrl,
    /// The address to connect to. None: resolve the host of the URL.
    pub address: Option<IpAddr>,
}

impl Place {
    /// The base URL that a server there would have if it uses the address or the SRV target as its host.
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

/// What the engine does for the core. It reports each outcome back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a gossip message, then call `handle_response`.
    Gossip {
        /// Passed back with the response.
        id: RequestId,
        /// The receiver.
        to: ServerUrl,
        /// What to send.
        message: Arc<Message>,
        /// The time limit of the exchange.
        timeout: Duration,
        /// Whether to open a new connection: the peer may have closed an idle one, and a kept one may delay the peer's
        /// exit.
        new_connection: bool,
    },
    /// Read a master list, call `handle_list_read`, write what that returns, and call `handle_list_written`.
    SyncList {
        /// Passed back with each outcome.
        id: RequestId,
        /// Which list.
        list: ListIndex,
        /// Whether the list may be written. The write must fail if somebody else wrote in between, as far as the store
        /// can tell.
        write: bool,
        /// Whether to skip the content if it has not changed since the last read.
        if_changed: bool,
        /// The time limit for the read and for the write.
        timeout: Duration,
    },
    /// Look up a DNS name, then call `handle_looked_up` with the places. For the program's `discover`: call it, then
    /// `handle_discovered`.
    LookUp {
        /// Passed back with the outcome.
        id: RequestId,
        /// Which name.
        name: NameIndex,
        /// The time limit.
        timeout: Duration,
    },
    /// Ask which server is at a place, then call `handle_identified` with its base URL.
    Identify {
        /// Passed back with the outcome.
        id: RequestId,
        /// Where to ask.
        place: Place,
        /// The time limit.
        timeout: Duration,
    },
    /// Save this for the next start, then call `handle_state_saved`.
    SaveState(Box<Message>),
    /// Open a watch: a connection on which nothing is sent. Call `handle_watch_opened` when it is open (over TLS: after
    /// the handshake), and `handle_watch_ended` when it ends or cannot be opened.
    OpenWatch {
        /// Passed back with each outcome.
        id: RequestId,
        /// The server to connect to.
        to: ServerUrl,
    },
    /// Close a watch, or stop opening it. No outcome is reported.
    CloseWatch {
        /// The id with which it was opened.
        id: RequestId,
    },
}

/// Why a watch ended, other than by [`Action::CloseWatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// The peer closed it, or sent data, as it does before it closes.
    Closed,
    /// The peer's host stopped acknowledging keep-alive packets.
    Vanished,
    /// Could not be opened: connection refused, timeout, failed TLS handshake.
    NotOpened,
    /// Could not be opened because this process or machine lacks a resource.
    Local,
    /// Cannot be watched: there is a proxy in between, or the address may not be contacted.
    Unsupported,
}

/// Why a master list was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Another server has written the list since we read it.
    Conflict,
    /// The folder of the file does not exist; the text says which. Retries fail until somebody creates it.
    NoFolder(String),
    /// Any other failure, as text.
    Failed(String),
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeError {
    /// Connection refused; the text has details.
    Refused(String),
    /// Something answers, but the server is not ready: a proxy without a backend, or a program whose engine has not
    /// started.
    NotReady(Failure),
    /// Unreachable for another reason: unknown host name, no route, rejected certificate. Our own network may be the
    /// cause.
    Unreachable(Failure),
    /// The server is up, but handles no more messages at present.
    Busy,
    /// No response in time. Not known whether there was a connection.
    TimedOut,
    /// No response within this time, although the host accepted the connection.
    NoAnswer(Duration),
    /// This process or machine lacked a resource, such as a file descriptor. Says nothing about the peer.
    Local(String),
    /// The peer rejected our secret.
    SecretRejected,
    /// The peer belongs to another cluster; the text names it.
    WrongCluster(String),
    /// Any other failure.
    Other(Failure),
}

impl ExchangeError {
    /// The code and text of this error.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotReady(failure) | Self::Unreachable(failure) | Self::Other(failure) => failure.clone(),
            Self::Refused(why) => Failure::new("ECONNREFUSED", why.as_str()),
            Self::Local(why) => why.as_str().into(),
            Self::WrongCluster(why) => Failure::new("SHAZBOT_WRONG_CLUSTER", why.as_str()),
            Self::Busy => Failure::new("SHAZBOT_LIMIT", "it handles no more messages at present"),
            Self::TimedOut => Failure::new("ETIMEDOUT", "no connection in time"),
            Self::NoAnswer(time) => {
                // Integers only: formatting floats would add 20 kB to the binary.
                let tenths = (time.as_millis() as u64 + 50) / 100;
                let (seconds, tenths) = (tenths / 10, tenths % 10);
                let tenths = if tenths == 0 { String::new() } else { format!(".{tenths}") };
                Failure::new("SHAZBOT_NO_ANSWER", format!("connected, no answer in {seconds}{tenths} s"))
            }
            Self::SecretRejected => Failure::new("SHAZBOT_UNAUTHORIZED", "it refuses our SHAZBOT_SECRET"),
        }
    }

    /// The part of the text that comes from elsewhere and may contain secrets, to be redacted.
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
