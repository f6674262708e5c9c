//! Digests for anti-entropy: one hash of the whole list, and one for each bucket of it. Servers compare digests instead
//! of lists, and exchange the buckets that differ.

use std::collections::BTreeMap;

use super::{LEAST_LEAVE_TTL, Members, TOMBSTONE_TTL, effective_incarnation};
use crate::message::{Digest, Entry, MAX_BUCKETS, State, stable_hash};

/// Servers per bucket, about: the cost of one difference.
const BUCKET: usize = 16;
/// How much earlier digests drop leaves than other tombstones, ms. Servers may forget leaves after different times, but
/// all must compute the same digest.
const LEAVES_SOONER: u64 = TOMBSTONE_TTL - LEAST_LEAVE_TTL;

/// The sums from which digests are computed, so that a message with another digest does not cost a walk over the list.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    // Sum of the contributions of all entries, and for each of [`MAX_BUCKETS`] buckets. A map, because the simulator
    // copies many small lists.
    all: u64,
    buckets: BTreeMap<usize, u64>,
    // The contribution of each offline server, by stamp and key.
    tombstones: BTreeMap<(u64, u64), u64>,
    // The same of each server that left.
    leaves: BTreeMap<(u64, u64), u64>,
}

impl Sums {
    /// An entry is listed. Returns its contribution.
    pub fn add(&mut self, entry: &Entry) -> u64 {
        let (key, added) = (entry.url.key(), contribution(entry));
        if entry.state == State::Offline {
            self.tombstones.insert((entry.stamp, key), added);
        }
        if entry.is_leave() {
            self.leaves.insert((entry.stamp, key), added);
        }
        self.change(key, added);
        added
    }

    /// An entry is not listed any more. Returns its contribution.
    pub fn remove(&mut self, entry: &Entry) -> u64 {
        let (key, removed) = (entry.url.key(), contribution(entry));
        self.tombstones.remove(&(entry.stamp, key));
        self.leaves.remove(&(entry.stamp, key));
        self.change(key, removed.wrapping_neg());
        removed
    }

    fn change(&mut self, key: u64, by: u64) {
        self.all = self.all.wrapping_add(by);
        let bucket = self.buckets.entry(bucket_of(key, MAX_BUCKETS)).or_default();
        *bucket = bucket.wrapping_add(by);
    }

    /// The keys of the offline servers stamped since `stamp`.
    pub fn offline_since(&self, stamp: u64) -> impl Iterator<Item = u64> {
        self.tombstones.range((stamp, 0)..).map(|((_, key), _)| *key)
    }

    // The keys and contributions of the tombstones that a digest leaves out.
    fn left_out(&self, cutoff: u64) -> impl Iterator<Item = (u64, u64)> {
        let leaves = self.leaves.range((cutoff, 0)..(cutoff.saturating_add(LEAVES_SOONER), 0));
        self.tombstones.range(..(cutoff, 0)).chain(leaves).map(|((_, key), contribution)| (*key, *contribution))
    }
}

impl Members {
    /// The digest of the list without tombstones stamped before `cutoff`, and without leaves stamped less than
    /// [`LEAVES_SOONER`] after it.
    pub fn digest(&self, cutoff: u64) -> Digest {
        let left_out = self.sums.left_out(cutoff);
        let hash = left_out.fold(self.sums.all, |hash, (_, contribution)| hash.wrapping_sub(contribution));
        Digest { hash, cutoff }
    }

    /// A hash of the online servers. Stays the same while the same processes are online.
    pub fn online_hash(&self) -> u64 {
        self.digest(u64::MAX).hash
    }

    /// How many buckets to compare: many make a difference cheap, but they must fit in a message.
    pub fn bucket_count(&self) -> usize {
        (self.map.len() / BUCKET).next_power_of_two().clamp(4, MAX_BUCKETS)
    }

    /// The hashes of `count` buckets, 24 bits each. `count` must be a power of two, of [`MAX_BUCKETS`] at most.
    pub fn buckets(&self, count: usize, cutoff: u64) -> Vec<u32> {
        let mut buckets = vec![0u64; count];
        for (place, sum) in &self.sums.buckets {
            let bucket = &mut buckets[place * count / MAX_BUCKETS];
            *bucket = bucket.wrapping_add(*sum);
        }
        for (key, contribution) in self.sums.left_out(cutoff) {
            let bucket = &mut buckets[bucket_of(key, count)];
            *bucket = bucket.wrapping_sub(contribution);
        }
        buckets.into_iter().map(|hash| (hash >> 40) as u32).collect()
    }

