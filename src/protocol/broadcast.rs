//! `Broadcasts`: dissemination of updates. Each server sends an update once: to its successor on the ring, so that no
//! server is left out by chance, and to two random servers, for speed. Digests repair what is lost. `add` queues an
//! update; `next_messages` sends the queue at [`Timer::Broadcast`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Content, Purpose, Request};
use super::output::Output;
use super::rate_limit::RateLimit;
use super::repair::MAX_ENTRY_BYTES;
use super::timer::Timer;
use crate::clock::Now;
use crate::membership::Members;
use crate::message::{Envelope, Message, ServerUrl};

/// The least time between two broadcasts. Updates that arrive meanwhile share one message.
const BATCH: Duration = Duration::from_millis(40);
/// How many random servers get each update, in addition to the ring successor.
const FANOUT: usize = 2;
/// How many further servers on the ring are tried if the successor does not respond.
const RING_TRIES: u32 = 2;
/// Most waiting updates. Digests repair the rest.
const MAX_WAITING: usize = 5_000;
/// The least time between two renewals of a server, in intervals.
const RENEWAL: f64 = 0.8;
/// Most servers whose last renewal is remembered. Renewals of further servers are not broadcast.
const MAX_RENEWALS: usize = 1_000;
/// Rate limit of broadcast messages: burst, and per second.
const MESSAGES: (u32, u32) = (8, 2);
/// How many random servers are notified directly of a failure that we declare, and the rate limit of these messages.
const DECLARATION_FANOUT: usize = 8;
const DECLARATIONS: (u32, u32) = (16, 2);

/// The updates waiting to be broadcast.
#[derive(Clone, Debug)]
pub struct Broadcasts {
    interval: Duration,
    waiting: BTreeSet<ServerUrl>,
    // When a renewal (same state, newer entry) of a server was last broadcast.
    renewals: BTreeMap<ServerUrl, Duration>,
    messages: RateLimit,
    // Limits direct notifications of failures that we declare.
    declarations: RateLimit,
    last: Duration,
}

impl Broadcasts {
    /// No updates.
    pub fn new(interval: Duration, now: Now) -> Self {
        let messages = RateLimit::half_full(MESSAGES, now.mono);
        let declarations = RateLimit::half_full(DECLARATIONS, now.mono);
        Self { interval, waiting: BTreeSet::new(), renewals: BTreeMap::new(), messages, declarations, last: now.mono }
    }

    /// Adds an update of a member.
    pub fn add(&mut self, url: ServerUrl, members: &Members, now: Now, out: &mut Output) {
        // Our own update goes out at once, together with the waiting ones.
        let due = if url == *members.local_url() { now.mono } else { now.mono.max(self.last + BATCH) };
        if self.waiting.len() < MAX_WAITING {
            self.waiting.insert(url);
            out.timers.set_earlier(Timer::Broadcast, due);
        }
    }

    /// Whether a renewal of a server may be broadcast: about once an interval, because two processes with one base URL
    /// refute each other for ever. A little less than an interval, because tags change once an interval and arrive with
    /// jitter.
    pub fn may_renew(&mut self, url: &ServerUrl, now: Now) -> bool {
        let last = self.renewals.get(url).copied();
        let may =
            last.is_none_or(|at| now.mono >= at + self.interval.mul_f64(RENEWAL)) && self.renewals.len() < MAX_RENEWALS;
        if may {
            self.renewals.insert(url.clone(), now.mono);
        }
        may
    }

    /// The messages to send now.
    pub fn next_messages(&mut self, members: &Members, now: Now, out: &mut Output) -> Vec<Request> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let Some(targets) = self.targets(members, out) else {
            self.waiting.clear();
            return Vec::new();
        };
        if let Err(later) = self.messages.take(targets.len(), now.mono) {
            out.timers.set(Timer::Broadcast, later);
            return Vec::new();
        }
        self.last = now.mono;
        let Some(message) = self.take_batch(members, out) else { return Vec::new() };
        if !self.waiting.is_empty() {
            out.timers.set(Timer::Broadcast, now.mono + BATCH);
        }
        let request = |(place, to)| {
            let ring_tries = if place == 0 { RING_TRIES } else { 0 };
            Request::with(to, Purpose::Update { ring_tries }, Content::Message(Arc::clone(&message)))
        };
        targets.into_iter().enumerate().map(request).collect()
    }

    /// Notifies some random servers directly of a failure that we declare, to save the first hops of the broadcast. Not
    /// for a server that never answered us: it may be invented, and there may be thousands.
    pub fn declare(&mut self, url: &ServerUrl, members: &Members, now: Now, out: &mut Output) -> Vec<Request> {
        let Some(entry) = members.get(url).map(|member| &member.entry).filter(|_| members.is_reached(url)) else {
            return Vec::new();
        };
        let targets = members.random_peers(&mut out.rng, DECLARATION_FANOUT, &[]);
        let allowed = targets.into_iter().take_while(|_| self.declarations.take(1, now.mono).is_ok());
        let request = |to| {
            let content = Content::Entries(vec![entry.clone()], Box::default());
            Request::with(to, Purpose::Update { ring_tries: 0 }, content)
        };
        allowed.map(request).collect()
    }

    // The ring successor and some random servers. The successor must not be the subject of an update, since it would
    // not pass that on.
    fn targets(&self, members: &Members, out: &mut Output) -> Option<Vec<ServerUrl>> {
        let next = members.successors().find(|url| !self.waiting.contains(*url));
        let next = next.or_else(|| members.successors().next()).cloned()?;
        let mut targets = vec![next];
        targets.extend(members.random_peers(&mut out.rng, FANOUT, &targets));
        Some(targets)
    }

    fn take_batch(&mut self, members: &Members, out: &mut Output) -> Option<Arc<Message>> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < MAX_ENTRY_BYTES
            && let Some(url) = self.waiting.pop_first()
        {
            // Every message contains our own entry anyway.
            if let Some(member) = members.get(&url).filter(|_| url != *members.local_url()) {
                bytes += member.entry.size();
                entries.push(member.entry.clone());
            }
        }
        out.counters.updates += entries.len() as u64;
        let own = members.local()?.clone();
        Some(Arc::new(Message::new_v2(own, entries, Envelope::default())))
    }

    /// The server to notify instead of one that did not respond: the next on the ring, or the next that has answered us
    /// if this one never has.
    pub fn fallback_for(
        failed: &ServerUrl,
        ring_tries: u32,
        message: Arc<Message>,
        members: &Members,
    ) -> Option<Request> {
        let (to, ring_tries) = if let Some(reached) = members.reached_after(failed) {
            (reached, 0)
        } else {
            let next = members.successors_of(failed).find(|url| *url != members.local_url());
            (next?, ring_tries.checked_sub(1)?)
        };
        Some(Request::with(to.clone(), Purpose::Update { ring_tries }, Content::Message(message)))
    }

    /// Drops an update that is sent in another way.
    pub fn forget(&mut self, url: &ServerUrl) {
        self.waiting.remove(url);
    }

    /// How many updates wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no update waits.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Drops all updates.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Forgets old renewals.
    pub fn expire(&mut self, now: Now) {
        self.renewals.retain(|_, at| now.mono < *at + self.interval);
    }
}
