//! Routes rounds and suspicions: whom to probe, and what is done about servers that do not answer.

use std::time::Duration;

use super::exchange::{Purpose, Request, Started};
use super::watch::VANISHED_AFTER;
use super::{Core, ExchangeError, Failure, FailureDetector, MemberEventKind, NextStep, Now, ServerUrl, State};
use crate::membership::Member;

/// For how many intervals no second suspicion of a server is reported that has not answered us since the first. Where only we
/// do not reach it, others end each suspicion, and our next probe begins another one.
const REPORT_PAUSE: u32 = 10;

impl Core {
    /// Whether a server does not answer us, while others are asked whether they reach it.
    pub fn is_suspect(&self, url: &ServerUrl) -> bool {
        self.detector.is_suspect(url)
    }

    /// Since when a member is in its state, and a failure, leave or drain counts as a state of its own. As monotonic time.
    pub fn changed_at(&self, member: &Member) -> Duration {
        self.detector.suspected_since(&member.entry.url).unwrap_or_else(|| member.changed_at())
    }

    /// All such servers.
    pub fn suspects(&self) -> impl Iterator<Item = &ServerUrl> {
        self.detector.suspects()
    }

    // Probes two successors, one version 1 server and a random server. Sometimes contacts an offline server or a lost seed,
    // by which partitions heal. A server without protocol 2 peers also probes itself.
    pub(super) fn round(&mut self, now: Now) {
        self.detector.schedule_round(now, &mut self.out);
        if !self.lifecycle.is_awake(now) {
            return;
        }
        self.refresh_local(now);
        self.look_if_alone(now);
        if let Some(own) = self.members.local() {
            self.local.check_url(own, self.detector.last_response(), now, &mut self.out);
        }
        if self.members.successors().next().is_none() {
            // A load balancer that takes processes in turn may send the first of each round to ourselves, for minutes on end.
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

    /// A sign from outside the protocol that a server may have ended, such as a refused connection of the program. It is
    /// probed, at a bounded rate.
    pub fn handle_hint(&mut self, now: Now, url: &ServerUrl) {
        self.on_hint(url, now);
    }

    // A sign that a server may have ended: the close of a watch, a refused connection. It is probed.
    pub(super) fn on_hint(&mut self, url: &ServerUrl, now: Now) {
        if !self.detector.is_probing(url, &self.exchanges) && self.may_follow_hint(url, now) {
            self.send(Request::new(url.clone(), Purpose::Probe).on_new_connection(), now);
        }
    }

    // The host of a server has acknowledged nothing for a while: that counts as a probe that got no answer, and as the
    // first few helpers, since asking them would take seconds more.
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

    // Returns whether a suspicion begins now.
    fn suspect(&mut self, url: &ServerUrl, started: Started, error: &ExchangeError, now: Now) -> bool {
        let begins = self.detector.on_probe_failed(url, started, error, &self.members, now, &mut self.out);
        if begins {
            self.out.counters.suspicions += 1;
            if self.members.admit_report(url, REPORT_PAUSE * self.detector.interval(), now) {
                self.report_member(url, MemberEventKind::Suspect, now);
            }
        }
        begins
    }

    // Nobody has contacted this server yet: it tells those that probe it that it is up, although it may not listen yet.
    pub(super) fn contact_judges(&mut self, now: Now) {
        if self.lifecycle.is_awake(now) {
            self.refresh_local(now);
            let contacts = FailureDetector::startup_contacts(&self.members);
            self.send_all(contacts, now);
        }
    }

    pub(super) fn probe_silent(&mut self, now: Now) {
        let silent = self.detector.silent_neighbours(&self.members, now, &mut self.out);
        if self.lifecycle.is_awake(now) {
            for url in silent {
                self.probe(url, now);
            }
        }
    }

    pub(super) fn judge_suspects(&mut self, now: Now) {
        let is_working = self.lifecycle.is_working(now);
        while let Some(step) = self.detector.next_step(&self.members, is_working, now) {
            match step {
                NextStep::AskMore(url) => self.retry_suspect(&url, now),
                NextStep::TryAgain(url) => {
                    self.send(Request::new(url, Purpose::SuspectRetry).on_new_connection(), now);
                }
                // It said that it goes offline before it did: that explains its silence.
                NextStep::DeclareFailed(url, _) if self.believe_report(&url, now) => {}
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

    // Tries a suspect on a new connection, and asks others to probe it.
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
