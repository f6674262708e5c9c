//! Making two lists the same: digests, and where they differ, what differs. And stamps, so that everybody knows how fresh
//! what it knows is.

use std::time::Duration;

use rand::RngExt;

use super::exchange::Purpose;
use super::timer::Timer;
use super::{Core, by_url};
use crate::clock::Now;
use crate::membership::{TOMBSTONE_TTL, supersedes};
use crate::message::{Entry, Envelope, Freshness, MAX_AHEAD, MAX_FRESHNESS_STAMPS, Message, ServerUrl, State};

/// Most bytes of entries in one message: with what else is in it, and what JSON adds, below the 90 kB that we hold
/// ourselves to, and so below the 100 kB that Express takes.
pub const MAX_ENTRY_BYTES: usize = 80_000;
/// The same of a message that holds nothing else, for a version 1 server.
const MAX_LEGACY_BYTES: usize = 89_000;
/// Changes that are remembered as the last, for version 1 servers: as many as fit in half a message.
const MAX_CHANGED: usize = MAX_LEGACY_BYTES / 2 / 80;
/// Tombstones that have less than this to live, ms, are left out of digests: clocks may be two hours apart, and an hour
/// to spare.
const NEAR_EXPIRY: u64 = 3 * 3_600_000;
/// How soon whoever is new asks others again, and how many, while one of them lists something else than it does.
const CATCH_UP_WITH: usize = 2;
const CATCH_UP: Duration = Duration::from_secs(1);
const CATCH_UP_AT_A_TIME: usize = 300;
const MAX_CROWD: f64 = 5.0;
/// For how long at most.
const CATCH_UP_FOR: Duration = Duration::from_secs(30);
/// Pairs of digests that are known not to become one.
const MAX_FUTILE: usize = 16;
/// After how many intervals a stamp that a v1 server holds is old enough to be worth the bytes.
const STALE: u64 = 2;

impl Core {
    /// Our entry, our digest, some stamps, and what we hold of the receiver if it may want to correct it.
    pub(super) fn usual_message(&mut self, to: &ServerUrl, now: Now) -> Message {
        let held = self.members.get(to).map(|member| &member.entry).filter(|entry| entry.state == State::Offline);
        let view: Vec<_> = self.claims.get(to).or(held).cloned().into_iter().collect();
        let digest = Some(self.members.digest(now.wall.saturating_sub(TOMBSTONE_TTL - NEAR_EXPIRY)));
        let envelope = Envelope { digest, freshness: self.ages(), ..Envelope::default() };
        Message::new_v2(self.own().clone(), view, envelope)
    }

    /// The answer to a server of ours, once its message is taken in.
    pub(super) fn answer(&mut self, said: Option<&Entry>, envelope: &Envelope, now: Now) -> Message {
        let mut answer = Envelope::default();
        let mut others = Vec::new();
        // What we hold of it, where that goes beyond what it says of itself.
        if let Some(said) = said {
            let held = self.members.get(&said.url).map(|member| &member.entry);
            let held = self.claims.get(&said.url).or(held).filter(|held| supersedes(held, said));
            others.extend(held.cloned());
        }
        if let Some(theirs) = envelope.digest.filter(|_| envelope.requested_buckets.is_empty()) {
            let mine = self.members.digest(theirs.cutoff);
            if mine == theirs {
                self.take_ages(&envelope.freshness, now);
                (answer.digest, answer.freshness) = (Some(mine), self.ages());
            } else if !self.futile.contains(&(mine.hash, theirs.hash)) {
                answer.digest = Some(mine);
                answer.buckets = self.members.buckets(self.members.bucket_count(), theirs.cutoff);
            }
        }
        if !envelope.requested_buckets.is_empty() {
            let first = self.rng.random_range(0..envelope.requested_buckets.len());
            let cutoff = envelope.digest.map_or(0, |digest| digest.cutoff);
            let (entries, more) = fitting(self.members.in_buckets(&envelope.requested_buckets, first, cutoff));
            others.extend(entries);
            answer.has_more = more;
        }
        Message::new_v2(self.own().clone(), others, answer)
    }

    /// The answer to a version 1 server: everything, as far as it fits; what changed last first, the rest in turns.
    pub(super) fn answer_legacy(&mut self) -> Message {
        let own = self.settings.base_url.key();
        let changed = self.changed.iter().rev().filter(|key| **key != own);
        let first: Vec<_> = [own].iter().chain(changed).filter_map(|key| self.members.by_key(*key)).collect();
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut take = |entry: &Entry, most: usize| {
            bytes += entry.size();
            if bytes <= most {
                entries.push(entry.clone());
            }
            bytes <= most
        };
        // Half of the room is left to the others, or a storm of changes would leave them out for as long as it lasts.
        let taken = first.iter().take_while(|entry| take(entry, MAX_LEGACY_BYTES / 2)).count();
        let mut taken: Vec<_> = first[..taken].iter().map(|entry| entry.url.key()).collect();
        taken.sort_unstable();
        let rest = self.members.from(self.legacy_turn);
        let rest = rest.filter(|entry| taken.binary_search(&entry.url.key()).is_err());
        if let Some(last) = rest.take_while(|entry| take(entry, MAX_LEGACY_BYTES)).last() {
            self.legacy_turn = last.url.key().wrapping_add(1);
        }
        Message::new(entries)
    }

