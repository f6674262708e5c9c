//! `Repair`: anti-entropy. Two servers compare digests and exchange the entries of the buckets that differ:
//!
//! ```text
//! A ── digest ───────────────────────────────────────────> B   every usual message
//! A <─ own digest, hashes of the buckets (if different) ── B   `answer`
//! A ── entries of the buckets that differ, request ──────> B   `on_answer`: Purpose::Repair
//! A <─ B's entries of these buckets ────────────────────── B   `answer`; A ends with `on_end`
//! ```
//!
//! A pair of digests that this does not make equal is not tried again.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;

use super::exchange::{Content, DigestPair, Exchanges, Purpose, Request};
use super::freshness;
use super::output::Output;
use super::pacing::crowd_factor;
use super::timer::Timer;
use crate::clock::{HOUR, MAX_CLOCK_ERROR, Now};
use crate::membership::{Members, TOMBSTONE_TTL, supersedes};
use crate::message::{Entry, Envelope, ServerUrl};

/// Most bytes of entries in one message. With the rest of the message and JSON escapes, it stays below the promised 90
/// kB, and so below Express's default limit of 100 kB.
pub const MAX_ENTRY_BYTES: usize = 80_000;
/// Tombstones with less than this to live are left out of digests, ms: a server with another clock may have expired
/// them. The greatest difference of two clocks, plus an hour.
const NEAR_EXPIRY: u64 = 2 * MAX_CLOCK_ERROR + HOUR;
/// Catch-up of a new server whose list differs: the delay, the number of servers to contact, and the cluster size from
/// which the delay grows. With equal lists it waits for a third of its age, since two new servers may lack the same
/// entries.
const CATCH_UP: Duration = Duration::from_secs(1);
const CATCH_UP_PEERS: usize = 2;
const CATCH_UP_AT_A_TIME: usize = 300;
const MAX_CROWD_FACTOR: f64 = 5.0;
/// How long a server counts as new after its first answer.
const CATCH_UP_FOR: Duration = Duration::from_secs(30);
/// How many digest pairs are remembered that repair could not reconcile. They are not retried.
const MAX_IRRECONCILABLE: usize = 16;

/// The known differences between our list and others'.
#[derive(Clone, Debug)]
pub struct Repair {
    interval: Duration,
    irreconcilable: VecDeque<DigestPair>,
    first_response: Option<Duration>,
}

impl Repair {
    /// No known differences.
    pub fn new(interval: Duration) -> Self {
        Self { interval, irreconcilable: VecDeque::new(), first_response: None }
    }

    /// A server answered us.
    pub fn on_response(&mut self, now: Now) {
        self.first_response.get_or_insert(now.mono);
    }

    /// The digest and stamps of the usual message.
    pub fn digest_and_stamps(members: &Members, now: Now, out: &mut Output) -> Envelope {
        let digest = members.digest(now.wall.saturating_sub(TOMBSTONE_TTL - NEAR_EXPIRY));
        Envelope { digest: Some(digest), freshness: freshness::sample(members, out), ..Envelope::default() }
    }

    /// The repair's part of an answer, and the entries to send: first the leaves that win over entries of the message,
    /// since digests may not cover them any more.
    pub fn answer(
        &self,
        request: &Envelope,
        sent: &[Entry],
        members: &mut Members,
        now: Now,
        out: &mut Output,
    ) -> (Vec<Entry>, Envelope) {
        let mut answer = Envelope::default();
        if !request.requested_buckets.is_empty() {
            let first = out.rng.random_range(0..request.requested_buckets.len());
            let cutoff = request.digest.map_or(0, |digest| digest.cutoff);
            let (entries, has_more) = fitting(winning_leaves(sent, members).chain(members.in_buckets(
                &request.requested_buckets,
                first,
                cutoff,
            )));
            answer.has_more = has_more;
            // Lets the peer see whether the lists are equal now.
            answer.digest = request.digest.map(|digest| members.digest(digest.cutoff));
            return (entries, answer);
        }
        if let Some(theirs) = request.digest {
            let ours = members.digest(theirs.cutoff);
            if ours == theirs {
                freshness::apply(&request.freshness, members, now);
                (answer.digest, answer.freshness) = (Some(ours), freshness::sample(members, out));
            } else if !self.irreconcilable.contains(&(ours.hash, theirs.hash)) {
                answer.digest = Some(ours);
                answer.buckets = members.buckets(members.bucket_count(), theirs.cutoff);
            }
        }
        (Vec::new(), answer)
    }

