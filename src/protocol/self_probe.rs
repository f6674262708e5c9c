//! `SelfProbe`: checks whether this server is reachable at its own base URL, by sending a message there. Decides when
//! to probe, and when to report that another process, something else or nothing answers.

use std::ops::Range;
use std::time::Duration;

use super::action::ExchangeError;
use super::event::{Event, Resolved};
use super::exchange::{Purpose, Request, Started};
use super::output::Output;
use super::timer::Timer;
use super::{Core, Entry, Message};
use crate::clock::Now;
use crate::message::ServerUrl;

/// The delay of the first self-probe after the start, s. By then most programs listen and most servers were contacted
/// by a peer, which saves the probe. The spread protects a load balancer when a thousand servers start at once.
const FIRST: Range<f64> = 1.0..2.5;
/// The delay after the first failure. Doubles with each failure, up to an interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long silence is accepted before it is reported: a program may listen, and a proxy find it, seconds after the
/// start.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a wrong answer must repeat: a program that just began to listen may still add its routes.
const CONFIRMED: u32 = 2;

/// The timeout of a self-probe: short, so that a problem is reported within seconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The timeout before a leave, which must be quick.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// Failed self-probes since the last proof that our base URL works: a successful self-probe, or a peer's contact there. A
/// timer runs while there is no proof.
#[derive(Clone, Debug)]
pub struct SelfProbe {
    interval: Duration,
    failing: Option<Failing>,
    is_found: bool,
}

// Failures of one kind in a row.
#[derive(Clone, Debug)]
struct Failing {
    kind: Kind,
    // When the first and the last of them began.
    since: Duration,
    latest: Duration,
    // Self-probes that began together count once.
    times: u32,
    is_reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoAnswer,
    WrongAnswer,
}

// What a failed self-probe proves about the base URL, if anything.
fn kind(error: &ExchangeError) -> Option<Kind> {
    match error {
        ExchangeError::Refused(_)
        | ExchangeError::NotReady(_)
        | ExchangeError::Unreachable(_)
        | ExchangeError::TimedOut
        | ExchangeError::NoAnswer(_) => Some(Kind::NoAnswer),
        ExchangeError::SecretRejected | ExchangeError::WrongCluster(_) | ExchangeError::Other(_) => {
            Some(Kind::WrongAnswer)
        }
        ExchangeError::Busy | ExchangeError::Local(_) => None,
    }
}

impl Failing {
    fn is_certain(&self, now: Now) -> bool {
        match self.kind {
            Kind::NoAnswer => now.mono >= self.since + PATIENCE,
            Kind::WrongAnswer => self.times >= CONFIRMED,
        }
    }
}

impl SelfProbe {
    /// No proof yet.
    pub fn new(interval: Duration) -> Self {
        Self { interval, failing: None, is_found: false }
    }

    /// The server starts.
    pub fn start(now: Now, out: &mut Output) {
        let wait = Duration::from_secs_f64(out.jitter(FIRST));
        out.timers.set(Timer::SelfProbe, now.mono + wait);
    }

    /// This process was found at its base URL: a self-probe came back, or a peer contacted us there.
    pub fn on_proof(&mut self, out: &mut Output) {
        self.is_found = true;
        out.timers.stop(Timer::SelfProbe);
        self.forget_failures(out);
    }

    /// Whether this process was found at its base URL.
    pub fn is_found(&self) -> bool {
        self.is_found
    }

    /// Another process answered at our base URL. It may be the one that this process replaces.
    pub fn on_other_process(&mut self, now: Now, out: &mut Output) {
        self.is_found = false;
        self.forget_failures(out);
        self.retry(now, out);
    }

    /// A self-probe that began at `began` failed, or could not be sent.
    pub fn on_failure(&mut self, url: &ServerUrl, error: ExchangeError, began: Duration, now: Now, out: &mut Output) {
        let Some(kind) = kind(&error) else { return self.retry(now, out) };
        if self.failing.as_ref().is_some_and(|failing| failing.kind != kind) {
            self.forget_failures(out);
        }
        let first = || Failing { kind, since: began, latest: began, times: 1, is_reported: false };
        let failing = self.failing.get_or_insert_with(first);
        failing.times += u32::from(began > failing.latest);
        failing.latest = failing.latest.max(began);
        if failing.is_certain(now) && !std::mem::replace(&mut failing.is_reported, true) {
            out.report(Event::SelfProbeFailed(url.clone(), error));
        }
        self.retry(now, out);
    }

    /// Schedules another self-probe.
    pub fn retry(&self, now: Now, out: &mut Output) {
        let times = self.failing.as_ref().map_or(1, |failing| failing.times.clamp(1, 16));
        let pause = (FIRST_PAUSE * (1 << (times - 1))).min(self.interval.max(FIRST_PAUSE));
        out.timers.set(Timer::SelfProbe, now.mono + pause);
    }

    fn forget_failures(&mut self, out: &mut Output) {
        if self.failing.take().is_some_and(|failing| failing.is_reported) {
            out.report(Event::Resolved(Resolved::SelfProbe));
        }
    }
}

impl Core {
    // Sends `times` messages to our own base URL. Without protocol 2 peers this is the only way to detect another
    // process there. Uses new connections, because a load balancer sends a kept one to the same process again.
    pub(super) fn probe_self(&mut self, times: usize, now: Now) {
        let own = self.members.local_url().clone();
        if self.exchanges.is_contacting(&own) {
            return;
        }
        if !self.lifecycle.is_awake(now) {
            return self.self_probe.retry(now, &mut self.out);
        }
        for _ in 0..times {
            let request = Request::new(own.clone(), Purpose::SelfProbe).on_new_connection();
            self.send(request.within(TIMEOUT), now);
        }
    }

    // Checks for another process at our base URL, which a leave would list offline.
    pub(super) fn ask_before_leave(&mut self, now: Now) {
        let request = Request::new(self.members.local_url().clone(), Purpose::SelfProbe).on_new_connection();
        self.send(request.within(LEAVE_TIMEOUT), now);
    }

    pub(super) fn on_self_probe(&mut self, started: Started, answer: Result<Message, ExchangeError>, now: Now) {
        let is_other = answer.as_ref().is_ok_and(|answer| self.is_of_other_process(answer));
        if !self.lifecycle.is_running() {
            return self.on_asked_before_leave(is_other, now);
        }
        match answer {
            Ok(answer) => {
                if is_other {
                    self.self_probe.on_other_process(now, &mut self.out);
                } else {
                    self.self_probe.on_proof(&mut self.out);
                }
                self.on_own_message(&answer, now);
            }
            // Our own program may not have answered because it was stopped.
            Err(_) if !self.lifecycle.is_working(now) || self.lifecycle.is_outdated(started.mono) => {
                self.self_probe.retry(now, &mut self.out);
            }
            Err(error) => {
                let own = self.members.local_url();
                self.self_probe.on_failure(own, error, started.mono, now, &mut self.out);
            }
        }
    }

    fn is_of_other_process(&self, answer: &Message) -> bool {
        let own = self.own();
        let is_other = |entry: &Entry| entry.url == own.url && entry.v2.is_some() && entry.instance() != own.instance();
        answer.entries.iter().any(is_other)
    }
}
