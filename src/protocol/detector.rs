//! Rounds of gossip, each a probe of the partner; and what failed probes say of a server.

use std::time::Duration;

use super::timer::Timer;
use super::{Core, Phase};
use crate::clock::Now;
use crate::message::{ServerUrl, State};

/// After how long an exchange has failed (v1's number).
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after a failed probe the server is tried once more (v1's number), where the interval is not shorter.
const RETRY_AFTER: Duration = Duration::from_secs(3);
/// How long a server that has never answered us is not called dead: programs start before they listen.
pub const GRACE: Duration = Duration::from_secs(60);

/// A message on its way and its answer on its way back.
#[derive(Debug)]
pub struct Exchange {
    pub to: ServerUrl,
    pub purpose: Purpose,
    pub began: Now,
}

/// What follows from a failure of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing: a seed, a dead server that is tried, somebody who is told something.
    Contact,
    /// A second try.
    Probe,
    /// A verdict on the server, by what is known since the first try began.
    SecondProbe { first_began: Now, own_clock: u64 },
}

/// A second probe that waits for its time.
#[derive(Debug)]
pub struct Retry {
    pub at: Duration,
    to: ServerUrl,
    purpose: Purpose,
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
        if let Some(to) = dead {
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
        for Retry { to, purpose, .. } in due {
            if self.is_online(&to) && self.is_awake(now) {
                self.send(to, purpose, now);
            }
        }
    }

    /// Draws the conclusion from a failed exchange.
    pub(super) fn judge(&mut self, exchange: Exchange, now: Now) {
        let Exchange { to, purpose, began } = exchange;
        if self.phase != Phase::Running || !self.is_awake(now) {
            return;
        }
        match purpose {
            Purpose::Contact => {}
            Purpose::Probe => {
                if let Some(member) = self.members.get(&to) {
                    // Its own clock when the probe began.
                    let own_clock = member.own_clock(began);
                    let purpose = Purpose::SecondProbe { first_began: began, own_clock };
                    self.retries.push(Retry { at: now.mono + RETRY_AFTER.min(self.settings.interval), to, purpose });
                }
            }
            Purpose::SecondProbe { first_began, own_clock } => {
                let Some(member) = self.members.get(&to) else { return };
                // Whatever it has stamped since the probe began is proof of life, by its own clock; what only arrived
                // since then is not.
                let fresher = member.entry.stamp > own_clock;
                let starting = !member.answered && now.mono < member.since + GRACE;
                let slept = self.awake_since > first_began.mono;
                if member.entry.state == State::Online && !fresher && !starting && !slept {
                    let change = self.members.declare_dead(&to, &self.settings.base_url, now);
                    self.note(to, change);
                }
            }
        }
    }

    fn is_online(&self, url: &ServerUrl) -> bool {
        self.members.get(url).is_some_and(|member| member.entry.state == State::Online)
    }

    fn is_probing(&self, url: &ServerUrl) -> bool {
        let on_its_way = |exchange: &Exchange| exchange.to == *url && exchange.purpose != Purpose::Contact;
        self.exchanges.values().any(on_its_way) || self.retries.iter().any(|retry| retry.to == *url)
    }
}
