//! `LocalMember`: our own entry. `on_entry` collects what others claim about us, and `refresh` stamps our entry and
//! refutes the claims. Also detects that others cannot reach our base URL (`on_contact`, `check_url`), and that another
//! process has it (it refutes us in turn). A server is the authority on itself: only here is its entry changed.

use std::time::Duration;

use rand::RngExt;

use super::detector::STARTUP_GRACE;
use super::event::{Event, Resolved};
use super::output::Output;
use super::timer::Timer;
use crate::clock::{HOUR, Now};
use crate::config::Settings;
use crate::membership::{MAX_LEAD, effective_incarnation, join, leave_lead, supersedes};
use crate::message::{Entry, EntryV2, Extensions, Reason, ServerUrl, State, Tags};

/// How many intervals after its start, or after refuting its own failure, a server waits for a contact before it reports
/// that its base URL does not work. Others contact a new server at once, and probe an online one each interval; version 1
/// servers choose at random, so ten are needed.
const URL_DOUBT_INTERVALS: u32 = 10;
/// For how long another process must show itself before we warn: so many intervals, but not more than [`LONGEST_OVERLAP`].
/// In a zero-downtime restart, the old and the new process overlap for a while.
const OVERLAP_INTERVALS: u32 = 5;
/// Twice the time that Kubernetes gives a process to end.
const LONGEST_OVERLAP: Duration = Duration::from_secs(60);
/// The age at which the stamp of a drained server is renewed, ms. Its tombstone would expire after 24 h.
const DRAINED_STAMP_AGE: u64 = HOUR;
/// The least time between two broadcast changes of readiness.
const READY_PAUSE: Duration = Duration::from_secs(1);
/// How far beyond [`MAX_LEAD`] our own entry may be ahead of our clock, ms: a refutation exceeds the claim, and clocks
/// are corrected in small steps.
const LEAD_SLACK: u64 = 60_000;

// Nobody has contacted us since the start, or since others declared us failed.
#[derive(Clone, Debug)]
struct UrlDoubt {
    since: Duration,
    by: Option<ServerUrl>,
}

// When we first and last noticed another process: we refuted an entry of it, or were told a newer stamp of it.
#[derive(Clone, Copy, Debug)]
struct OtherProcess {
    first: Duration,
    last: Duration,
    is_reported: bool,
}

/// The local member's state. Its entry is in `Members`.
#[derive(Clone, Debug)]
pub struct LocalMember {
    interval: Duration,
    // The greatest entry about us that wins over our own, until we refute it.
    to_refute: Option<Entry>,
    url_doubt: Option<UrlDoubt>,
    is_reported_unreachable: bool,
    duplicate: Option<OtherProcess>,
    // The newest stamp of another process with our base URL that we were told.
    told: Option<u64>,
    is_contacted: bool,
    // Our base URL is a loopback address, and this was not reported yet.
    is_loopback: bool,
    // Tags and readiness that wait to be broadcast, and when each was last broadcast.
    new_tags: Option<Tags>,
    tags_sent: Option<Duration>,
    new_ready: Option<bool>,
    ready_sent: Option<Duration>,
}

impl LocalMember {
    /// No claims about us yet.
    pub fn new(url: &ServerUrl, interval: Duration, now: Now) -> Self {
        Self {
            interval,
            is_loopback: url.is_loopback(),
            to_refute: None,
            url_doubt: Some(UrlDoubt { since: now.mono, by: None }),
            is_reported_unreachable: false,
            duplicate: None,
            told: None,
            is_contacted: false,
            new_tags: None,
            tags_sent: None,
            new_ready: None,
            ready_sent: None,
        }
    }

    /// The first entry of a new process. Its incarnation starts at the wall clock, above that of earlier processes.
    pub fn first_entry(settings: &Settings, now: Now, out: &mut Output) -> Entry {
        let Settings { base_url: url, monitor, tags, is_ready, .. } = settings;
        let (url, monitor, extensions) = (url.clone(), *monitor, Extensions::new(tags, *is_ready));
        let v2 = EntryV2 { incarnation: now.wall, instance: out.rng.random(), reason: None, author: None, extensions };
        Entry { url, monitor, state: State::Online, stamp: now.wall, v2: Some(v2) }
    }

    /// A peer sent an entry about us. If it wins over our own, the next [`Self::refresh`] refutes it.
    pub fn on_entry(&mut self, own: &Entry, entry: &Entry) {
        // Version 1 peers compare only stamps: a different state with a newer stamp wins there.
        if supersedes(entry, own)
            || alters_extensions(entry, own)
            || (entry.state != own.state && entry.stamp >= own.stamp)
        {
            self.to_refute = Some(match self.to_refute.take() {
                Some(earlier) => join(earlier, entry.clone()),
                None => entry.clone(),
            });
        }
    }

