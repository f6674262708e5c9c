//! The failure detector: whom to probe in each round, silence that is noticed, and what is done about a server that does
//! not answer before it is declared failed.
//!
//! After SWIM (Das, Gupta, Motivala 2002), but the ring decides whom to probe: every server is probed by the two that come
//! before it, so the time to notice a failure does not depend on the number of servers. Suspicions are not broadcast, since
//! that would amplify itself where many exchanges are lost.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;

use super::action::ExchangeError;
use super::exchange::{Content, Exchanges, Purpose, Request, Started, exchange_timeout};
use super::output::Output;
use super::rate_limit::RateLimit;
use super::suspicion::{Failures, Suspicion};
use super::timer::Timer;
use crate::clock::Now;
use crate::membership::Members;
use crate::message::{Envelope, ProbeTicket, ServerUrl, State};

/// How many servers that follow on the ring are probed in each round.
const SUCCESSORS: usize = 2;
/// How many others are asked to probe a suspect: some first, more later. Where a fifth of all exchanges is lost, nine of
/// these eleven must fail by chance, and four tries of our own.
const HELPERS: [usize; 2] = [3, 8];
/// After how many intervals without a message a server that should gossip with us is probed: its rounds are at most so
/// far apart.
const SILENCE: f64 = 1.05;
/// For how long a server that has never answered us may refuse connections: programs start before they listen. Meanwhile it
/// contacts the two that come before it on the ring, which judge it.
pub const STARTUP_GRACE: Duration = Duration::from_secs(60);
/// If a starting server stays silent for this long, it has ended before it listened.
const STARTUP_SILENCE: Duration = Duration::from_secs(10);
/// How often a server that nobody has contacted yet contacts those two.
const STARTUP_CONTACT: Duration = Duration::from_secs(3);
/// How often a suspect that still speaks is reprieved: it may just have come back, or we asked too early. A server that
/// goes on speaking and never answers has a wrong base URL.
const MAX_REPRIEVES: u32 = 5;
/// Requests to helpers, and probes on behalf of others: how many at once, and a second.
const HELP_REQUESTS: (u32, u32) = (22, 11);
const INDIRECT_PROBES: (u32, u32) = (12, 6);
/// Probes because of hints, such as the close of a watch: a switch that restarts closes every connection.
const HINTS: (u32, u32) = (6, 2);

/// The next action for a suspect.
#[derive(Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Try it again, and ask more helpers.
    AskMore(ServerUrl),
    /// Try it again alone: nobody answers us, so we may be the one that is cut off.
    TryAgain(ServerUrl),
    /// Declare it failed since this moment.
    DeclareFailed(ServerUrl, Duration),
}

/// Which servers are suspected, and why.
#[derive(Debug)]
pub struct FailureDetector {
    interval: Duration,
    suspicions: BTreeMap<ServerUrl, Suspicion>,
    // How often a server that does not answer has been reprieved since it last did.
    reprieves: BTreeMap<ServerUrl, u32>,
    help_requests: RateLimit,
    indirect_probes: RateLimit,
    hints: RateLimit,
    last_response: Duration,
}

impl FailureDetector {
    /// Nobody is suspected.
    pub fn new(interval: Duration, now: Now) -> Self {
        Self {
            interval,
            suspicions: BTreeMap::new(),
            reprieves: BTreeMap::new(),
            help_requests: RateLimit::half_full(HELP_REQUESTS, now.mono),
            indirect_probes: RateLimit::half_full(INDIRECT_PROBES, now.mono),
            hints: RateLimit::full(HINTS, now.mono),
            last_response: now.mono,
        }
    }

    /// The gossip interval.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Schedules the next round.
    pub fn schedule_round(&self, now: Now, out: &mut Output) {
        let wait = self.interval.mul_f64(out.jitter(2.0 - SILENCE..SILENCE));
        out.timers.set(Timer::Round, now.mono + wait);
    }

