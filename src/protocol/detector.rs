//! Who is up: rounds of gossip, each exchange of which is a probe; silence that is noticed; and what is done about a server
//! that does not answer, before it is listed offline.
//!
//! After SWIM (Das, Gupta, Motivala 2002) with a ring for the choice of whom to probe: every server is probed by the two
//! that come before it, so that the time until a death is noticed does not depend on the number of servers. What follows
//! a failed probe is not broadcast: suspicions that everybody hears of melt down where many exchanges are lost.

use std::time::Duration;

use super::event::ExchangeError;
use super::exchange::{Began, Purpose};
use super::hearing::News;
use super::timer::Timer;
use super::{Core, MemberEventKind};
use crate::clock::Now;
use crate::message::{Envelope, ServerUrl, State};

/// How many servers that follow on the ring are probed in each round.
const SUCCESSORS: usize = 2;
/// How many others are asked to try a server that does not answer: first some, then more. Nine out of eleven must fail by
/// chance where a fifth of all exchanges is lost, along with four tries of our own.
const HELPERS: [usize; 2] = [3, 8];
/// The longest time in which a probe must be answered (v1's number); a shorter interval makes it shorter.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a message may take to go there and back, besides the time that somebody waits for an answer.
const TRAVEL: Duration = Duration::from_millis(500);
/// How long we wait for others' tries where everybody is refused, which is known at once: least, and by the interval; the
/// second time twice as long.
const REFUSED_WAIT: Duration = Duration::from_millis(100);
const REFUSED_SHARE: u32 = 100;
/// After how many intervals without a word of its own a server that should probe us is probed: its rounds are at most so
/// far apart.
const SILENCE: f64 = 1.05;
/// How long a server that has never answered us is not called dead for refusing: programs start before they listen.
pub const GRACE: Duration = Duration::from_secs(60);

/// How often a server that speaks is spared though it does not answer: it may just have come back, or we had asked too
/// early. One that goes on speaking, and never answers, has a wrong base URL.
const SPARED: u32 = 5;

/// A server has not answered; others are asked whether they reach it.
#[derive(Debug)]
pub struct Suspicion {
    began: Began,
    /// When the present step is over.
    pub deadline: Duration,
    step: usize,
    failures: Failures,
    // Who has been asked.
    helpers: Vec<ServerUrl>,
}

/// What every failure so far has been.
#[derive(Clone, Copy, Debug)]
struct Failures {
    // Refused: others are, at once.
    refused: bool,
    // Nothing came back: it may be us.
    silent: bool,
}

impl Failures {
    fn of(error: &ExchangeError) -> Self {
        match error {
            ExchangeError::Refused(_) => Self { refused: true, silent: false },
            ExchangeError::TimedOut | ExchangeError::Unreachable(_) => Self { refused: false, silent: true },
            ExchangeError::SecretRejected | ExchangeError::WrongCluster(_) | ExchangeError::Other(_) => {
                Self { refused: false, silent: false }
            }
        }
    }
}

impl Core {
    /// Gossips with those who follow on the ring, with a random server, and with a dead one now and then: a partition heals
    /// by that.
    pub(super) fn round(&mut self, now: Now) {
        self.schedule_round(now);
        if !self.is_awake(now) {
            return;
        }
        self.vouch(now);
        self.doubt_our_url(now);
        let mut chosen: Vec<_> = self.members.successors(&self.settings.base_url).take(SUCCESSORS).cloned().collect();
        if chosen.is_empty() {
            self.look_into_mirror(now);
        }
        let own = &self.settings.base_url;
        // Those of version 1 probe nobody on the ring, and are probed in turn.
        if let Some(legacy) = self.members.next_legacy(&self.last_legacy) {
            self.last_legacy = legacy.clone();
            chosen.push(legacy);
        }
        chosen.extend(self.members.partner(own, &mut self.rng));
        let dead = self.members.dead_to_try(own, &mut self.rng, now);
        for (place, to) in chosen.iter().enumerate() {
            if !chosen[..place].contains(to) {
                self.probe(to.clone(), now);
            }
        }
        if let Some(to) = dead.filter(|url| !self.is_contacting(url)) {
            self.send(to, Purpose::Contact, now);
        }
        self.try_lost_seed(now);
    }

    pub(super) fn schedule_round(&mut self, now: Now) {
        let wait = self.settings.interval.mul_f64(self.random_factor(2.0 - SILENCE..SILENCE));
        self.timers.set(Timer::Round, now.mono + wait);
    }