    /// An answer arrived. If its digest differs from ours, returns the repair exchange.
    pub fn on_answer(
        &self,
        answer: &Envelope,
        seeds: usize,
        members: &mut Members,
        exchanges: &Exchanges,
        now: Now,
        out: &mut Output,
    ) -> Option<(Purpose, Content)> {
        let theirs = answer.digest?;
        let ours = members.digest(theirs.cutoff);
        if ours == theirs {
            freshness::apply(&answer.freshness, members, now);
            self.schedule_catch_up(true, members.online() + seeds, now, out);
            return None;
        }
        let pair = (ours.hash, theirs.hash);
        if self.irreconcilable.contains(&pair) {
            return None;
        }
        self.schedule_catch_up(false, members.online() + seeds, now, out);
        // One repair at a time: the first may bring everything that other servers have too.
        let is_repairing = exchanges.count(|purpose| matches!(purpose, Purpose::Repair(_))) > 0;
        if answer.buckets.is_empty() || is_repairing {
            return None;
        }
        let buckets = members.buckets(answer.buckets.len(), theirs.cutoff);
        let requested_buckets: Vec<_> =
            buckets.iter().zip(&answer.buckets).map(|(ours, theirs)| ours != theirs).collect();
        let first = out.rng.random_range(0..requested_buckets.len());
        let (entries, _) = fitting(members.in_buckets(&requested_buckets, first, theirs.cutoff));
        let envelope = Envelope { digest: Some(ours), requested_buckets, ..Envelope::default() };
        Some((Purpose::Repair(pair), Content::Entries(entries, envelope.into())))
    }

    /// A repair ended. If entries are still missing, returns a request to another server, to spread the load.
    pub fn on_end(
        &mut self,
        pair: DigestPair,
        peer: &ServerUrl,
        answer: Option<&Envelope>,
        members: &Members,
        out: &mut Output,
    ) -> Option<Request> {
        // The peer may have received its missing entries in the same exchange.
        let theirs = answer.and_then(|answer| answer.digest);
        let is_progress = theirs.is_some_and(|theirs| {
            let ours = members.digest(theirs.cutoff);
            ours.hash != pair.0 || ours == theirs
        });
        if !is_progress {
            if self.irreconcilable.len() == MAX_IRRECONCILABLE {
                self.irreconcilable.pop_front();
            }
            self.irreconcilable.push_back(pair);
            return None;
        }
        answer.filter(|answer| answer.has_more)?;
        let next = members.random_peers(&mut out.rng, 1, &[]).pop();
        Some(Request::new(next.unwrap_or_else(|| peer.clone()), Purpose::Contact))
    }

    // New servers miss some updates, because a mass start is not broadcast. They catch up before their next round. The
    // rounds stay as scheduled: moving them would synchronize the rounds of all new servers for good.
    fn schedule_catch_up(&self, is_equal: bool, servers: usize, now: Now, out: &mut Output) {
        let Some(age) = self.first_response.map(|first| now.mono.saturating_sub(first)) else { return };
        if age < self.interval.min(CATCH_UP_FOR) && !out.timers.is_set(Timer::CatchUp) {
            let delay = if is_equal { CATCH_UP.max(age / 3) } else { CATCH_UP };
            let factor = out.jitter(0.5..1.5) * crowd_factor(servers, CATCH_UP_AT_A_TIME).min(MAX_CROWD_FACTOR);
            out.timers.set(Timer::CatchUp, now.mono + delay.mul_f64(factor));
        }
    }

    /// The contacts of a new server to catch up.
    pub fn catch_up(members: &Members, out: &mut Output) -> Vec<Request> {
        let peers = members.random_peers(&mut out.rng, CATCH_UP_PEERS, &[]);
        peers.into_iter().map(|to| Request::new(to, Purpose::Contact)).collect()
    }
}

/// The listed leaves that win over entries of a message.
pub fn winning_leaves<'a>(sent: &'a [Entry], members: &'a Members) -> impl Iterator<Item = &'a Entry> {
    sent.iter().filter_map(|entry| {
        let held = &members.get(&entry.url)?.entry;
        (held.is_leave() && supersedes(held, entry)).then_some(held)
    })
}

/// As many entries as fit in a message, and whether some are left.
pub fn fitting<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> (Vec<Entry>, bool) {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for entry in entries.by_ref() {
        bytes += entry.size();
        taken.push(entry.clone());
        if bytes >= MAX_ENTRY_BYTES {
            return (taken, entries.next().is_some());
        }
    }
    (taken, false)
}
