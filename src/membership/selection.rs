//! Whom to gossip with.

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::index;

use super::{Kind, Members};
use crate::clock::Now;
use crate::message::{Entry, ServerUrl};

/// How many random servers a leave or a drain is told to, besides the monitors (v1's number).
pub const ANNOUNCE_FANOUT: usize = 20;
/// How many monitors they are told to at most: a cluster in which every server is one must not send N² messages.
const MAX_MONITORS: usize = 100;
/// About how many exchanges an interval a monitor bears by being preferred.
const MONITOR_LOAD: usize = 10;
/// How many servers are looked at to find some of ours: few, where nearly all are of version 1.
const SEARCHED: usize = 64;
/// How long one that left or was drained is tried, ms, in case it has started again and knows of nobody, as while no master
/// list can be read: an hour, and as much as two clocks may differ.
const RETURN: u64 = 3 * 3_600_000;

impl Members {
    /// A random online server to gossip with: a monitor in up to half of the draws, but in no more than a monitor of
    /// a large cluster can bear.
    pub fn partner(&self, own: &ServerUrl, rng: &mut SmallRng) -> Option<ServerUrl> {
        let monitors = self.others_of(Kind::Monitor, own);
        let preferred = (MONITOR_LOAD * monitors) as f64 / self.keys(Kind::Live).len().max(1) as f64;
        let kind = if rng.random_bool(preferred.min(0.5)) { Kind::Monitor } else { Kind::Live };
        self.random(kind, own, rng, 1, |_| true).pop()
    }

    /// Random online servers of ours but some.
    pub fn helpers(&self, own: &ServerUrl, rng: &mut SmallRng, count: usize, not: &[ServerUrl]) -> Vec<ServerUrl> {
        self.random(Kind::Live, own, rng, count, |entry| entry.v2.is_some() && !not.contains(&entry.url))
    }

    /// The online servers of ours that follow this one on the ring, nearest first.
    pub fn successors<'a>(&'a self, own: &'a ServerUrl) -> impl Iterator<Item = &'a ServerUrl> {
        let (before, after) = self.split_at(Kind::Live, own);
        self.new_v2(after.iter().chain(before), own)
    }

    /// Of those that follow one on the ring that has never answered us, the nearest that has.
    pub fn next_reached<'a>(&'a self, url: &ServerUrl, own: &'a ServerUrl) -> Option<&'a ServerUrl> {
        if self.get(url).is_some_and(|member| member.reached) {
            return None;
        }
        let (before, after) = self.split_at(Kind::Reached, url);
        self.new_v2(after.iter().chain(before), own).next()
    }

    /// The online servers of ours that come before this one on the ring, nearest first.
    pub fn predecessors<'a>(&'a self, own: &'a ServerUrl) -> impl Iterator<Item = &'a ServerUrl> {
        let (before, after) = self.split_at(Kind::Live, own);
        self.new_v2(before.iter().rev().chain(after.iter().rev()), own)
    }

    /// The online server of version 1 that follows another on the ring.
    pub fn next_legacy(&self, after: &ServerUrl) -> Option<ServerUrl> {
        let (before, after) = self.split_at(Kind::Legacy, after);
        let key = after.iter().chain(before).next()?;
        self.by_key(*key).map(|entry| entry.url.clone())
    }

    /// Whom to tell of a change of our own: up to 20 random online servers, and the monitors.
    pub fn audience(&self, own: &ServerUrl, rng: &mut SmallRng) -> Vec<ServerUrl> {
        let mut chosen = self.random(Kind::Monitor, own, rng, MAX_MONITORS, |_| true);
        chosen.extend(self.random(Kind::Live, own, rng, ANNOUNCE_FANOUT, |entry| !entry.monitor));
        chosen
    }

    /// A random offline server to try, so often that the living together try each about once a round: a dead one, or one
    /// that left or was drained a short time ago.
    pub fn dead_to_try(&self, own: &ServerUrl, rng: &mut SmallRng, now: Now) -> Option<ServerUrl> {
        let dead = self.others_of(Kind::Dead, own);
        let departed: Vec<_> = self.departed_since(now.wall.saturating_sub(RETURN), own).collect();
        let chance = (dead + departed.len()) as f64 / (self.others_of(Kind::Live, own) + 1) as f64;
        if !rng.random_bool(chance.min(1.0)) {
            return None;
        }
        let chosen = rng.random_range(0..dead + departed.len());
        match departed.get(chosen) {
            Some(url) => Some((*url).clone()),
            None => self.random(Kind::Dead, own, rng, 1, |_| true).pop(),
        }
    }

    fn departed_since<'a>(&'a self, stamp: u64, own: &'a ServerUrl) -> impl Iterator<Item = &'a ServerUrl> {
        let recent = self.tombstones.range((stamp, 0)..).filter_map(|(_, key)| self.by_key(*key));
        recent.filter(move |entry| !entry.is_failure() && entry.url != *own).map(|entry| &entry.url)
    }

    /// How many are online, at least one.
    pub fn live(&self) -> usize {
        self.keys(Kind::Live).len().max(1)
    }