    /// Whom to probe in a round: those who follow on the ring, a version 1 server in its turn, and a random server.
    pub fn round_targets(members: &Members, version_1: Option<ServerUrl>, out: &mut Output) -> Vec<ServerUrl> {
        let mut targets: Vec<_> = members.successors().take(SUCCESSORS).cloned().collect();
        for target in version_1.into_iter().chain(members.gossip_partner(&mut out.rng)) {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    /// Which servers should have gossiped with us by now and have not, and which of those that we judge have never
    /// answered: a server that starts may end before its next round. Schedules the next look.
    pub fn silent_neighbours(&self, members: &Members, now: Now, out: &mut Output) -> Vec<ServerUrl> {
        let patience = self.interval.mul_f64(SILENCE);
        let (mut silent, mut next) = (Vec::new(), now.mono + patience / 4);
        for url in members.predecessors().take(SUCCESSORS) {
            let heard = members.get(url).map_or(now.mono, |it| it.last_heard().unwrap_or_else(|| it.first_seen()));
            let due = heard + patience;
            if due <= now.mono {
                silent.push(url.clone());
            } else {
                next = next.min(due);
            }
        }
        for url in members.successors().take(SUCCESSORS) {
            if let Some(member) = members.get(url)
                && member.last_answered().is_none()
            {
                let due = member.first_seen() + STARTUP_CONTACT;
                if due <= now.mono {
                    silent.push(url.clone());
                } else {
                    next = next.min(due);
                }
            }
        }
        out.timers.set(Timer::Silence, next.max(now.mono + patience / 20));
        silent
    }

    /// Schedules the first look for silent servers.
    pub fn schedule_first_silence(&self, now: Now, out: &mut Output) {
        out.timers.set(Timer::Silence, now.mono + self.interval);
    }

    /// Schedules the next contact of a server that nobody has contacted yet.
    pub fn schedule_startup_contact(now: Now, out: &mut Output) {
        out.timers.set(Timer::Startup, now.mono + STARTUP_CONTACT);
    }

    /// Whom such a server contacts: the two that come before it on the ring, which judge it.
    pub fn startup_contacts(members: &Members) -> Vec<Request> {
        let judges = members.predecessors().take(SUCCESSORS);
        judges.map(|url| Request::new(url.clone(), Purpose::Contact)).collect()
    }

    /// Whether a server is suspected.
    pub fn is_suspect(&self, url: &ServerUrl) -> bool {
        self.suspicions.contains_key(url)
    }

    /// Since when a server is suspected.
    pub fn suspected_since(&self, url: &ServerUrl) -> Option<Duration> {
        self.suspicions.get(url).map(|suspicion| suspicion.since)
    }

    /// The servers that are suspected.
    pub fn suspects(&self) -> impl Iterator<Item = &ServerUrl> {
        self.suspicions.keys()
    }

    /// When the next step of a suspicion ends.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.suspicions.values().map(|suspicion| suspicion.deadline).min()
    }

    /// When anybody last answered us.
    pub fn last_response(&self) -> Duration {
        self.last_response
    }

    /// Some server has answered us.
    pub fn on_response(&mut self, now: Now) {
        self.last_response = now.mono;
    }

    /// This server has answered us.
    pub fn on_alive(&mut self, url: &ServerUrl) {
        self.suspicions.remove(url);
        self.reprieves.remove(url);
    }

    /// This server is listed online that was not.
    pub fn on_online(&mut self, url: &ServerUrl) {
        self.reprieves.remove(url);
    }

    /// A probe has failed. Returns whether the suspect is to be tried again now: one that starts gets some seconds first.
    pub fn on_probe_failed(
        &mut self,
        url: &ServerUrl,
        started: Started,
        error: &ExchangeError,
        members: &Members,
        now: Now,
        out: &mut Output,
    ) -> bool {
        let Some(member) = members.get(url) else { return false };
        let is_down = matches!(error, ExchangeError::Refused(_) | ExchangeError::NotReady(_));
        let is_starting = is_down && member.last_answered().is_none() && now.mono < member.first_seen() + STARTUP_GRACE;
        let is_judge = || members.successors().take(SUCCESSORS).any(|successor| successor == url);
        if self.is_suspect(url) || self.use_excuse(url, started, members) || is_starting && !is_judge() {
            return false;
        }
        let failures = Failures::of(error);
        let deadline = if is_starting { now.mono + STARTUP_SILENCE } else { now.mono };
        let suspicion = Suspicion::new(out.rng.random(), started, deadline, failures, now);
        self.suspicions.insert(url.clone(), suspicion);
        !is_starting
    }

    /// A further try of a suspect has failed.
    pub fn on_retry_failed(&mut self, url: &ServerUrl, error: &ExchangeError, now: Now) {
        if let Some(suspicion) = self.suspicions.get_mut(url) {
            let Failures { refused, silent } = Failures::of(error);
            suspicion.failures.refused &= refused;
            suspicion.failures.silent &= silent;
            // Tries outside of a step, while we may be the one that is cut off, keep their pause.
            if std::mem::take(&mut suspicion.is_retrying) {
                suspicion.end_step_if_answered(now);
            }
        }
    }

    /// We cannot try a suspect again, nor ask others: nothing more is known of it than before. The next round probes it.
    pub fn on_retry_impossible(&mut self, url: &ServerUrl) {
        self.suspicions.remove(url);
    }

    /// The next suspect about which something must be done now, if there is any.
    pub fn next_step(&mut self, members: &Members, is_working: bool, now: Now) -> Option<NextStep> {
        loop {
            let due = self.suspicions.iter().find(|(_, it)| it.deadline <= now.mono);
            let (url, Suspicion { started, step, failures, .. }) = due?;
            let (url, started, step, failures) = (url.clone(), *started, *step, *failures);
            if self.use_excuse(&url, started, members) || !is_working {
                self.suspicions.remove(&url);
            } else if step < HELPERS.len() {
                return Some(NextStep::AskMore(url));
            } else if failures.silent && self.is_in_doubt(started, now) {
                self.set_deadline(&url, now.mono + self.interval / 4);
                return Some(NextStep::TryAgain(url));
            } else {
                self.suspicions.remove(&url);
                return Some(NextStep::DeclareFailed(url, started.mono));
            }
        }
    }

    // If nobody at all has answered us meanwhile, the fault may be ours: nobody is declared failed for two more rounds.
    fn is_in_doubt(&self, started: Started, now: Now) -> bool {
        let patience = 2 * self.interval + 3 * exchange_timeout(self.interval);
        self.last_response < started.mono && now.mono < started.mono + patience
    }

    /// Begins the next step of a suspicion. Returns its number for [`Self::ask_helpers`].
    pub fn begin_step(&mut self, url: &ServerUrl, now: Now) -> Option<usize> {
        Some(self.suspicions.get_mut(url)?.begin_step(self.interval, now))
    }

    /// Leaves out a step of a suspicion.
    pub fn skip_step(&mut self, url: &ServerUrl) {
        if let Some(suspicion) = self.suspicions.get_mut(url) {
            suspicion.step += 1;
        }
    }

    /// Asks other servers to probe a suspect, as many as the step asks for and the rate limit allows.
    pub fn ask_helpers(
        &mut self,
        url: &ServerUrl,
        step: usize,
        members: &Members,
        now: Now,
        out: &mut Output,
    ) -> Vec<Request> {
        let Some(suspicion) = self.suspicions.get_mut(url) else { return Vec::new() };
        let helpers = members.random_peers(&mut out.rng, HELPERS[step], std::slice::from_ref(url));
        let allowed = helpers.into_iter().take_while(|_| self.help_requests.take(1, now.mono).is_ok());
        let ask = |helper: ServerUrl| {
            suspicion.helpers.push(helper.clone());
            suspicion.awaited.push(helper.clone());
            let ticket = ProbeTicket { token: suspicion.token, url: url.clone() };
            let envelope = Envelope { probe_requests: vec![ticket], ..Envelope::default() };
            Request::with(helper, Purpose::Contact, Content::Entries(Vec::new(), envelope.into()))
        };
        allowed.map(ask).collect()
    }

    fn set_deadline(&mut self, url: &ServerUrl, deadline: Duration) {
        if let Some(suspicion) = self.suspicions.get_mut(url) {
            suspicion.deadline = deadline;
        }
    }

    /// Another server asks us to probe some: those that we know, as far as the rate limit allows.
    pub fn on_probe_requests(
        &mut self,
        asker: &ServerUrl,
        tickets: &[ProbeTicket],
        members: &Members,
        now: Now,
    ) -> Vec<Request> {
        // Nobody can make us contact a server that we do not list.
        let is_known = |ticket: &&ProbeTicket| ticket.url != *members.local_url() && members.get(&ticket.url).is_some();
        let allowed = tickets.iter().filter(is_known).take_while(|_| self.indirect_probes.take(1, now.mono).is_ok());
        let request = |ticket: &ProbeTicket| {
            let purpose = Purpose::IndirectProbe { asker: asker.clone(), token: ticket.token };
            Request::new(ticket.url.clone(), purpose)
        };
        allowed.map(request).collect()
    }

    /// Another server reports that it reaches some. Only a report counts that answers a request of ours: one of an earlier
    /// time may be repeated by somebody.
    pub fn on_probe_successes(&mut self, by: &ServerUrl, tickets: &[ProbeTicket]) {
        for ProbeTicket { token, url } in tickets {
            let suspicion = self.suspicions.get(url);
            if suspicion.is_some_and(|suspicion| suspicion.token == *token && suspicion.helpers.contains(by)) {
                self.on_alive(url);
            }
        }
    }

    /// Another server reports that it does not reach some.
    pub fn on_probe_failures(&mut self, by: &ServerUrl, tickets: &[ProbeTicket], now: Now) {
        for ProbeTicket { token, url } in tickets {
            if let Some(suspicion) = self.suspicions.get_mut(url).filter(|it| it.token == *token) {
                suspicion.awaited.retain(|helper| helper != by);
                suspicion.end_step_if_answered(now);
            }
        }
    }

    /// Whether one more probe may be made because of a hint, such as the close of a watch.
    pub fn admit_hint(&mut self, now: Now) -> bool {
        self.hints.take(1, now.mono).is_ok()
    }

    /// Another server gets no answer from us: our answers may be lost on the way, so we contact it.
    pub fn on_suspected(&mut self, by: &ServerUrl, now: Now) -> Option<Request> {
        let is_allowed = self.indirect_probes.take(1, now.mono).is_ok();
        is_allowed.then(|| Request::new(by.clone(), Purpose::Contact))
    }

    /// Counts a reprieve, and returns whether it excuses the failure of an exchange that began at `started`: the server has
    /// answered since, or is not online, or it still speaks, to us or by a stamp of its own clock, and has reprieves left.
    pub fn use_excuse(&mut self, url: &ServerUrl, started: Started, members: &Members) -> bool {
        let Some(member) = members.get(url) else { return true };
        if member.entry.state == State::Offline || member.last_answered().is_some_and(|at| at > started.mono) {
            return true;
        }
        let has_spoken = member.last_heard().is_some_and(|at| at > started.mono);
        if !has_spoken && member.entry.stamp <= started.peer_clock {
            return false;
        }
        let reprieves = self.reprieves.entry(url.clone()).or_default();
        *reprieves += 1;
        // If nobody answers us, we are the one that reaches nobody, for as long as others speak to us.
        *reprieves <= MAX_REPRIEVES || self.last_response <= started.mono
    }

    /// Whether a probe of a server, or a suspicion, is under way.
    pub fn is_probing(&self, url: &ServerUrl, exchanges: &Exchanges) -> bool {
        self.is_suspect(url) || exchanges.is_probing(url)
    }

    /// Drops all suspicions: what failed until now says nothing about others.
    pub fn clear_suspicions(&mut self) {
        self.suspicions.clear();
    }

    /// Forgets servers that are not known any more.
    pub fn expire(&mut self, members: &Members) {
        self.reprieves.retain(|url, _| members.get(url).is_some());
    }
}