    /// The program set its tags. Returns when to call [`Self::take_changes`].
    pub fn set_tags(&mut self, tags: Tags, now: Now) -> Option<Duration> {
        self.new_tags = Some(tags);
        self.changes_due(now)
    }

    /// The program set its readiness. Returns when to call [`Self::take_changes`].
    pub fn set_ready(&mut self, is_ready: bool, now: Now) -> Option<Duration> {
        self.new_ready = Some(is_ready);
        self.changes_due(now)
    }

    // Readiness goes out sooner than tags: until then others send requests here.
    fn changes_due(&self, now: Now) -> Option<Duration> {
        let after = |sent: Option<Duration>, pause| sent.map_or(now.mono, |sent| now.mono.max(sent + pause));
        let tags = self.new_tags.as_ref().map(|_| after(self.tags_sent, self.interval));
        let ready = self.new_ready.map(|_| after(self.ready_sent, READY_PAUSE));
        tags.into_iter().chain(ready).min()
    }

    /// Our entry with the waiting tags and readiness, if they differ.
    pub fn take_changes(&mut self, mut own: Entry, now: Now) -> Option<Entry> {
        let above = effective_incarnation(&own) + 1;
        let v2 = own.v2.as_mut()?;
        let (tags, is_ready) = (v2.extensions.tags(), v2.extensions.is_ready());
        let new_tags = self.new_tags.take().filter(|new| *new != tags);
        let new_ready = self.new_ready.take().filter(|new| *new != is_ready);
        if new_tags.is_none() && new_ready.is_none() {
            return None;
        }
        if new_tags.is_some() {
            self.tags_sent = Some(now.mono);
        }
        if new_ready.is_some() {
            self.ready_sent = Some(now.mono);
        }
        v2.extensions = Extensions::new(&new_tags.unwrap_or(tags), new_ready.unwrap_or(is_ready));
        set_incarnation(&mut own, above);
        Some(own)
    }

    /// Another server contacted us, so our base URL works.
    pub fn on_contact(&mut self, out: &mut Output) {
        self.is_contacted = true;
        self.url_doubt = None;
        if std::mem::take(&mut self.is_reported_unreachable) {
            out.report(Event::Resolved(Resolved::Unreachable));
        }
    }

    /// Another server is online. If its base URL leads to another machine and ours is a loopback address, it cannot
    /// reach us.
    pub fn on_online(&mut self, own: &ServerUrl, other: &ServerUrl, out: &mut Output) {
        if self.is_loopback && !other.is_loopback() {
            self.is_loopback = false;
            out.report(Event::LoopbackUrl { url: own.clone(), other: other.clone() });
        }
    }

    /// Whether another server has contacted us. Before that, our program may not listen yet.
    pub fn is_contacted(&self) -> bool {
        self.is_contacted
    }

    /// Our entry with a new stamp, and with claims about us refuted. Call it only while the event loop turns: other
    /// servers cannot detect a hung program by other means.
    pub fn refresh(&mut self, mut own: Entry, now: Now, out: &mut Output) -> Entry {
        if let Some(claim) = self.to_refute.take() {
            self.refute(&mut own, &claim, now, out);
        }
        // Each stamp of a drained server is broadcast, so it is renewed only before it expires.
        if own.state == State::Online || own.stamp + DRAINED_STAMP_AGE < now.wall {
            own.stamp = own.stamp.max(now.wall);
        }
        // Our clock was ahead and has been set back. Others would not accept our entry, and may have refused our
        // messages meanwhile.
        if own.stamp.max(effective_incarnation(&own)) > now.wall + MAX_LEAD + LEAD_SLACK {
            own.stamp = now.wall;
            let incarnation = own.v2.as_ref().map_or(0, |v2| v2.incarnation);
            set_incarnation(&mut own, if incarnation > now.wall + MAX_LEAD { now.wall } else { incarnation + 1 });
        }
        own
    }

    fn refute(&mut self, own: &mut Entry, claim: &Entry, now: Now, out: &mut Output) {
        let (ours, theirs) = (effective_incarnation(own), effective_incarnation(claim));
        // Others verify a claim this far ahead of our clock, and those with slow clocks would refuse its refutation.
        if theirs > now.wall + MAX_LEAD {
            own.stamp = now.wall;
            return;
        }
        // The same state with a newer stamp needs no refutation: version 1 peers stamp us in their master list.
        if (theirs, claim.state) > (ours, own.state) || alters_extensions(claim, own) {
            out.counters.refutations += 1;
            if is_of_running_process(claim, own) {
                self.on_other_process(&own.url, now, out);
            }
            if claim.is_failure() {
                let by = claim.v2.as_ref().and_then(|v2| v2.author.clone());
                if self.url_doubt.is_none() {
                    out.timers.set_earlier(Timer::SelfProbe, now.mono);
                }
                let doubt = self.url_doubt.get_or_insert(UrlDoubt { since: now.mono, by: None });
                doubt.by = doubt.by.take().or(by);
            }
            set_incarnation(own, ours.max(theirs) + 1);
        }
        own.stamp = own.stamp.max((claim.stamp + 1).min(now.wall + MAX_LEAD + 1));
    }