    /// Probes those who should have probed us and have not.
    pub(super) fn notice_silence(&mut self, now: Now) {
        let patience = self.settings.interval.mul_f64(SILENCE);
        let own = &self.settings.base_url;
        let watchers = self.members.predecessors(own).take(SUCCESSORS);
        let last_word = |url: &ServerUrl| {
            self.members.get(url).map_or(now.mono, |member| member.last_heard().unwrap_or_else(|| member.first_seen()))
        };
        let (mut silent, mut next) = (Vec::new(), now.mono + patience / 4);
        for url in watchers {
            let due = last_word(url) + patience;
            if due <= now.mono {
                silent.push(url.clone());
            } else {
                next = next.min(due);
            }
        }
        self.timers.set(Timer::Silence, next.max(now.mono + patience / 20));
        if self.is_awake(now) {
            for url in silent {
                self.probe(url, now);
            }
        }
    }

    pub(super) fn probe(&mut self, to: ServerUrl, now: Now) {
        if !self.is_probing(&to) {
            self.send(to, Purpose::Probe, now);
        }
    }

    /// A rumour that a server refuses to take is as good as a probe; one that is lost says nothing.
    pub(super) fn probe_if_refused(&mut self, to: ServerUrl, error: &ExchangeError, now: Now) {
        if matches!(error, ExchangeError::Refused(_)) {
            self.probe(to, now);
        }
    }

    /// A probe has failed: tries again on a new connection, and asks others to.
    pub(super) fn suspect(&mut self, to: &ServerUrl, began: Began, error: &ExchangeError, now: Now) {
        let Some(member) = self.members.get(to) else { return };
        let not_there = matches!(error, ExchangeError::Refused(_) | ExchangeError::Unreachable(_));
        let starting = not_there && member.last_answered().is_none() && now.mono < member.first_seen() + GRACE;
        if starting || self.suspicions.contains_key(to) || self.is_excused(to, began) {
            return;
        }
        self.suspicions.insert(
            to.clone(),
            Suspicion { began, deadline: now.mono, step: 0, failures: Failures::of(error), helpers: Vec::new() },
        );
        self.figures.suspicions += 1;
        self.became(to, MemberEventKind::Suspect, now);
        self.ask_others(to, now);
    }

    /// A further try has failed.
    pub(super) fn confirm(&mut self, to: &ServerUrl, error: &ExchangeError) {
        if let Some(suspicion) = self.suspicions.get_mut(to) {
            let Failures { refused, silent } = Failures::of(error);
            suspicion.failures.refused &= refused;
            suspicion.failures.silent &= silent;
        }
    }

    /// What time has brought to those who are suspected.
    pub(super) fn settle_suspicions(&mut self, now: Now) {
        let due: Vec<_> =
            self.suspicions.iter().filter(|(_, it)| it.deadline <= now.mono).map(|(url, _)| url.clone()).collect();
        for url in due {
            let Some(Suspicion { began, step, failures, .. }) = self.suspicions.get(&url) else { continue };
            let (began, step, failures) = (*began, *step, *failures);
            if self.is_excused(&url, began) || !self.is_working(now) {
                self.suspicions.remove(&url);
            } else if step < HELPERS.len() {
                self.ask_others(&url, now);
            } else if failures.silent && self.is_in_doubt(began, now) {
                let again = now.mono + self.settings.interval / 4;
                self.send_on(url.clone(), Purpose::Confirm, true, now);
                self.set_deadline(&url, again);
            } else {
                self.figures.deaths += 1;
                let change = self.members.mark_failed(&url, &self.settings.base_url, now);
                self.suspicions.remove(&url);
                if self.note(&url, change, now) == News::Rumour {
                    self.spread(url, now);
                }
            }
        }
    }

    // Where nobody at all has answered us meanwhile, it may be us: then nobody is accused for two more rounds.
    fn is_in_doubt(&self, began: Began, now: Now) -> bool {
        self.last_answer < began.mono
            && now.mono < began.mono + 2 * self.settings.interval + 3 * self.exchange_timeout()
    }

