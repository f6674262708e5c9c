//! Answers and probes version 1 peers. When nobody runs version 1 any more, this file can be deleted; docs/architecture.md
//! lists the few other places.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Content, Purpose, Request};
use super::repair::fitting;
use crate::clock::Now;
use crate::membership::{Members, TOMBSTONE_TTL, by_url, supersedes};
use crate::message::{Entry, Message, ServerUrl, State};

/// Most bytes of entries in a message for a version 1 server, which holds nothing else.
const MAX_BYTES: usize = 89_000;
/// Changes that are remembered as the last: as many as fit in half a message.
const MAX_CHANGED: usize = MAX_BYTES / 2 / 80;
/// How many intervals older the stamp of a version 1 server must be than ours to be worth the bytes.
const STALE_INTERVALS: u64 = 2;

/// What is remembered to serve version 1 peers.
#[derive(Debug)]
pub struct Legacy {
    interval: Duration,
    // The hashes of the servers whose entries changed last, the newest at the end.
    changed: VecDeque<u64>,
    // At which hash the next answer goes on, where a list takes several messages.
    next_key: u64,
    last_probed: ServerUrl,
}

impl Legacy {
    /// Nothing has changed.
    pub fn new(interval: Duration, local: ServerUrl) -> Self {
        Self { interval, changed: VecDeque::new(), next_key: 0, last_probed: local }
    }

    /// The entry of a server has changed.
    pub fn on_change(&mut self, url: &ServerUrl) {
        let key = url.key();
        self.changed.retain(|other| *other != key);
        if self.changed.len() == MAX_CHANGED {
            self.changed.pop_front();
        }
        self.changed.push_back(key);
    }

    /// The version 1 server to probe in this round: each in its turn, since they do not watch each other.
    pub fn next_to_probe(&mut self, members: &Members) -> Option<ServerUrl> {
        let next = members.version_1_after(&self.last_probed)?;
        self.last_probed = next.clone();
        Some(next)
    }

    /// The answer to a version 1 server: the whole list as far as it fits; what changed last first, the rest in turns.
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
        // Half of the room is for the rest, which a storm of changes would leave out otherwise.
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

    /// A version 1 server has answered with its whole list: the message with what that list lacks, in the form of version 1.
    pub fn on_answer(&self, sender: ServerUrl, list: &[Entry], members: &Members, now: Now) -> Option<Request> {
        // A drained version 1 server stands in both its lists: the later entry, offline, counts.
        let theirs = by_url(list.iter());
        let stale = STALE_INTERVALS * self.interval.as_millis() as u64;
        let is_lacking = |entry: &&Entry| match theirs.get(&entry.url) {
            // It has been told of us already.
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

/// Whether a version 1 server passes on what others say of it, where this entry of it is offline. One that was drained
/// stands in both its lists with one stamp; with a later offline stamp it only repeats what others say.
pub fn is_others_statement(entry: &Entry, message: &Message) -> bool {
    let online = message.entries.iter().find(|it| it.url == entry.url && it.state == State::Online);
    entry.state == State::Offline && online.is_some_and(|online| online.stamp < entry.stamp)
}