    /// An answer has come: goes on where its sender lists something else than we do.
    pub(super) fn compare(&mut self, with: ServerUrl, answer: Message, now: Now) {
        let Some(envelope) = answer.envelope else {
            return self.teach(with, &answer.entries, now);
        };
        let Some(theirs) = envelope.digest else { return };
        let mine = self.members.digest(theirs.cutoff);
        if mine == theirs {
            return self.take_ages(&envelope.freshness, now);
        }
        // One at a time: what the first brings may be all that differs from the others.
        let is_repairing = self.exchanges.values().any(|exchange| matches!(exchange.purpose, Purpose::Repair(..)));
        if self.futile.contains(&(mine.hash, theirs.hash)) {
            return;
        }
        self.expect_catch_up(now);
        if envelope.buckets.is_empty() || is_repairing {
            return;
        }
        let buckets = self.members.buckets(envelope.buckets.len(), theirs.cutoff);
        let wanted: Vec<_> = buckets.iter().zip(&envelope.buckets).map(|(mine, theirs)| mine != theirs).collect();
        let first = self.rng.random_range(0..wanted.len());
        let (entries, _) = fitting(self.members.in_buckets(&wanted, first, theirs.cutoff));
        let envelope = Envelope { digest: Some(mine), requested_buckets: wanted, ..Envelope::default() };
        self.tell(with, Purpose::Repair(mine.hash, theirs.hash), entries, envelope, now);
    }

    // Many that start at once learn of each other in bulk, which is no rumour, and some are missed: whoever is new does not
    // wait for its next round. That stays when it is: rounds brought forward by all would come at the same time ever after.
    fn expect_catch_up(&mut self, now: Now) {
        let is_new = |met| now.mono < met + self.settings.interval.min(CATCH_UP_FOR);
        if self.met.is_some_and(is_new) && !self.timers.is_set(Timer::CatchUp) {
            // Where there are many, each has more to hear than to ask.
            let crowd = 1.0 + (self.members.live() + self.seeds.count()) as f64 / CATCH_UP_AT_A_TIME as f64;
            let crowd = crowd.min(MAX_CROWD);
            let wait = CATCH_UP.mul_f64(self.random_factor(0.5..1.5) * crowd);
            self.timers.set(Timer::CatchUp, now.mono + wait);
        }
    }

    pub(super) fn catch_up(&mut self, now: Now) {
        if self.is_working(now) {
            for to in self.members.helpers(&self.settings.base_url, &mut self.rng, CATCH_UP_WITH, &[]) {
                self.send(to, Purpose::Contact, now);
            }
        }
    }

    /// What differed has been exchanged. Where there is more, others are asked for it: not all from one.
    pub(super) fn end_repair(&mut self, pair: (u64, u64), with: &ServerUrl, answer: &Message, learned: bool, now: Now) {
        if !learned {
            if self.futile.len() == MAX_FUTILE {
                self.futile.pop_front();
            }
            self.futile.push_back(pair);
        } else if answer.envelope.as_ref().is_some_and(|envelope| envelope.has_more) {
            let next = self.members.helpers(&self.settings.base_url, &mut self.rng, 1, &[]).pop();
            self.send(next.unwrap_or_else(|| with.clone()), Purpose::Contact, now);
        }
    }

    // A v1 server's full answer is its digest: it is sent what it lacks, as it reads it.
    fn teach(&mut self, to: ServerUrl, known: &[Entry], now: Now) {
        // A drained v1 server stands in both its lists: the later one, offline, counts.
        let theirs = by_url(known.iter());
        let stale = STALE * self.settings.interval.as_millis() as u64;
        let own = &self.settings.base_url;
        let lacks = |entry: &&Entry| match theirs.get(&entry.url) {
            // It has been told of us already.
            _ if entry.url == *own => false,
            None => entry.stamp + TOMBSTONE_TTL > now.wall,
            Some(known) if known.state != entry.state => supersedes(entry, known),
            Some(known) => entry.state == State::Online && entry.stamp > known.stamp + stale,
        };
        let (lacking, _) = fitting(self.members.entries().filter(lacks));
        if !lacking.is_empty() {
            self.send_this(to, Purpose::Push, Message::new(lacking).into(), false, now);
        }
    }

    /// What is listed of a server has changed.
    pub(super) fn changed(&mut self, url: &ServerUrl) {
        let key = url.key();
        self.changed.retain(|other| *other != key);
        if self.changed.len() == MAX_CHANGED {
            self.changed.pop_front();
        }
        self.changed.push_back(key);
    }

    // A stretch of the ring somewhere: what everybody knows best, or learned last, most others know already.
    fn ages(&mut self) -> Freshness {
        let first = self.rng.random_range(0..self.members.live());
        Freshness { first, stamps: self.members.stamps_from(first).take(MAX_FRESHNESS_STAMPS).map(Some).collect() }
    }

    fn take_ages(&mut self, ages: &Freshness, now: Now) {
        let live = self.members.live();
        let own = self.members.place(self.settings.base_url.key());
        for (stamp, place) in ages.stamps.iter().zip(ages.first % live..) {
            let place = place % live;
            if let Some(stamp) = stamp.filter(|stamp| *stamp <= now.wall + MAX_AHEAD && Some(place) != own) {
                self.members.refresh(place, stamp, now);
            }
        }
    }
}

// As many entries as fit in a message, and whether there are more.
fn fitting<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> (Vec<Entry>, bool) {
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