    /// Whether nobody else is online.
    pub fn is_alone(&self, own: &ServerUrl) -> bool {
        self.others_of(Kind::Live, own) == 0
    }

    /// The place of an online server among all that are.
    pub fn place(&self, key: u64) -> Option<usize> {
        self.keys(Kind::Live).binary_search(&key).ok()
    }

    fn others_of(&self, kind: Kind, own: &ServerUrl) -> usize {
        let keys = self.keys(kind);
        keys.len() - usize::from(keys.binary_search(&own.key()).is_ok())
    }

    fn random(
        &self,
        kind: Kind,
        own: &ServerUrl,
        rng: &mut SmallRng,
        count: usize,
        fits: impl Fn(&Entry) -> bool,
    ) -> Vec<ServerUrl> {
        let keys = self.keys(kind);
        let entries = index::sample(rng, keys.len(), keys.len().min(SEARCHED.max(2 * count))).into_iter();
        let entries = entries.filter_map(|place| self.by_key(keys[place]));
        let fitting = entries.filter(|entry| entry.url != *own && fits(entry));
        fitting.take(count).map(|entry| entry.url.clone()).collect()
    }

    fn split_at(&self, kind: Kind, url: &ServerUrl) -> (&[u64], &[u64]) {
        let keys = self.keys(kind);
        let place = keys.partition_point(|key| *key < url.key());
        let after = place + usize::from(keys.get(place) == Some(&url.key()));
        (&keys[..place], &keys[after..])
    }

    fn new_v2<'a>(
        &'a self,
        keys: impl Iterator<Item = &'a u64>,
        own: &'a ServerUrl,
    ) -> impl Iterator<Item = &'a ServerUrl> {
        let entries = keys.filter_map(|key| self.by_key(*key));
        entries.filter(|entry| entry.v2.is_some() && entry.url != *own).map(|entry| &entry.url)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::membership::tests::{WALL, at, entry, url};
    use crate::message::{EntryV2, Reason, State};

    fn cluster(servers: usize, monitors: usize, dead: usize) -> Members {
        let mut members = Members::default();
        for i in 0..servers {
            let monitor = i < monitors;
            members.merge(Entry { monitor, ..entry(&format!("s{i}"), State::Online, WALL, None) }, at(0));
        }
        for i in 0..dead {
            members.merge(entry(&format!("dead{i}"), State::Offline, WALL, None), at(0));
        }
        members
    }

    fn draws(members: &Members) -> (usize, usize) {
        let mut rng = SmallRng::seed_from_u64(1);
        let own = url("own");
        let is_monitor =
            |it: Option<ServerUrl>| it.is_some_and(|it| members.get(&it).is_some_and(|it| it.entry.monitor));
        let monitors = (0..10_000).filter(|_| is_monitor(members.partner(&own, &mut rng))).count();
        let dead = (0..10_000).filter(|_| members.dead_to_try(&own, &mut rng, at(0)).is_some()).count();
        (monitors, dead)
    }

    #[test]
    fn monitors_are_preferred_up_to_half_of_the_draws() {
        let (monitors, _) = draws(&cluster(10, 1, 0));
        assert!((5_000..6_000).contains(&monitors), "{monitors}");
    }

    #[test]
    fn one_monitor_does_not_carry_a_thousand_servers() {
        let (monitors, _) = draws(&cluster(1_000, 1, 0));
        assert!((50..200).contains(&monitors), "{monitors}");
    }

    #[test]
    fn one_that_left_is_tried_for_some_hours() {
        let mut members = cluster(9, 0, 0);
        let left = |members: &mut Members, name: &str, stamp| {
            let mut entry = entry(name, State::Offline, stamp, Some(1));
            entry.v2 = entry.v2.map(|v2| EntryV2 { reason: Some(Reason::Left), ..v2 });
            members.merge(entry, at(0));
        };
        left(&mut members, "yesterday", WALL - 10 * 3_600_000);
        assert_eq!(draws(&members).1, 0);
        left(&mut members, "now", WALL);
        let (_, one) = draws(&members);
        assert!((800..1_200).contains(&one), "{one}");
    }

    #[test]
    fn the_dead_are_tried_more_often_the_more_there_are() {
        assert_eq!(draws(&cluster(9, 0, 0)).1, 0);
        let (_, one) = draws(&cluster(9, 0, 1));
        assert!((800..1_200).contains(&one), "{one}");
        assert_eq!(draws(&cluster(9, 0, 20)).1, 10_000);
        assert_eq!(draws(&cluster(0, 0, 1)).1, 10_000);
    }

    #[test]
    fn an_audience_is_the_monitors_up_to_a_hundred_and_twenty_others() {
        let mut rng = SmallRng::seed_from_u64(1);
        assert_eq!(cluster(100, 30, 5).audience(&url("own"), &mut rng).len(), 50);
        assert_eq!(cluster(1_000, 500, 5).audience(&url("own"), &mut rng).len(), 120);
        assert_eq!(cluster(5, 0, 5).audience(&url("s0"), &mut rng).len(), 4);
    }
}
