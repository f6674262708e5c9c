//! Runs rounds and suspicions: sends the probes, retries and indirect probes that `detector.rs` selects, and reports
//! suspects and failures.

use std::time::Duration;

use super::exchange::{Purpose, Request, Started};
use super::watch::VANISHED_AFTER;
use super::{Core, ExchangeError, Failure, FailureDetector, MemberEventKind, NextStep, Now, ServerUrl, State};
use crate::membership::Member;

/// How many intervals pass before a server is reported as suspect again without an answer in between. If only we cannot
/// reach it, helpers end each suspicion, and our next probe starts another.
const REPORT_PAUSE: u32 = 10;

impl Core {
    /// Whether a server is suspected.
    pub fn is_suspect(&self, url: &ServerUrl) -> bool {
        self.detector.is_suspect(url)
    }

    /// When a member's state or reason last changed, or its suspicion began, monotonic.
    pub fn changed_at(&self, member: &Member) -> Duration {
        self.detector.suspected_since(&member.entry.url).unwrap_or_else(|| member.changed_at())
    }

    /// All suspected servers.
    pub fn suspects(&self) -> impl Iterator<Item = &ServerUrl> {
        self.detector.suspects()
    }

    // A gossip round: probes two successors, one version 1 server and a random server. Sometimes contacts an offline
    // server or a lost seed, which heals partitions. A server without protocol 2 peers also probes itself.
    pub(super) fn round(&mut self, now: Now) {
        self.detector.schedule_round(now, &mut self.out);
        if !self.lifecycle.is_awake(now) {
            return;
        }
        self.refresh_local(now);
        self.seek_if_alone(now);
        if let Some(own) = self.members.local() {
            self.local.check_url(own, self.detector.last_response(), now, &mut self.out);
        }
        if self.members.successors().next().is_none() {
            // Twice: a load balancer in round-robin mode may return every first request to this process.
            self.probe_self(2, now);
        }
        let version_1 = self.legacy.next_to_probe(&self.members);
        let targets = FailureDetector::round_targets(&self.members, version_1, &mut self.out);
        let offline = self.members.offline_to_contact(&mut self.out.rng, now);
        for to in targets {
            self.probe(to, now);
        }
        if let Some(to) = offline.filter(|url| !self.exchanges.is_contacting(url)) {
            self.send(Request::new(to, Purpose::Contact), now);
        }
        if let Some(to) = self.discovery.seeds.lost_contact(&self.members, &self.exchanges, now, &mut self.out) {
            self.send(Request::new(to, Purpose::Contact), now);
        }
    }

    pub(super) fn probe(&mut self, to: ServerUrl, now: Now) {
        if !self.detector.is_probing(&to, &self.exchanges) {
            self.send(Request::new(to, Purpose::Probe), now);
        }
    }

    /// The program saw a sign that a server has ended, such as a refused connection. Probes it, within a rate limit.
    pub fn handle_hint(&mut self, now: Now, url: &ServerUrl) {
        self.on_hint(url, now);
    }

    // A watch closed or a connection was refused. Probes the server.
    pub(super) fn on_hint(&mut self, url: &ServerUrl, now: Now) {
        if !self.detector.is_probing(url, &self.exchanges) && self.may_follow_hint(url, now) {
            self.send(Request::new(url.clone(), Purpose::Probe).on_new_connection(), now);
        }
    }

    // TCP keep-alive gave up on a watched host. Counts as a failed, silent probe, and as a failed first step of
    // helpers, which would take seconds more.
    pub(super) fn on_vanished(&mut self, url: &ServerUrl, now: Now) {
        if !self.detector.is_suspect(url)
            && self.may_follow_hint(url, now)
            && let Some(member) = self.members.get(url)
        {
            let silence = VANISHED_AFTER.as_millis() as u64;
            let peer_clock = member.estimated_clock(now).saturating_sub(silence).max(member.entry.stamp);
            let started = Started { mono: now.mono.saturating_sub(VANISHED_AFTER), peer_clock };
            self.members.on_failure(url, Failure::new("ETIMEDOUT", "its host acknowledges nothing"), now);
            if self.suspect(url, started, &ExchangeError::TimedOut, now) {
                self.detector.skip_step(url);
                self.retry_suspect(url, now);
            }
        }
    }

