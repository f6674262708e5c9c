//! Verifies what others say before it is listed: a reported failure of a server that seems to be up, and, by a call back, a
//! server that says it is up. One rate limit bounds all contacts that peers can cause this way.

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

/// Contacts at once, and a second.
const CONTACTS: (u32, u32) = (6, 3);

/// A reported failure that is not verified yet.
#[derive(Debug)]
struct Report {
    entry: Entry,
    // Not to be verified before, as monotonic time.
    due: Duration,
}

/// The reported failures that are not verified yet.
#[derive(Debug)]
pub struct Verifier {
    reports: BTreeMap<ServerUrl, Report>,
    contacts: RateLimit,
}

impl Verifier {
    /// Nothing is reported.
    pub fn new(now: Now) -> Self {
        Self { reports: BTreeMap::new(), contacts: RateLimit::half_full(CONTACTS, now.mono) }
    }

    /// A failure is reported that must be verified. The newest report of a server is kept.
    pub fn on_report(&mut self, entry: &Entry) {
        let new = || Report { entry: entry.clone(), due: Duration::ZERO };
        let report = self.reports.entry(entry.url.clone()).or_insert_with(new);
        if supersedes(entry, &report.entry) {
            report.entry = entry.clone();
        }
    }

    /// The report about a server that waits to be verified.
    pub fn report(&self, url: &ServerUrl) -> Option<&Entry> {
        self.reports.get(url).map(|report| &report.entry)
    }

    /// Removes the report about a server: it has answered, or it has not.
    pub fn take_report(&mut self, url: &ServerUrl) -> Option<Entry> {
        self.reports.remove(url).map(|report| report.entry)
    }

    /// The server did not answer, but it still speaks: it is tried again later. The report would not come again by itself.
    pub fn postpone(&mut self, url: &ServerUrl, due: Duration) {
        if let Some(report) = self.reports.get_mut(url) {
            report.due = due;
        }
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
        self.reports.retain(|_, report| members.would_take(&report.entry, now));
        let under_way = exchanges.receivers(|purpose| *purpose == Purpose::Verification);
        let waiting = self.reports.iter().filter(|(url, _)| !under_way.contains(url));
        let (mut due, later): (Vec<_>, Vec<_>) = waiting.partition(|(_, report)| report.due <= now.mono);
        if let Some(next) = later.iter().map(|(_, report)| report.due).min() {
            out.timers.set(Timer::Verification, next);
        }
        due.shuffle(&mut out.rng);
        let mut requests = Vec::new();
        for (url, report) in due {
            if let Err(later) = self.contacts.take(1, now.mono) {
                out.timers.set(Timer::Verification, later);
                break;
            }
            let content = Content::Entries(vec![report.entry.clone()], Box::default());
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
