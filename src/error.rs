//! `Error`: why a call was refused. A call that fails changes nothing.

use std::fmt;

/// The prefix of the error for a rejected secret, as in version 1. Peers recognise the error by it.
pub const UNAUTHORIZED: &str = "Unauthorized: ";
/// The prefix of the error for a message of another cluster. Its sender recognises it, regardless of the status.
pub const WRONG_CLUSTER: &str = "Wrong cluster: ";
/// The prefix of the error over the rate limit. Its sender learns from it that this server is up.
pub const BUSY: &str = "Too many gossip messages";

/// Why a call was refused. The text may be shown to clients: it contains no secret and nothing of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The header is not the secret of the named variable.
    Unauthorized(&'static str),
    /// The header is the gossip secret, but only signed messages are accepted.
    Unsigned,
    /// A signed message is for another server. Has our base URL.
    Misdirected(String),
    /// The message belongs to another cluster. Has the details.
    WrongCluster(String),
    /// The body is not a message. Has the problem.
    InvalidMessage(String),
    /// The body exceeds a size limit. Says which one.
    TooLarge(String),
    /// More gossip messages per second than any cluster needs. Has the limit.
    Limit(u32),
    /// The program has more member events to handle than it should ever have.
    Overloaded,
    /// The program set invalid tags. Names the key.
    InvalidTags(String),
    /// The engine is not started, or is shut down.
    NotStarted,
    /// The environment is invalid. Has a sentence for each problem.
    InvalidConfig(Vec<String>),
    /// The system is out of threads or file descriptors for the engine.
    NoResources {
        /// The system's error, as text.
        reason: String,
        /// The system's error number.
        number: Option<i32>,
    },
    /// The engine stopped because of a bug. Has the text of the panic.
    Failed(String),
}

impl Error {
    /// The error of a start that lacked resources.
    pub fn no_resources(error: &std::io::Error) -> Self {
        Self::NoResources { reason: error.to_string(), number: error.raw_os_error() }
    }

    /// The stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) | Self::Unsigned => "SHAZBOT_UNAUTHORIZED",
            Self::Misdirected(_) => "SHAZBOT_MISDIRECTED",
            Self::WrongCluster(_) => "SHAZBOT_WRONG_CLUSTER",
            Self::InvalidMessage(_) => "SHAZBOT_INVALID_MESSAGE",
            Self::TooLarge(_) => "SHAZBOT_TOO_LARGE",
            Self::Limit(_) | Self::Overloaded => "SHAZBOT_LIMIT",
            Self::InvalidTags(_) => "SHAZBOT_INVALID_TAGS",
            Self::NotStarted => "SHAZBOT_NOT_STARTED",
            Self::InvalidConfig(_) => "SHAZBOT_INVALID_CONFIG",
            Self::NoResources { .. } => "SHAZBOT_NO_RESOURCES",
            Self::Failed(_) => "SHAZBOT_FAILED",
        }
    }

    /// The cause, for the program and not for clients: the text and the system's error number.
    pub fn cause(&self) -> Option<(&str, Option<i32>)> {
        match self {
            Self::NoResources { reason, number } => Some((reason, *number)),
            Self::Failed(panic) => Some((panic, None)),
            Self::Unauthorized(_)
            | Self::Unsigned
            | Self::Misdirected(_)
            | Self::WrongCluster(_)
            | Self::InvalidMessage(_)
            | Self::TooLarge(_)
            | Self::Limit(_)
            | Self::Overloaded
            | Self::InvalidTags(_)
            | Self::NotStarted
            | Self::InvalidConfig(_) => None,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unauthorized(_) | Self::Unsigned => 401,
            Self::Misdirected(_) | Self::WrongCluster(_) => 421,
            Self::InvalidMessage(_) | Self::InvalidTags(_) => 400,
            Self::TooLarge(_) => 413,
            Self::Limit(_) | Self::Overloaded => 429,
            Self::NotStarted | Self::NoResources { .. } => 503,
            Self::InvalidConfig(_) | Self::Failed(_) => 500,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized(variable) => write!(f, "{UNAUTHORIZED}Invalid {variable}"),
            Self::Unsigned => {
                write!(f, "{UNAUTHORIZED}this server accepts only signed messages (SHAZBOT_AUTH=signed)")
            }
            Self::Misdirected(own) => write!(f, "The message is for another server; this one is {own}"),
            Self::WrongCluster(why) => write!(f, "{WRONG_CLUSTER}{why}"),
            Self::InvalidMessage(why) | Self::TooLarge(why) => f.write_str(why),
            Self::Overloaded => write!(f, "{BUSY}: this server is still handling what they changed"),
            Self::Limit(most) => write!(f, "{BUSY}: this server handles at most {most} of this kind per second"),
            Self::InvalidTags(why) => write!(f, "Invalid tags: {why}"),
            Self::NotStarted => f.write_str("Clustershazbot engine not started"),
            Self::InvalidConfig(problems) => match problems.as_slice() {
                [one] => f.write_str(one),
                many => write!(f, "Invalid configuration:\n  {}", many.join("\n  ")),
            },
            Self::NoResources { reason, .. } => {
                write!(
                    f,
                    "Clustershazbot engine not started, the system lacks resources: {reason}. Start it again later"
                )
            }
            Self::Failed(_) => f.write_str("Clustershazbot engine failed because of a bug in it: please report it"),
        }
    }
}

impl std::error::Error for Error {}