    /// Our entry when the program drains, resumes or leaves. `has_peers`: another protocol 2 server is online. If not,
    /// a leave is not stamped ahead, since version 1 servers would hold the lead against the next process here.
    pub fn declare(&self, mut own: Entry, state: State, reason: Option<Reason>, has_peers: bool, now: Now) -> Entry {
        let above = effective_incarnation(&own) + 1;
        own.state = state;
        own.stamp = (own.stamp + 1).max(now.wall);
        if reason == Some(Reason::Left) && has_peers {
            let ahead = (own.stamp + leave_lead(self.interval)).min(now.wall + MAX_LEAD);
            own.stamp = own.stamp.max(ahead);
        }
        set_incarnation(&mut own, above);
        if let Some(v2) = &mut own.v2 {
            v2.reason = reason;
            v2.author = reason.map(|_| own.url.clone());
        }
        own
    }

    /// Each round: reports if others answer us, but have not contacted us since we started or they declared us failed.
    /// Then our base URL does not lead to us. If it does, they contact us soon, which ends the doubt.
    pub fn check_url(&mut self, own: &Entry, last_response: Duration, now: Now, out: &mut Output) {
        let is_answered = now.mono < last_response + 2 * self.interval;
        // Nobody contacts a drained server.
        let is_listed = own.state == State::Online;
        let patience = URL_DOUBT_INTERVALS * self.interval;
        // A program may listen later than it starts.
        let from_start = patience.max(STARTUP_GRACE);
        if let Some(UrlDoubt { since, by }) = &self.url_doubt
            && is_listed
            && is_answered
            && now.mono >= *since + if by.is_some() { patience } else { from_start }
        {
            out.report(Event::Unreachable { url: own.url.clone(), by: by.clone() });
            (self.url_doubt, self.is_reported_unreachable) = (None, true);
        }
        let overlap = OVERLAP_INTERVALS * self.interval;
        // Wait for twice the overlap: behind a load balancer, several self-probes in a row may reach this process.
        if let Some(ended) = self.duplicate.take_if(|it| now.mono >= it.last + 2 * overlap)
            && ended.is_reported
        {
            out.report(Event::Resolved(Resolved::DuplicateUrl));
        }
        // The other process may be the one that is listed, which nothing else would tell of us.
        if self.duplicate.is_some() {
            out.timers.set_earlier(Timer::SelfProbe, now.mono);
        }
    }

    /// A message with an entry at our base URL came from there, or from a peer that lists it. Another process runs for as
    /// long as its stamps advance: the entry of an earlier process stays as it is, and so does a repeated message.
    pub fn on_told(&mut self, own: &Entry, told: &Entry, now: Now, out: &mut Output) {
        if !is_of_running_process(told, own) {
            return;
        }
        // The newest: peers have seen the last stamps of an earlier process to a different extent.
        let advances = self.told.is_some_and(|newest| newest < told.stamp);
        self.told = self.told.max(Some(told.stamp));
        if advances {
            self.on_other_process(&own.url, now, out);
        }
    }

    // Another process with our base URL runs.
    fn on_other_process(&mut self, url: &ServerUrl, now: Now, out: &mut Output) {
        let overlap = (OVERLAP_INTERVALS * self.interval).min(LONGEST_OVERLAP);
        // After a silence this is yet another process, which replaces us or is replaced. Some signs come once a round.
        let silence = overlap.max(2 * self.interval);
        let known = self.duplicate.filter(|it| now.mono < it.last + silence);
        let mut first = known.map_or(now.mono, |it| it.first);
        let mut is_reported = self.duplicate.is_some_and(|it| it.is_reported);
        if now.mono >= first + overlap {
            out.report(Event::DuplicateUrl(url.clone()));
            (first, is_reported) = (now.mono, true);
        }
        self.duplicate = Some(OtherProcess { first, last: now.mono, is_reported });
    }
}

// Whether an entry has other extensions than ours at the same incarnation. Left-out extensions do not count.
fn alters_extensions(claim: &Entry, own: &Entry) -> bool {
    claim.v2.as_ref().zip(own.v2.as_ref()).is_some_and(|(theirs, ours)| {
        let is_known = !theirs.extensions.is_left_out();
        is_known && theirs.has_extensions_of(ours) && theirs.extensions != ours.extensions
    })
}

/// Whether an entry is of another process that runs with the same base URL, as far as its author knows.
pub fn is_of_running_process(claim: &Entry, own: &Entry) -> bool {
    claim.state == State::Online && claim.v2.is_some() && claim.instance() != own.instance()
}

fn set_incarnation(own: &mut Entry, incarnation: u64) {
    if let Some(v2) = &mut own.v2 {
        v2.incarnation = incarnation;
    }
}
