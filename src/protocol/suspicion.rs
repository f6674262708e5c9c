//! A suspicion: a server that does not answer, and what is waited for before it is judged.

use std::time::Duration;

use super::action::ExchangeError;
use super::exchange::{Started, short_timeout};
use crate::clock::Now;
use crate::message::ServerUrl;

/// How long a message and its response may travel, apart from the timeout of the exchange that a helper makes.
const TRAVEL: Duration = Duration::from_millis(500);
/// How long we wait for helpers if the suspect refuses connections, which helpers find out at once: the least, and the
/// share of the interval. The second time it is twice as long.
const REFUSED_WAIT: Duration = Duration::from_millis(100);
const REFUSED_SHARE: u32 = 100;

/// A server that does not answer, while others are asked whether they reach it.
#[derive(Debug)]
pub struct Suspicion {
    /// Reports of helpers have it, so that one of an earlier time does not count.
    pub token: u32,
    /// When it began. The probe that failed had begun earlier.
    pub since: Duration,
    pub started: Started,
    /// When the present step ends.
    pub deadline: Duration,
    pub step: usize,
    pub failures: Failures,
    pub helpers: Vec<ServerUrl>,
    /// Whose outcome the present step waits for: helpers, and our own retry.
    pub awaited: Vec<ServerUrl>,
    pub is_retrying: bool,
}

impl Suspicion {
    /// A suspicion that begins now.
    pub fn new(token: u32, started: Started, deadline: Duration, failures: Failures, now: Now) -> Self {
        let (helpers, awaited, since) = (Vec::new(), Vec::new(), now.mono);
        Self { token, since, started, deadline, step: 0, failures, helpers, awaited, is_retrying: false }
    }

    /// Begins the next step, in which we try the suspect and ask helpers. Returns its number, from 0.
    pub fn begin_step(&mut self, interval: Duration, now: Now) -> usize {
        let step = self.step;
        self.step += 1;
        (self.is_retrying, self.awaited) = (true, Vec::new());
        let wait = if self.failures.refused {
            (step as u32 + 1) * REFUSED_WAIT.max(interval / REFUSED_SHARE)
        } else {
            short_timeout(interval) + TRAVEL
        };
        self.deadline = now.mono + wait;
        step
    }

    /// If every helper that was asked has answered, nothing more is to be waited for. A server that answers with errors gets
    /// all of the time: something is up there, and it may recover.
    pub fn end_step_if_answered(&mut self, now: Now) {
        let is_down = self.failures.refused || self.failures.silent;
        if is_down && self.awaited.is_empty() && !self.is_retrying {
            self.deadline = self.deadline.min(now.mono);
        }
    }
}

/// What all failures so far have in common.
#[derive(Clone, Copy, Debug)]
pub struct Failures {
    /// The connection was refused: others learn that at once too.
    pub refused: bool,
    /// Nothing came back: our own network may be the cause.
    pub silent: bool,
}

impl Failures {
    /// What one failure is.
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
