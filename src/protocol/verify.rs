//! Verifies what others say before it is listed: a reported failure of a server that seems to be up, and, by a call back, a
//! server that says it is up. One rate limit bounds all contacts that peers can cause this way.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use super::exchange::{Content, Exchanges, Purpose, Request};
use super::output::Output;
use super::rate_limit::RateLimit;
use super::timer::Timer;
use crate::clock::Now;
use crate::membership::{Members, supersedes};
use crate::message::{Entry, ServerUrl};

/// Contacts at once, and a second.
const CONTACTS: (u32, u32) = (6, 3);

/// The reported failures that are not verified yet.
#[derive(Debug)]
pub struct Verifier {
    reports: BTreeMap<ServerUrl, Entry>,
    contacts: RateLimit,
}

impl Verifier {
    /// Nothing is reported.
    pub fn new(now: Now) -> Self {
        Self { reports: BTreeMap::new(), contacts: RateLimit::half_full(CONTACTS, now.mono) }
    }

    /// A failure is reported that must be verified. The newest report of a server is kept.
    pub fn on_report(&mut self, entry: &Entry) {
        let report = self.reports.entry(entry.url.clone()).or_insert_with(|| entry.clone());
        if supersedes(entry, report) {
            *report = entry.clone();
        }
    }

    /// The report about a server that waits to be verified.
    pub fn report(&self, url: &ServerUrl) -> Option<&Entry> {
        self.reports.get(url)
    }

    /// Removes the report about a server: it has answered, or it has not.
    pub fn take_report(&mut self, url: &ServerUrl) -> Option<Entry> {
        self.reports.remove(url)
    }

    /// Whether any report waits.
    pub fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Forgets all reports.
    pub fn clear(&mut self) {
        self.reports.clear();
    }

    /// The servers to contact now because they are reported as failed, as many as the rate limit allows. Each is sent the
    /// report, so that one contact makes it refute the report for everybody.
    pub fn next_verifications(
        &mut self,
        members: &Members,
        exchanges: &Exchanges,
        now: Now,
        out: &mut Output,
    ) -> Vec<Request> {
        self.reports.retain(|_, report| members.would_take(report, now));
        let under_way = exchanges.receivers(|purpose| *purpose == Purpose::Verification);
        let mut waiting: Vec<_> = self.reports.keys().filter(|url| !under_way.contains(url)).collect();
        waiting.shuffle(&mut out.rng);
        let mut requests = Vec::new();
        for url in waiting {
            if let Err(later) = self.contacts.take(1, now.mono) {
                out.timers.set(Timer::Verification, later);
                break;
            }
            let report = self.reports.get(url).cloned().into_iter().collect();
            let content = Content::Entries(report, Box::default());
            requests.push(Request::with(url.clone(), Purpose::Verification, content));
        }
        requests
    }

    /// A contact with one server because of what is said of it, if the rate limit allows that.
    pub fn contact(&mut self, url: &ServerUrl, now: Now) -> Option<Request> {
        let is_allowed = self.contacts.take(1, now.mono).is_ok();
        is_allowed.then(|| Request::new(url.clone(), Purpose::Contact))
    }
}
