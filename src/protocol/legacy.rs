//! Serves version 1 peers. When nobody runs version 1 any more, this file can be deleted;
//! docs/contributors/architecture.md lists the few other places.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Content, Purpose, Request};
use super::repair::fitting;
use crate::clock::Now;
use crate::membership::{ByUrl, Members, TOMBSTONE_TTL, supersedes};
use crate::message::{Entry, Message, ServerUrl, State};

/// Most bytes of entries in a message to a version 1 server.
const MAX_BYTES: usize = 89_000;
/// How many recent changes are remembered: half of a message.
const MAX_CHANGED: usize = MAX_BYTES / 2 / 80;
/// How many intervals older than ours a version 1 server's stamp must be before we send it the newer one.
const STALE_INTERVALS: u64 = 2;

/// What we remember to build messages for version 1 servers.
#[derive(Clone, Debug)]
pub struct Legacy {
    interval: Duration,
    // The keys of the servers that changed last, newest at the end.
    changed: VecDeque<u64>,
    // The key at which the next answer continues, if the list needs several messages.
    next_key: u64,
    last_probed: ServerUrl,
}

impl Legacy {
    /// No changes.
    pub fn new(interval: Duration, local: ServerUrl) -> Self {
        Self { interval, changed: VecDeque::new(), next_key: 0, last_probed: local }
    }

    /// A server's entry changed.
    pub fn on_change(&mut self, url: &ServerUrl) {
        let key = url.key();
        self.changed.retain(|other| *other != key);
        if self.changed.len() == MAX_CHANGED {
            self.changed.pop_front();
        }
        self.changed.push_back(key);
    }

    /// The next version 1 server to probe, in turn, because version 1 servers do not watch each other.
    pub fn next_to_probe(&mut self, members: &Members) -> Option<ServerUrl> {
        let next = members.version_1_after(&self.last_probed)?;
        self.last_probed = next.clone();
        Some(next)
    }

    /// The answer to a version 1 server: as much of the list as fits. Recent changes first, the rest in turns.
    pub fn answer(&mut self, members: &Members) -> Message {
        let local = members.local_url().key();
        let changed = self.changed.iter().rev().filter(|key| **key != local);
        let first: Vec<_> = [local].iter().chain(changed).filter_map(|key| members.by_key(*key)).collect();
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut take = |entry: &Entry, most: usize| {
            bytes += entry.size_for_v1();
            if bytes <= most {
                entries.push(entry.clone());
            }
            bytes <= most
        };
        // Half of the message is reserved for the rest, which a storm of changes would crowd out.
        let taken = first.iter().take_while(|entry| take(entry, MAX_BYTES / 2)).count();
        let mut taken: Vec<_> = first[..taken].iter().map(|entry| entry.url.key()).collect();
        taken.sort_unstable();
        let rest = members.from(self.next_key);
        let rest = rest.filter(|entry| taken.binary_search(&entry.url.key()).is_err());
        if let Some(last) = rest.take_while(|entry| take(entry, MAX_BYTES)).last() {
            self.next_key = last.url.key().wrapping_add(1);
        }
        Message::new(entries)
    }

    /// A version 1 server answered with its list. Returns a version 1 message with the entries that its list lacks.
    pub fn on_answer(&self, sender: ServerUrl, list: &[Entry], members: &Members, now: Now) -> Option<Request> {
        // A drained version 1 server is in both of its lists. The offline entry comes later and wins.
        let theirs = ByUrl::new(list);
        let stale = STALE_INTERVALS * self.interval.as_millis() as u64;
        let is_lacking = |entry: &&Entry| match theirs.get(&entry.url) {
            // Our message had our own entry.
            _ if entry.url == *members.local_url() => false,
            None => entry.stamp + TOMBSTONE_TTL > now.wall,
            Some(known) if known.state != entry.state => supersedes(entry, known),
            Some(known) => entry.state == State::Online && entry.stamp > known.stamp + stale,
        };
        let (lacking, _) = fitting(members.entries().filter(is_lacking));
        if lacking.is_empty() {
            return None;
        }
        let message = Content::Message(Arc::new(Message::new(lacking)));
        Some(Request::with(sender, Purpose::Update { ring_tries: 0 }, message))
    }
}

/// The stamp with which a version 1 server lists itself online in its own message. An offline entry about it with a later
/// stamp repeats what others report: a drained server is in both of its lists with one stamp.
pub fn own_online_stamp(message: &Message, sender: Option<&ServerUrl>) -> Option<u64> {
    let sender = sender.filter(|_| !message.is_v2())?;
    let is_own = |entry: &&Entry| entry.state == State::Online && entry.url == *sender;
    message.entries.iter().find(is_own).map(|own| own.stamp)
}
