//! `FailureDetector`: selects the probe targets of each round, suspects members that do not answer, and declares them
//! failed when indirect probes fail too. It decides; `rounds.rs` sends the requests.
//!
//! ```text
//! probe fails ──> suspect: retry + 3 helpers ──> retry + 8 helpers ──> declared failed
//!                    └── any answer, a helper's success, or an excuse: suspicion ends
//! ```
//!
//! After SWIM, with two differences. The ring selects the targets: its two predecessors probe each server, so the
//! detection time does not grow with the cluster. Suspicions are not broadcast: under heavy loss they would multiply.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;

use super::action::ExchangeError;
use super::event::{Event, Resolved};
use super::exchange::{Content, Exchanges, Purpose, Request, Started, exchange_timeout};
use super::output::Output;
use super::rate_limit::RateLimit;
use super::suspicion::{Failures, NextStep, Suspicion};
use super::timer::Timer;
use crate::clock::Now;
use crate::membership::Members;
use crate::message::{Envelope, ProbeTicket, ServerUrl, State};

/// How many ring successors are probed in each round.
const SUCCESSORS: usize = 2;
/// How many helpers probe a suspect indirectly, in the first and the second step. If a fifth of all exchanges is lost,
/// these eleven and four tries of our own rarely all fail.
const HELPERS: [usize; 2] = [3, 8];
/// After how many intervals without a message a predecessor is probed. Its rounds are at most this far apart.
const SILENCE: f64 = 1.05;
/// How long a server that has never answered us may refuse connections, because programs start before they listen.
pub const STARTUP_GRACE: Duration = Duration::from_secs(60);
/// A starting server that is silent for this long has ended before it listened.
pub const STARTUP_SILENCE: Duration = Duration::from_secs(10);
/// How often a server that nobody has contacted yet contacts its two predecessors.
const STARTUP_CONTACT: Duration = Duration::from_secs(3);
/// How often a suspect that does not answer us is excused because it sends messages or a helper reaches it: it may have
/// just come back. But a server that keeps sending and never answers has a wrong base URL, and a helper may lie.
const MAX_REPRIEVES: u32 = 5;
/// How many helpers must reach the suspect after that, so that one liar cannot hide a failure.
const WITNESSES: usize = 2;
/// Rate limits of requests to helpers, and of probes for others: burst, and per second.
const HELP_REQUESTS: (u32, u32) = (22, 11);
const INDIRECT_PROBES: (u32, u32) = (12, 6);
/// Rate limit of probes after hints, such as a closed watch: a switch that restarts closes all watches.
const HINTS: (u32, u32) = (6, 2);

/// The suspicions of this server, and the limits on the probes that they cause.
#[derive(Clone, Debug)]
pub struct FailureDetector {
    interval: Duration,
    suspicions: BTreeMap<ServerUrl, Suspicion>,
    // How often a server's failed probes have been excused since it last answered us.
    reprieves: BTreeMap<ServerUrl, u32>,
    help_requests: RateLimit,
    indirect_probes: RateLimit,
    hints: RateLimit,
    last_response: Duration,
    // Nobody has answered us for a while, and that was reported.
    is_isolated: bool,
}

impl FailureDetector {
    /// No suspicions.
    pub fn new(interval: Duration, now: Now) -> Self {
        Self {
            interval,
            suspicions: BTreeMap::new(),
            reprieves: BTreeMap::new(),
            help_requests: RateLimit::half_full(HELP_REQUESTS, now.mono),
            indirect_probes: RateLimit::half_full(INDIRECT_PROBES, now.mono),
            hints: RateLimit::full(HINTS, now.mono),
            last_response: now.mono,
            is_isolated: false,
        }
    }

    /// The gossip interval.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Sets the timer of the next round.
    pub fn schedule_round(&self, now: Now, out: &mut Output) {
        let wait = self.interval.mul_f64(out.jitter(2.0 - SILENCE..SILENCE));
        out.timers.set(Timer::Round, now.mono + wait);
    }

