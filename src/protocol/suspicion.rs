//! One suspicion: a member that did not answer a probe, and the retries and helpers that must fail before it is
//! declared failed.

use std::time::Duration;

use super::action::ExchangeError;
use super::exchange::{Started, short_timeout};
use crate::clock::Now;
use crate::message::ServerUrl;

/// Travel time of a request to a helper and its report, on top of the helper's own timeout.
const TRAVEL: Duration = Duration::from_millis(500);
/// How long to wait for helpers if the suspect refuses connections, which they notice at once: the interval divided by
/// this, but not less than the minimum. Twice as long in the second step.
const REFUSED_WAIT_DIVISOR: u32 = 100;
const LEAST_REFUSED_WAIT: Duration = Duration::from_millis(100);

/// A suspected member and the current step of its suspicion.
#[derive(Clone, Debug)]
pub struct Suspicion {
    /// Sent to helpers and returned in their reports, so that a report for an earlier suspicion does not count.
    pub token: u32,
    pub since: Duration,
    /// When the failed probe began, which is earlier than `since`.
    pub started: Started,
    /// When the current step ends.
    pub deadline: Duration,
    pub step: usize,
    pub failures: Failures,
    pub helpers: Vec<ServerUrl>,
    /// Helpers that have not reported in the current step.
    pub awaited: Vec<ServerUrl>,
    /// Whether our own retry of the current step has not ended.
    pub is_retrying: bool,
}

impl Suspicion {
    /// A suspicion that begins now.
    pub fn new(token: u32, started: Started, deadline: Duration, failures: Failures, now: Now) -> Self {
        let (helpers, awaited, since) = (Vec::new(), Vec::new(), now.mono);
        Self { token, since, started, deadline, step: 0, failures, helpers, awaited, is_retrying: false }
    }

    /// Begins the next step: a retry and requests to helpers. Returns its number, from 0.
    pub fn begin_step(&mut self, interval: Duration, now: Now) -> usize {
        let step = self.step;
        self.step += 1;
        (self.is_retrying, self.awaited) = (true, Vec::new());
        let wait = if self.failures.refused {
            (step as u32 + 1) * LEAST_REFUSED_WAIT.max(interval / REFUSED_WAIT_DIVISOR)
        } else {
            short_timeout(interval) + TRAVEL
        };
        self.deadline = now.mono + wait;
        step
    }

    /// Ends the step early if all helpers and our retry have failed. Not for a server that answers with errors:
    /// something is up there, and it may recover.
    pub fn end_step_if_answered(&mut self, now: Now) {
        let is_down = self.failures.refused || self.failures.silent;
        if is_down && self.awaited.is_empty() && !self.is_retrying {
            self.deadline = self.deadline.min(now.mono);
        }
    }
}

/// What the failures of a suspicion have in common.
#[derive(Clone, Copy, Debug)]
pub struct Failures {
    /// The last connection was refused. Helpers will notice at once, too.
    pub refused: bool,
    /// Nothing came back, each time. Our own network may be the cause.
    pub silent: bool,
}

impl Failures {
    /// Adds the failure of a retry. If that is refused, nothing listens now, whatever came before: a process that is
    /// killed first resets its connections, which looks like an error of a server that is up.
    pub fn add(&mut self, Self { refused, silent }: Self) {
        *self = Self { refused, silent: silent && self.silent };
    }

    /// Classifies one failure.
    pub fn of(error: &ExchangeError) -> Self {
        match error {
            ExchangeError::Refused(_) => Self { refused: true, silent: false },
            ExchangeError::TimedOut | ExchangeError::NoAnswer(_) | ExchangeError::Unreachable(_) => {
                Self { refused: false, silent: true }
            }
            ExchangeError::NotReady(_)
            | ExchangeError::Busy
            | ExchangeError::Local(_)
            | ExchangeError::SecretRejected
            | ExchangeError::WrongCluster(_)
            | ExchangeError::Other(_) => Self { refused: false, silent: false },
        }
    }
}
