//! Why an exchange with a server failed: a code for programs and a text for people; and the last failure of each
//! member.

use std::fmt;
use std::time::Duration;

use super::{Member, Members};
use crate::clock::Now;
use crate::message::ServerUrl;

/// Most characters kept of a failure's text.
const MAX_KEPT: usize = 200;

/// The cause of a failure. A peer cannot invent codes, so there are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureCode {
    /// A code that Node users know, such as `ECONNREFUSED`, or one of ours, such as `SHAZBOT_NO_ANSWER`.
    Named(&'static str),
    /// An HTTP status other than success: `HTTP_404`.
    Http(u16),
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Http(status) => write!(f, "HTTP_{status}"),
        }
    }
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: FailureCode,
    /// For people.
    pub text: String,
}

impl Failure {
    /// A failure with a named code.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code: FailureCode::Named(code), text: text.into() }
    }
}

/// A failure without a code of its own.
impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::new("SHAZBOT_EXCHANGE_FAILED", text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The last failed exchange with a member. Boxed in `Member`, because most members have none.
#[derive(Clone, Debug)]
pub struct LastFailure {
    /// The text is cut to [`MAX_KEPT`].
    pub failure: Failure,
    /// Monotonic.
    pub at: Duration,
    // When we last reported that we suspect the member, monotonic.
    reported: Option<Duration>,
}

impl LastFailure {
    pub(super) fn new(failure: Failure, at: Duration) -> Self {
        let Failure { code, text } = failure;
        let text = if text.len() > MAX_KEPT { text.chars().take(MAX_KEPT).collect() } else { text };
        Self { failure: Failure { code, text }, at, reported: None }
    }
}

impl Member {
    fn fail(&mut self, failure: Failure, now: Now) {
        self.failures = self.failures.saturating_add(1);
        let reported = self.last_failure.take().and_then(|last| last.reported);
        self.last_failure = Some(Box::new(LastFailure { reported, ..LastFailure::new(failure, now.mono) }));
    }
}

impl Members {
    /// Records that an exchange with a server failed.
    pub fn on_failure(&mut self, url: &ServerUrl, failure: Failure, now: Now) {
        if let Some(member) = self.map.get_mut(&url.key()) {
            member.fail(failure, now);
        }
    }

    /// Whether to report that we suspect a server: once after it answered or came online, then once each `pause`.
    pub fn admit_report(&mut self, url: &ServerUrl, pause: Duration, now: Now) -> bool {
        let Some(member) = self.map.get_mut(&url.key()) else { return false };
        let since = member.changed_at();
        let Some(last) = &mut member.last_failure else { return true };
        let is_due = last.reported.is_none_or(|at| at < since || now.mono >= at + pause);
        if is_due {
            last.reported = Some(now.mono);
        }
        is_due
    }
}
