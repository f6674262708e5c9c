//! `Verifier`: contacts a server before a peer's report about it is accepted, within rate limits.
//!
//! - *Verification*: a peer reports that a server failed which seems to be up. `on_report` queues the report, and
//!   `next_verifications` contacts the server. `dispatch.rs` lists it as failed if it does not answer.
//! - *Call-back*: a message claims that a server is online. `contact` contacts it; its answer lists it.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::seq::SliceRandom;

use super::exchange::{Content, Exchanges, Purpose, Request};
use super::output::Output;
use super::rate_limit::RateLimit;
use super::timer::Timer;
use crate::clock::Now;
use crate::membership::{Members, supersedes};
use crate::message::{Entry, ServerUrl};

/// Rate limits of verifications, and of all other contacts: burst, and per second. Each has its own, so that claims in
/// invented names do not delay the verification of true reports.
const VERIFICATIONS: (u32, u32) = (6, 3);
const CONTACTS: (u32, u32) = (6, 3);
/// Most reports that wait. Repair brings the others again. Only half of them may be about servers that have never
/// answered us, which may be invented.
const MAX_REPORTS: usize = 1_000;

/// A reported failure, to be verified.
#[derive(Clone, Debug)]
struct Report {
    entry: Entry,
    // The earliest time to verify it, monotonic.
    due: Duration,
}

/// The reported failures to be verified.
#[derive(Clone, Debug)]
pub struct Verifier {
    reports: BTreeMap<ServerUrl, Report>,
    verifications: RateLimit,
    contacts: RateLimit,
}

impl Verifier {
    /// No reports.
    pub fn new(now: Now) -> Self {
        let verifications = RateLimit::half_full(VERIFICATIONS, now.mono);
        Self { reports: BTreeMap::new(), verifications, contacts: RateLimit::half_full(CONTACTS, now.mono) }
    }

    /// Adds a reported failure. Of several about one server, the newest counts. `is_reached`: the server has answered us.
    pub fn on_report(&mut self, entry: &Entry, is_reached: bool) {
        let most = if is_reached { MAX_REPORTS } else { MAX_REPORTS / 2 };
        if self.reports.len() >= most && !self.reports.contains_key(&entry.url) {
            return;
        }
        let new = || Report { entry: entry.clone(), due: Duration::ZERO };
        let report = self.reports.entry(entry.url.clone()).or_insert_with(new);
        if supersedes(entry, &report.entry) {
            report.entry = entry.clone();
        }
    }

    /// The waiting report about a server.
    pub fn report(&self, url: &ServerUrl) -> Option<&Entry> {
        self.reports.get(url).map(|report| &report.entry)
    }

    /// Removes the report about a server, after the outcome is known.
    pub fn take_report(&mut self, url: &ServerUrl) -> Option<Entry> {
        self.reports.remove(url).map(|report| report.entry)
    }

    /// Verifies again later: the server did not answer, but still sends messages. Nobody would repeat the report.
    pub fn postpone(&mut self, url: &ServerUrl, due: Duration) {
        if let Some(report) = self.reports.get_mut(url) {
            report.due = due;
        }
    }

    /// Whether any report waits.
    pub fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Drops all reports.
    pub fn clear(&mut self) {
        self.reports.clear();
    }

    /// The verifications to send now, within the rate limit: first of servers that have answered us. Each contains the
    /// report, so that the server can refute it for everybody. Called for each message, so it does nothing until the rate
    /// limit allows one.
    pub fn next_verifications(
        &mut self,
        members: &Members,
        exchanges: &Exchanges,
        now: Now,
        out: &mut Output,
    ) -> Vec<Request> {
        if let Err(later) = self.verifications.check(1, now.mono) {
            out.timers.set(Timer::Verification, later);
            return Vec::new();
        }
        self.reports.retain(|_, report| members.would_take(&report.entry, now));
        let under_way = exchanges.receivers(|purpose| *purpose == Purpose::Verification);
        let waiting = self.reports.iter().filter(|(url, _)| !under_way.contains(url));
        let (mut due, later): (Vec<_>, Vec<_>) = waiting.partition(|(_, report)| report.due <= now.mono);
        if let Some(next) = later.iter().map(|(_, report)| report.due).min() {
            out.timers.set(Timer::Verification, next);
        }
        due.shuffle(&mut out.rng);
        due.sort_by_cached_key(|(url, _)| !members.is_reached(url));
        let mut requests = Vec::new();
        for (url, report) in due {
            if let Err(later) = self.verifications.take(1, now.mono) {
                out.timers.set(Timer::Verification, later);
                break;
            }
            let content = Content::Entries(vec![report.entry.clone()], Box::default());
            requests.push(Request::with(url.clone(), Purpose::Verification, content));
        }
        requests
    }

    /// A contact with a server that a peer made a claim about, if the rate limit allows it.
    pub fn contact(&mut self, url: &ServerUrl, now: Now) -> Option<Request> {
        let is_allowed = self.contacts.take(1, now.mono).is_ok();
        is_allowed.then(|| Request::new(url.clone(), Purpose::Contact))
    }
}