    fn ask_others(&mut self, url: &ServerUrl, now: Now) {
        let Some(suspicion) = self.suspicions.get_mut(url) else { return };
        let (step, refused) = (suspicion.step, suspicion.failures.refused);
        suspicion.step += 1;
        let wait = if refused {
            (step as u32 + 1) * REFUSED_WAIT.max(self.settings.interval / REFUSED_SHARE)
        } else {
            self.short_timeout() + TRAVEL
        };
        self.set_deadline(url, now.mono + wait);
        self.send_on(url.clone(), Purpose::Confirm, true, now);
        let own = &self.settings.base_url;
        let helpers = self.members.helpers(own, &mut self.rng, HELPERS[step], std::slice::from_ref(url));
        for to in helpers {
            // Where so many are suspected, whoever is asked already answers for our own connection.
            if self.asks.take(1, now.mono).is_err() {
                break;
            }
            if let Some(suspicion) = self.suspicions.get_mut(url) {
                suspicion.helpers.push(to.clone());
            }
            let envelope = Envelope { probe_requests: vec![url.clone()], ..Envelope::default() };
            // Whoever does not take it is asked nothing more, and none in its place.
            self.tell(to, Purpose::Contact, Vec::new(), envelope, now);
        }
    }

    fn set_deadline(&mut self, url: &ServerUrl, deadline: Duration) {
        if let Some(suspicion) = self.suspicions.get_mut(url) {
            suspicion.deadline = deadline;
        }
    }

    /// Somebody asks whether we reach some servers.
    pub(super) fn try_for(&mut self, asker: &ServerUrl, whom: &[ServerUrl], now: Now) {
        for url in whom {
            // A stranger is nobody whom we would be sent to.
            let is_known = *url != self.settings.base_url && self.members.get(url).is_some();
            if is_known && self.is_working(now) && self.favours.take(1, now.mono).is_ok() {
                self.send(url.clone(), Purpose::Favour(asker.clone()), now);
            }
        }
    }

    /// Tells whoever asked that we reach a server.
    pub(super) fn report(&mut self, reached: &ServerUrl, asker: ServerUrl, now: Now) {
        let entry = self.members.get(reached).map(|member| member.entry.clone());
        let envelope = Envelope { probe_successes: vec![reached.clone()], ..Envelope::default() };
        self.tell(asker, Purpose::Report, entry.into_iter().collect(), envelope, now);
    }

    /// Another reaches these servers. Whoever was not asked may speak of an earlier time.
    pub(super) fn others_reach(&mut self, by: &ServerUrl, reached: &[ServerUrl]) {
        for url in reached {
            if self.suspicions.get(url).is_some_and(|suspicion| suspicion.helpers.contains(by)) {
                self.suspicions.remove(url);
                self.spared.remove(url);
            }
        }
    }

    /// Another cannot hear us: our answers may be what does not reach it.
    pub(super) fn speak_up(&mut self, to: &ServerUrl, now: Now) {
        if self.is_working(now) && self.favours.take(1, now.mono).is_ok() {
            self.send(to.clone(), Purpose::Contact, now);
        }
    }

    /// After how long an exchange has failed.
    pub(super) fn exchange_timeout(&self) -> Duration {
        self.settings.interval.clamp(SHORTEST_TIMEOUT, EXCHANGE_TIMEOUT)
    }

    /// The same for one that others wait for.
    pub(super) fn short_timeout(&self) -> Duration {
        self.exchange_timeout() * 4 / 5
    }

    /// Whether a server need not be called dead though it has not answered now: it has answered since, or is not listed
    /// online, or speaks, be it to us or by a stamp of its own clock, and has not been spared too often.
    pub(super) fn is_excused(&mut self, url: &ServerUrl, since: Began) -> bool {
        let Some(member) = self.members.get(url) else { return true };
        if member.entry.state == State::Offline || member.last_answered().is_some_and(|at| at > since.mono) {
            return true;
        }
        let speaks = member.last_heard().is_some_and(|at| at > since.mono) || member.entry.stamp > since.own_clock;
        if !speaks {
            return false;
        }
        let times = self.spared.entry(url.clone()).or_default();
        *times += 1;
        // Where nobody answers us it is we who reach nobody, for as long as others speak to us.
        *times <= SPARED || self.last_answer <= since.mono
    }

    fn is_probing(&self, url: &ServerUrl) -> bool {
        let is_probe = |purpose: &Purpose| matches!(purpose, Purpose::Probe | Purpose::Confirm);
        self.suspicions.contains_key(url)
            || self.exchanges.values().any(|exchange| exchange.to == *url && is_probe(&exchange.purpose))
    }
}