    fn may_follow_hint(&mut self, url: &ServerUrl, now: Now) -> bool {
        let is_member = self.members.state(url) == Some(State::Online) && self.members.is_reached(url);
        let may = is_member && self.lifecycle.is_working(now) && self.detector.admit_hint(now);
        self.out.counters.watches.probes += u64::from(may);
        may
    }

    pub(super) fn on_probe_failed(&mut self, url: &ServerUrl, started: Started, error: &ExchangeError, now: Now) {
        if self.suspect(url, started, error, now) {
            self.retry_suspect(url, now);
        }
    }

    // Returns whether a new suspicion begins.
    fn suspect(&mut self, url: &ServerUrl, started: Started, error: &ExchangeError, now: Now) -> bool {
        let begins = self.detector.on_probe_failed(url, started, error, &self.members, now);
        if begins {
            self.out.counters.suspicions += 1;
            if self.members.admit_report(url, REPORT_PAUSE * self.detector.interval(), now) {
                self.report_member(url, MemberEventKind::Suspect, now);
            }
        }
        begins
    }

    // Before anybody has contacted this server, it shows its predecessors that it is up, although it may not listen
    // yet.
    pub(super) fn contact_predecessors(&mut self, now: Now) {
        if self.lifecycle.is_awake(now) {
            self.refresh_local(now);
            let contacts = FailureDetector::startup_contacts(&self.members);
            self.send_all(contacts, now);
        }
    }

    pub(super) fn probe_silent_neighbours(&mut self, now: Now) {
        let silent = self.detector.silent_neighbours(&self.members, now, &mut self.out);
        if self.lifecycle.is_awake(now) {
            for url in silent {
                self.probe(url, now);
            }
        }
    }

    // A late timer must not judge others before the answers are read that have arrived meanwhile.
    pub(super) fn check_lateness(&mut self, now: Now) {
        let late = self.check_pause(now);
        self.detector.on_late_timer(late, now);
    }

    // Also before an outcome is handled: after a pause, the engine's tasks run before its timers.
    pub(super) fn check_pause(&mut self, now: Now) -> Duration {
        let late = self.poll_timeout().map_or(Duration::ZERO, |due| now.mono.saturating_sub(due));
        if self.lifecycle.on_late_timer(late, now) {
            self.detector.clear_suspicions();
        }
        late
    }

    pub(super) fn advance_suspicions(&mut self, now: Now) {
        let is_working = self.lifecycle.is_working(now);
        while let Some(step) = self.detector.next_step(&self.members, is_working, now) {
            match step {
                NextStep::AskHelpers(url) => self.retry_suspect(&url, now),
                NextStep::RetryAlone(url) => {
                    self.send(Request::new(url, Purpose::SuspectRetry).on_new_connection(), now);
                    if let Some(other) = self.detector.on_silence(&self.members, now, &mut self.out) {
                        self.probe(other, now);
                    }
                }
                // It announced that it goes offline before it stopped answering.
                NextStep::DeclareFailed(url, _) if self.accept_report(&url, now) => {}
                NextStep::DeclareFailed(url, since) => {
                    self.out.counters.failures += 1;
                    let change = self.members.mark_failed(&url, since, now);
                    if self.on_change(&url, change, now) {
                        let requests = self.broadcasts.declare(&url, &self.members, now, &mut self.out);
                        self.broadcast(url, now);
                        self.send_all(requests, now);
                    }
                }
            }
        }
    }

    // Retries a suspect on a new connection, and asks helpers to probe it.
    pub(super) fn retry_suspect(&mut self, url: &ServerUrl, now: Now) {
        let Some(step) = self.detector.begin_step(url, now) else { return };
        self.send(Request::new(url.clone(), Purpose::SuspectRetry).on_new_connection(), now);
        let requests = self.detector.ask_helpers(url, step, &self.members, now, &mut self.out);
        self.send_all(requests, now);
    }

    pub(super) fn verify_reports(&mut self, now: Now) {
        if self.verifier.has_reports() && self.lifecycle.is_working(now) {
            let requests = self.verifier.next_verifications(&self.members, &self.exchanges, now, &mut self.out);
            self.send_all(requests, now);
        }
    }
}