    /// The probe targets of a round: ring successors, the next version 1 server in turn, a random server.
    pub fn round_targets(members: &Members, version_1: Option<ServerUrl>, out: &mut Output) -> Vec<ServerUrl> {
        let mut targets: Vec<_> = members.successors().take(SUCCESSORS).cloned().collect();
        for target in version_1.into_iter().chain(members.gossip_partner(&mut out.rng)) {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    /// The predecessors that should have contacted us by now but did not, and the servers among those we judge that
    /// have never answered: a starting server may end before the next round. Sets the next [`Timer::Silence`].
    pub fn silent_neighbours(&self, members: &Members, now: Now, out: &mut Output) -> Vec<ServerUrl> {
        let patience = self.interval.mul_f64(SILENCE);
        let (mut silent, mut next) = (Vec::new(), now.mono + patience / 4);
        for url in members.predecessors().take(SUCCESSORS) {
            let seen = members.get(url).map_or(now.mono, |it| it.last_seen().unwrap_or_else(|| it.first_seen()));
            let due = seen + patience;
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

    /// Sets the first [`Timer::Silence`].
    pub fn schedule_first_silence(&self, now: Now, out: &mut Output) {
        out.timers.set(Timer::Silence, now.mono + self.interval);
    }

    /// Sets the next [`Timer::Startup`].
    pub fn schedule_startup_contact(now: Now, out: &mut Output) {
        out.timers.set(Timer::Startup, now.mono + STARTUP_CONTACT);
    }

    /// The contacts of a server that nobody has contacted yet: its two predecessors, which judge it.
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

    /// All suspected servers.
    pub fn suspects(&self) -> impl Iterator<Item = &ServerUrl> {
        self.suspicions.keys()
    }

    /// When the next step of any suspicion is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.suspicions.values().map(|suspicion| suspicion.deadline).min()
    }

    /// When any server last answered us.
    pub fn last_response(&self) -> Duration {
        self.last_response
    }

    /// Some server answered us.
    pub fn on_response(&mut self, now: Now, out: &mut Output) {
        self.last_response = now.mono;
        self.end_isolation(out);
    }

    /// Some server answered us, or nobody has been online for so long that we are alone.
    pub fn end_isolation(&mut self, out: &mut Output) {
        if std::mem::take(&mut self.is_isolated) {
            out.report(Event::Resolved(Resolved::Isolated));
        }
    }

    /// Neither a suspect nor anybody else answered. Returns another server to probe. Of two servers that do not reach each
    /// other, nobody can tell which one is cut off.
    pub fn on_silence(&mut self, members: &Members, now: Now, out: &mut Output) -> Option<ServerUrl> {
        if members.online() > 2 && !std::mem::replace(&mut self.is_isolated, true) {
            out.report(Event::Isolated);
        }
        let target = members.gossip_partner(&mut out.rng).filter(|url| !self.is_suspect(url))?;
        self.admit_hint(now).then_some(target)
    }

    /// `url` answered us.
    pub fn on_alive(&mut self, url: &ServerUrl) {
        self.suspicions.remove(url);
        self.reprieves.remove(url);
    }

    /// `url` came online.
    pub fn on_online(&mut self, url: &ServerUrl) {
        self.reprieves.remove(url);
    }

    /// A probe failed: suspects the server unless it has an excuse. Returns whether to retry it now; a starting server
    /// is retried later.
    pub fn on_probe_failed(
        &mut self,
        url: &ServerUrl,
        started: Started,
        error: &ExchangeError,
        members: &Members,
        now: Now,
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
        let suspicion = Suspicion::new(started, deadline, failures, now);
        self.suspicions.insert(url.clone(), suspicion);
        !is_starting
    }

    /// A retry of a suspect failed.
    pub fn on_retry_failed(&mut self, url: &ServerUrl, error: &ExchangeError, now: Now) {
        if let Some(suspicion) = self.suspicions.get_mut(url) {
            suspicion.failures.add(Failures::of(error));
            // While in doubt about ourselves we retry outside of a step; such a failure must not shorten the wait.
            if std::mem::take(&mut suspicion.is_retrying) {
                suspicion.end_step_if_answered(now);
            }
        }
    }

    /// We lack the resources to retry the suspect or to ask helpers. Drops the suspicion; the next round probes again.
    pub fn on_retry_impossible(&mut self, url: &ServerUrl) {
        self.suspicions.remove(url);
    }

    /// The next step that is due, for any suspect.
    pub fn next_step(&mut self, members: &Members, is_working: bool, now: Now) -> Option<NextStep> {
        loop {
            let due = self.suspicions.iter().find(|(_, it)| it.deadline <= now.mono);
            let (url, Suspicion { started, step, failures, .. }) = due?;
            let (url, started, step, failures) = (url.clone(), *started, *step, *failures);
            if self.use_excuse(&url, started, members) || !is_working {
                self.suspicions.remove(&url);
            } else if step < HELPERS.len() {
                return Some(NextStep::AskHelpers(url));
            } else if failures.silent && self.is_in_doubt(started, now) {
                if let Some(suspicion) = self.suspicions.get_mut(&url) {
                    suspicion.deadline = now.mono + self.interval / 4;
                }
                return Some(NextStep::RetryAlone(url));
            } else {
                self.suspicions.remove(&url);
                return Some(NextStep::DeclareFailed(url, started.mono));
            }
        }
    }

    // If nobody has answered us since the probe, we may be cut off. Then nobody is declared failed for two more rounds.
    fn is_in_doubt(&self, started: Started, now: Now) -> bool {
        let patience = 2 * self.interval + 3 * exchange_timeout(self.interval);
        self.last_response < started.mono && now.mono < started.mono + patience
    }

    /// Begins the next step of a suspicion. Returns its number for [`Self::ask_helpers`].
    pub fn begin_step(&mut self, url: &ServerUrl, now: Now) -> Option<usize> {
        Some(self.suspicions.get_mut(url)?.begin_step(self.interval, now))
    }

    /// Skips a step of a suspicion.
    pub fn skip_step(&mut self, url: &ServerUrl) {
        if let Some(suspicion) = self.suspicions.get_mut(url) {
            suspicion.step += 1;
        }
    }

    /// The requests to helpers of this step, within the rate limit.
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
            let ticket = ProbeTicket { token: out.rng.random(), url: url.clone() };
            suspicion.ask(helper.clone(), ticket.token);
            let envelope = Envelope { probe_requests: vec![ticket], ..Envelope::default() };
            Request::with(helper, Purpose::Contact, Content::Entries(Vec::new(), envelope.into()))
        };
        allowed.map(ask).collect()
    }

    /// A peer asks for indirect probes. Returns the probes of known servers, within the rate limit.
    pub fn on_probe_requests(
        &mut self,
        asker: &ServerUrl,
        tickets: &[ProbeTicket],
        members: &Members,
        now: Now,
    ) -> Vec<Request> {
        // A peer must not make us contact a server that we do not list.
        let is_known = |ticket: &&ProbeTicket| ticket.url != *members.local_url() && members.get(&ticket.url).is_some();
        let allowed = tickets.iter().filter(is_known).take_while(|_| self.indirect_probes.take(1, now.mono).is_ok());
        let request = |ticket: &ProbeTicket| {
            let purpose = Purpose::IndirectProbe { asker: asker.clone(), token: ticket.token };
            Request::new(ticket.url.clone(), purpose)
        };
        allowed.map(request).collect()
    }

    /// A helper reaches these suspects. Counts only with the token of our request to this helper: an attacker may replay
    /// an old report, or speak in the name of others.
    pub fn on_probe_successes(&mut self, by: &ServerUrl, tickets: &[ProbeTicket]) {
        for ProbeTicket { token, url } in tickets {
            let Some(suspicion) = self.suspicions.get_mut(url).filter(|it| it.has_asked(by, *token)) else { continue };
            let excused = self.reprieves.get(url).copied().unwrap_or_default();
            if suspicion.on_reached(by, if excused < MAX_REPRIEVES { 1 } else { WITNESSES }) {
                self.suspicions.remove(url);
                self.reprieves.insert(url.clone(), excused + 1);
            }
        }
    }

    /// A helper does not reach these suspects.
    pub fn on_probe_failures(&mut self, by: &ServerUrl, tickets: &[ProbeTicket], now: Now) {
        for ProbeTicket { token, url } in tickets {
            if let Some(suspicion) = self.suspicions.get_mut(url).filter(|it| it.has_asked(by, *token)) {
                suspicion.on_not_reached(by, now);
            }
        }
    }

    /// Whether the rate limit allows a probe because of a hint.
    pub fn admit_hint(&mut self, now: Now) -> bool {
        self.hints.take(1, now.mono).is_ok()
    }

    /// A peer suspects us. Our answers may be lost, so we contact it ourselves.
    pub fn on_suspected(&mut self, by: &ServerUrl, now: Now) -> Option<Request> {
        let is_allowed = self.indirect_probes.take(1, now.mono).is_ok();
        is_allowed.then(|| Request::new(by.clone(), Purpose::Contact))
    }

    /// Whether the failure of an exchange that began at `started` is excused: the server has answered since, is offline
    /// already, or still sends messages or newer stamps (limited to [`MAX_REPRIEVES`], counted here).
    pub fn use_excuse(&mut self, url: &ServerUrl, started: Started, members: &Members) -> bool {
        let Some(member) = members.get(url) else { return true };
        if member.entry.state == State::Offline || member.last_answered().is_some_and(|at| at > started.mono) {
            return true;
        }
        let has_spoken = member.last_seen().is_some_and(|at| at > started.mono);
        if !has_spoken && member.entry.stamp <= started.peer_clock {
            return false;
        }
        let reprieves = self.reprieves.entry(url.clone()).or_default();
        *reprieves += 1;
        // If nobody answers us while others still send to us, our own outgoing connections fail.
        *reprieves <= MAX_REPRIEVES || self.last_response <= started.mono
    }

    /// Whether a server is being probed or is suspected.
    pub fn is_probing(&self, url: &ServerUrl, exchanges: &Exchanges) -> bool {
        self.is_suspect(url) || exchanges.is_probing(url)
    }

    /// A timer was late: see [`Suspicion::on_late_timer`].
    pub fn on_late_timer(&mut self, late: Duration, now: Now) {
        self.suspicions.values_mut().for_each(|suspicion| suspicion.on_late_timer(late, now));
    }

    /// Drops all suspicions: earlier failures say nothing about others.
    pub fn clear_suspicions(&mut self) {
        self.suspicions.clear();
    }

    /// Forgets reprieves of servers that are not listed any more.
    pub fn expire(&mut self, members: &Members) {
        self.reprieves.retain(|url, _| members.get(url).is_some());
    }
}
