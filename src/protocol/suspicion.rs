//! One suspicion: a member that did not answer a probe, and the retries and helpers that must fail before it is
//! declared failed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::action::ExchangeError;
use super::exchange::{Started, short_timeout};
use super::lifecycle::STALL_OF_TIMERS;
use crate::clock::Now;
use crate::message::ServerUrl;

/// Travel time of a request to a helper and its report, on top of the helper's own timeout.
const TRAVEL: Duration = Duration::from_millis(500);
/// Timers are at most this late on a machine that is well.
const USUAL_LATENESS: Duration = Duration::from_millis(20);
/// How long to wait for helpers if the suspect refuses connections, which they notice at once: the interval divided by
/// this, but not less than the minimum. Twice as long in the second step.
const REFUSED_WAIT_DIVISOR: u32 = 100;
const LEAST_REFUSED_WAIT: Duration = Duration::from_millis(100);

/// What to do next about a suspect.
#[derive(Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Retry it, and ask more helpers.
    AskHelpers(ServerUrl),
    /// Retry it without helpers: nobody answers us, so we may be the one that is cut off.
    RetryAlone(ServerUrl),
    /// Declare it failed, as of this moment.
    DeclareFailed(ServerUrl, Duration),
}

/// A suspected member and the current step of its suspicion.
#[derive(Clone, Debug)]
pub struct Suspicion {
    pub since: Duration,
    /// When the failed probe began, which is earlier than `since`.
    pub started: Started,
    /// When the current step ends.
    pub deadline: Duration,
    // When it ends at the latest, however late our timers are.
    latest: Duration,
    pub step: usize,
    pub failures: Failures,
    // The requests to helpers, each with a token that the report returns: nobody else can report in a helper's name, and
    // a report of an earlier suspicion does not count.
    asked: Vec<(ServerUrl, u32)>,
    // Helpers that have not reported in the current step.
    awaited: Vec<ServerUrl>,
    // Helpers that reach the suspect.
    reached_by: BTreeSet<ServerUrl>,
    /// Whether our own retry of the current step has not ended.
    pub is_retrying: bool,
}

impl Suspicion {
    /// A suspicion that begins now.
    pub fn new(started: Started, deadline: Duration, failures: Failures, now: Now) -> Self {
        Self {
            since: now.mono,
            started,
            deadline,
            latest: deadline,
            step: 0,
            failures,
            asked: Vec::new(),
            awaited: Vec::new(),
            reached_by: BTreeSet::new(),
            is_retrying: false,
        }
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
        self.latest = self.deadline + 2 * STALL_OF_TIMERS;
        step
    }

    /// Ends the step early if all helpers and our retry have failed. Not for a server that answers with errors:
    /// something is up there, and it may recover.
    pub fn end_step_if_answered(&mut self, now: Now) {
        let is_down = self.failures.refused || self.failures.silent;
        if is_down && !self.awaits_answers() {
            self.deadline = self.deadline.min(now.mono);
        }
    }

    /// A timer was late. Answers may have arrived that nobody has read yet, so the step gets this time back.
    pub fn on_late_timer(&mut self, late: Duration, now: Now) {
        if late > USUAL_LATENESS && self.awaits_answers() {
            let later = (self.deadline.max(now.mono) + late).min(self.latest);
            self.deadline = self.deadline.max(later);
        }
    }

    fn awaits_answers(&self) -> bool {
        self.is_retrying || !self.awaited.is_empty()
    }

    /// Adds a request to a helper.
    pub fn ask(&mut self, helper: ServerUrl, token: u32) {
        self.awaited.push(helper.clone());
        self.asked.push((helper, token));
    }

    /// Whether a helper was asked with this token.
    pub fn has_asked(&self, helper: &ServerUrl, token: u32) -> bool {
        self.asked.iter().any(|(asked, its_token)| asked == helper && *its_token == token)
    }

    /// A helper reaches the suspect. Returns whether this ends the suspicion, if at least `needed` helpers must reach it
    /// or, if fewer were asked, all of them.
    pub fn on_reached(&mut self, by: &ServerUrl, needed: usize) -> bool {
        self.reached_by.insert(by.clone());
        let asked: BTreeSet<_> = self.asked.iter().map(|(helper, _)| helper).collect();
        self.reached_by.len() >= needed.min(asked.len())
    }

    /// A helper does not reach the suspect.
    pub fn on_not_reached(&mut self, by: &ServerUrl, now: Now) {
        self.awaited.retain(|helper| helper != by);
        self.end_step_if_answered(now);
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
