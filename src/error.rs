//! What callers are told when a request is refused. No error changes any state.

use std::fmt;

/// How the refusal of a secret begins: v1's words, by which its peers recognise it.
pub const UNAUTHORIZED: &str = "Unauthorized: ";
/// How the refusal of another cluster's message begins: its sender recognises it by that, whatever the status.
pub const WRONG_CLUSTER: &str = "Wrong cluster: ";

/// Why a call was refused. Its text may be shown to the client: it holds no secret and nothing of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The header is not the secret of the named variable.
    Unauthorized(&'static str),
    /// The header is the gossip secret, where only signed messages are taken.
    Unsigned,
    /// A signed message is for another server than this one, with this base URL.
    Misdirected(String),
    /// The message belongs to another cluster; to which, in words.
    WrongCluster(String),
    /// The body is no message; what is wrong with it.
    InvalidMessage(String),
    /// The body is over a limit of size; which one.
    TooLarge(String),
    /// More gossip messages a second than any cluster needs; how many are handled.
    Limit(u32),
    /// A call that needs the engine came before the start or after the shutdown.
    NotStarted,
    /// Every problem of the environment, a sentence each.
    InvalidConfig(Vec<String>),
    /// The engine stopped through a defect of its own.
    Failed,
}

impl Error {
    /// The stable code that programs compare.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) | Self::Unsigned => "SHAZBOT_UNAUTHORIZED",
            Self::Misdirected(_) => "SHAZBOT_MISDIRECTED",
            Self::WrongCluster(_) => "SHAZBOT_WRONG_CLUSTER",
            Self::InvalidMessage(_) => "SHAZBOT_INVALID_MESSAGE",
            Self::TooLarge(_) => "SHAZBOT_TOO_LARGE",
            Self::Limit(_) => "SHAZBOT_LIMIT",
            Self::NotStarted => "SHAZBOT_NOT_STARTED",
            Self::InvalidConfig(_) => "SHAZBOT_INVALID_CONFIG",
            Self::Failed => "SHAZBOT_FAILED",
        }
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unauthorized(_) | Self::Unsigned => 401,
            Self::Misdirected(_) | Self::WrongCluster(_) => 421,
            Self::InvalidMessage(_) => 400,
            Self::TooLarge(_) => 413,
            Self::Limit(_) => 429,
            Self::NotStarted => 503,
            Self::InvalidConfig(_) | Self::Failed => 500,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized(variable) => write!(f, "{UNAUTHORIZED}Invalid {variable}"),
            Self::Unsigned => write!(f, "{UNAUTHORIZED}this server takes signed messages only, SHAZBOT_AUTH=signed"),
            Self::Misdirected(own) => write!(f, "The message is for another server: this is {own}"),
            Self::WrongCluster(why) => write!(f, "{WRONG_CLUSTER}{why}"),
            Self::InvalidMessage(why) | Self::TooLarge(why) => f.write_str(why),
            Self::Limit(most) => write!(f, "Too many gossip messages: at most {most} a second are handled"),
            Self::NotStarted => f.write_str("Clustershazbot engine not started"),
            Self::InvalidConfig(problems) => match problems.as_slice() {
                [one] => f.write_str(one),
                many => write!(f, "Invalid configuration:\n  {}", many.join("\n  ")),
            },
            Self::Failed => {
                f.write_str("Clustershazbot engine failed: this is a defect of clustershazbot, please report it")
            }
        }
    }
}

impl std::error::Error for Error {}