    /// The entries of the requested buckets, starting with bucket `first`. If the entries exceed a message, several
    /// servers with different `first` send different parts.
    pub fn in_buckets<'a>(
        &'a self,
        requested: &'a [bool],
        first: usize,
        cutoff: u64,
    ) -> impl Iterator<Item = &'a Entry> {
        let count = requested.len().next_power_of_two().max(2);
        let numbers = (0..requested.len()).map(move |number| (number + first) % requested.len());
        let in_bucket = move |number: usize| {
            let shift = 64 - count.trailing_zeros();
            let (low, high) = ((number as u64) << shift, ((number as u64 + 1) << shift).wrapping_sub(1));
            self.map.range(low..=high).map(|(_, member)| &member.entry)
        };
        numbers.filter(|number| requested[*number]).flat_map(in_bucket).filter(move |entry| counts(entry, cutoff))
    }
}

fn counts(entry: &Entry, cutoff: u64) -> bool {
    let cutoff = if entry.is_leave() { cutoff.saturating_add(LEAVES_SOONER) } else { cutoff };
    entry.state == State::Online || entry.stamp >= cutoff
}

fn bucket_of(key: u64, count: usize) -> usize {
    (key >> (64 - count.trailing_zeros())) as usize
}

/// What an entry adds to the digest: all its fields, except the stamp of an online server, which changes all the time.
fn contribution(entry: &Entry) -> u64 {
    let v2 = entry.v2.as_ref();
    let (state, version) = match (entry.state, v2) {
        (State::Online, None) => (0, 0),
        (State::Online, Some(v2)) => (1, v2.incarnation),
        // A drained version 1 server stamps itself again at each exchange, so only a much newer stamp counts.
        (State::Offline, None) => (2, entry.stamp >> 22),
        (State::Offline, Some(_)) => (2, effective_incarnation(entry)),
    };
    let extensions = v2.map_or(0, |v2| match v2.extensions.text() {
        Some("") => 0,
        Some(text) => stable_hash(text.as_bytes()),
        None => 1,
    });
    let mut bytes = [0; 30];
    bytes[..8].copy_from_slice(&entry.url.key().to_le_bytes());
    bytes[8..16].copy_from_slice(&version.to_le_bytes());
    bytes[16..20].copy_from_slice(&v2.map_or(0, |v2| v2.instance).to_le_bytes());
    bytes[20] = state;
    bytes[21] = u8::from(entry.monitor);
    bytes[22..].copy_from_slice(&extensions.to_le_bytes());
    // Most entries have no extensions.
    stable_hash(if extensions == 0 { &bytes[..22] } else { &bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{HOUR, Now};
    use crate::membership::TOMBSTONE_TTL;
    use crate::membership::tests::{WALL, at, entry, url};
    use crate::message::{EntryV2, Reason};

    fn members_in_order(order: impl Iterator<Item = u64>) -> Members {
        let mut members = Members::new(url("own"));
        for i in order {
            let state = if i.is_multiple_of(5) { State::Offline } else { State::Online };
            members.merge(entry(&format!("s{i}"), state, WALL + i, Some(WALL + i)), at(0));
        }
        members
    }

    #[test]
    fn the_digest_depends_neither_on_the_order_of_entries_nor_on_stamps_of_online_servers() {
        let (one, mut other) = (members_in_order(0..100), members_in_order((0..100).rev()));
        assert_eq!(one.digest(0), other.digest(0));
        other.merge(entry("s1", State::Online, WALL + 50_000, Some(WALL + 1)), at(50));
        assert_eq!(one.digest(0), other.digest(0));
        other.merge(entry("s1", State::Online, WALL + 50_000, Some(WALL + 2)), at(50));
        assert_ne!(one.digest(0), other.digest(0));
    }

    #[test]
    fn a_difference_in_one_entry_changes_one_bucket() {
        let (one, mut other) = (members_in_order(0..500), members_in_order(0..500));
        other.mark_failed(&url("s7"), at(3).mono, at(3));
        let count = one.bucket_count();
        let (ours, theirs) = (one.buckets(count, 0), other.buckets(count, 0));
        let differs: Vec<_> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours != theirs).collect();
        assert_eq!(differs.iter().filter(|differs| **differs).count(), 1);
        let entries: Vec<_> = other.in_buckets(&differs, 5, 0).collect();
        assert!(entries.iter().any(|entry| entry.url == url("s7")) && entries.len() < 60, "{}", entries.len());
        assert_eq!(one.in_buckets(&vec![true; count], 3, 0).count(), 500);
    }

    #[test]
    fn digests_after_many_changes_are_those_of_a_list_that_was_made_at_once() {
        let mut changed = members_in_order(0..200);
        for i in 0..200 {
            changed.mark_failed(&url(&format!("s{}", i * 7 % 150)), at(i).mono, at(i));
            let stamp = WALL + 1_000 * i + 1;
            changed.merge(entry(&format!("s{}", i * 3 % 150), State::Online, stamp, Some(stamp)), at(i));
        }
        changed.expire(Now { wall: WALL + 100_000 + TOMBSTONE_TTL, ..at(200) });
        let mut fresh = Members::new(url("own"));
        for entry in changed.entries().cloned().collect::<Vec<_>>().into_iter().rev() {
            fresh.put(entry, at(0));
        }
        for cutoff in [0, WALL + 150_000, u64::MAX] {
            assert_eq!(changed.digest(cutoff), fresh.digest(cutoff));
            for count in [4, 64, MAX_BUCKETS] {
                assert_eq!(changed.buckets(count, cutoff), fresh.buckets(count, cutoff));
                let of_entries = |changed: &Members| {
                    let mut sums = vec![0u64; count];
                    for entry in changed.entries().filter(|entry| counts(entry, cutoff)) {
                        let sum = &mut sums[bucket_of(entry.url.key(), count)];
                        *sum = sum.wrapping_add(contribution(entry));
                    }
                    sums.into_iter().map(|sum| (sum >> 40) as u32).collect::<Vec<_>>()
                };
                assert_eq!(changed.buckets(count, cutoff), of_entries(&changed));
            }
        }
    }

    #[test]
    fn tombstones_that_another_server_may_have_expired_are_left_out_of_the_digest() {
        let mut one = members_in_order(1..50);
        let other = one.clone();
        let cutoff = WALL + 10_000;
        one.merge(entry("old", State::Offline, WALL + 5_000, Some(WALL)), at(6));
        assert_ne!(one.digest(0), other.digest(0));
        assert_eq!(one.digest(cutoff), other.digest(cutoff));
        // The digest stays the same when the tombstone expires.
        one.expire(Now { wall: WALL + 6_000 + TOMBSTONE_TTL, ..at(7) });
        assert_eq!(one.digest(cutoff), other.digest(cutoff));
    }

    #[test]
    fn a_returned_server_has_the_same_digest_with_and_without_its_former_tombstone() {
        let back = entry("s5", State::Online, WALL + 9_000, Some(WALL + 9_000));
        let (mut one, mut other) = (members_in_order(1..50), members_in_order((1..50).filter(|i| *i != 5)));
        one.merge(back.clone(), at(9));
        other.merge(back, at(9));
        assert_eq!(one.digest(WALL + 8_000), other.digest(WALL + 8_000));
    }

    #[test]
    fn leaves_are_left_out_of_the_digest_three_hours_before_the_first_server_forgets_them() {
        let leave = |stamp| {
            let v2 =
                entry("x", State::Offline, stamp, Some(WALL)).v2.map(|v2| EntryV2 { reason: Some(Reason::Left), ..v2 });
            Entry { v2, ..entry("left", State::Offline, stamp, None) }
        };
        let other = members_in_order(1..50);
        // The cutoff of a peer whose clock shows WALL + 21 h.
        let cutoff = WALL;
        for (stamp, is_counted) in [(WALL + 18 * HOUR - 1, false), (WALL + 18 * HOUR, true)] {
            let mut one = other.clone();
            let now = Now { wall: stamp, ..at(0) };
            one.merge(leave(stamp), now);
            assert_eq!(one.digest(cutoff) != other.digest(cutoff), is_counted);
            assert_eq!(one.buckets(4, cutoff) != other.buckets(4, cutoff), is_counted);
            one.expire(Now { wall: stamp + 25 * HOUR, ..at(7) });
            assert!(one.get(&url("left")).is_none());
        }
    }
}
