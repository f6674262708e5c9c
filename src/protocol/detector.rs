//! Rounds of gossip, each a probe of the partner; and what failed probes say of a server.

use std::time::Duration;

use super::event::ExchangeError;
use super::timer::Timer;
use super::{Core, Phase};
use crate::clock::Now;
use crate::message::{ServerUrl, State};

/// After how long an exchange has failed (v1's number).
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after a failed probe the server is tried once more (v1's number), where the interval is not shorter.
const RETRY_AFTER: Duration = Duration::from_secs(3);
/// How long a server that has never answered us is not called dead for refusing: programs start before they listen.
pub const GRACE: Duration = Duration::from_secs(60);

/// A message on its way and its answer on its way back.
#[derive(Debug)]
pub struct Exchange {
    pub to: ServerUrl,
    pub purpose: Purpose,
    pub began: Began,
}

/// When an exchange began, by our clock and by that of the server it is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    pub mono: Duration,
    pub own_clock: u64,
}

/// What follows from a failure of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing: a seed, a dead server that is tried, somebody who is told something.
    Contact,
    /// A second try.
    Probe,
    /// A verdict on the server, by what is known since the first try began.
    SecondProbe(Began),
}

/// A second probe that waits for its time.
#[derive(Debug)]
pub struct Retry {
    pub at: Duration,
    to: ServerUrl,
    first: Began,
}

impl Core {
    /// Gossips with a random server, and besides with a dead one now and then: a partition heals by that.
    pub(super) fn round(&mut self, now: Now) {
        self.schedule_round(now);
        if !self.is_awake(now) {
            return;
        }
        self.vouch(now);
        let own = &self.settings.base_url;
        let partner = self.members.partner(own, &mut self.rng);
        let dead = self.members.dead_to_try(own, &mut self.rng);
        if let Some(to) = partner.filter(|url| !self.is_probing(url)) {
            self.send(to, Purpose::Probe, now);
        }
        if let Some(to) = dead.filter(|url| !self.is_contacting(url)) {
            self.send(to, Purpose::Contact, now);
        }
    }

    pub(super) fn schedule_round(&mut self, now: Now) {
        let wait = self.settings.interval.mul_f64(self.random_factor(0.9..1.1));
        self.timers.set(Timer::Round, now.mono + wait);
    }

    pub(super) fn retry_probes(&mut self, now: Now) {
        let (due, waiting) = std::mem::take(&mut self.retries).into_iter().partition(|retry| retry.at <= now.mono);
        self.retries = waiting;
        for Retry { to, first, .. } in due {
            if self.has_given_no_sign(&to, first) && self.is_awake(now) {
                self.send(to, Purpose::SecondProbe(first), now);
            }
        }
    }

    /// Draws the conclusion from a failed exchange.
    pub(super) fn judge(&mut self, exchange: Exchange, error: &ExchangeError, now: Now) {
        let Exchange { to, purpose, began } = exchange;
        if self.phase != Phase::Running || !self.is_awake(now) {
            return;
        }
        match purpose {
            Purpose::Contact => {}
            // There is nothing to ask a second time.
            Purpose::Probe if !self.has_given_no_sign(&to, began) => {}
            Purpose::Probe => {
                let at = now.mono + RETRY_AFTER.min(self.settings.interval);
                self.retries.push(Retry { at, to, first: began });
            }
            Purpose::SecondProbe(first) => {
                let Some(member) = self.members.get(&to) else { return };
                let refused = matches!(error, ExchangeError::NotListening(_));
                let starting = refused && member.answered.is_none() && now.mono < member.since + GRACE;
                let slept = self.awake_since > first.mono;
                if self.has_given_no_sign(&to, first) && !starting && !slept {
                    let change = self.members.declare_dead(&to, &self.settings.base_url, now);
                    self.note(to, change);
                }
            }
        }
    }

    /// Whether a message to a server is on its way.
    pub(super) fn is_contacting(&self, url: &ServerUrl) -> bool {
        self.exchanges.values().any(|exchange| exchange.to == *url)
    }

    // Signs of life are an answer, and whatever it has stamped by its own clock. News that has only arrived since then
    // is none.
    fn has_given_no_sign(&self, url: &ServerUrl, since: Began) -> bool {
        self.members.get(url).is_some_and(|member| {
            let answered = member.answered.is_some_and(|at| at > since.mono);
            member.entry.state == State::Online && !answered && member.entry.stamp <= since.own_clock
        })
    }

    fn is_probing(&self, url: &ServerUrl) -> bool {
        let on_its_way = |exchange: &Exchange| exchange.to == *url && exchange.purpose != Purpose::Contact;
        self.exchanges.values().any(on_its_way) || self.retries.iter().any(|retry| retry.to == *url)
    }
}
