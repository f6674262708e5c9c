//! Whom to gossip with.

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;

use super::Members;
use crate::message::{Entry, Reason, ServerUrl, State};

/// How many random servers a bootstrap, a leave or a drain is told to, besides the monitors (v1's number).
pub const ANNOUNCE_FANOUT: usize = 20;
/// How many monitors they are told to at most: a cluster in which every server is one must not send N² messages.
const MAX_MONITORS: usize = 100;
/// About how many exchanges an interval a monitor bears by being preferred.
const MONITOR_LOAD: usize = 10;

impl Members {
    /// A random online server to gossip with: a monitor in up to half of the draws, but in no more than a monitor of
    /// a large cluster can bear.
    pub fn partner(&self, own: &ServerUrl, rng: &mut SmallRng) -> Option<ServerUrl> {
        let others = self.others(own, State::Online).count();
        let monitors = || self.others(own, State::Online).filter(|entry| entry.monitor);
        let preferred = (MONITOR_LOAD * monitors().count()) as f64 / (others + 1) as f64;
        if rng.random_bool(preferred.min(0.5)) {
            return monitors().choose(rng).map(|entry| entry.url.clone());
        }
        self.others(own, State::Online).choose(rng).map(|entry| entry.url.clone())
    }

    /// Whom to tell of a change of our own: up to 20 random online servers, and the monitors.
    pub fn audience(&self, own: &ServerUrl, rng: &mut SmallRng) -> Vec<ServerUrl> {
        audience(self.others(own, State::Online), rng)
    }

    /// A random dead server to try, so often that the living together try each of the dead about once a round. Servers
    /// that left or were drained are not dead.
    pub fn dead_to_try(&self, own: &ServerUrl, rng: &mut SmallRng) -> Option<ServerUrl> {
        let dead = || self.others(own, State::Offline).filter(|entry| is_dead(entry));
        let live = self.others(own, State::Online).count();
        let chance = dead().count() as f64 / (live + 1) as f64;
        if rng.random_bool(chance.min(1.0)) { dead().choose(rng).map(|entry| entry.url.clone()) } else { None }
    }

    /// Whether nobody else is online.
    pub fn is_alone(&self, own: &ServerUrl) -> bool {
        self.others(own, State::Online).next().is_none()
    }
}

/// Up to 20 random servers of some, and the monitors among them, up to 100.
pub fn audience<'a>(servers: impl Iterator<Item = &'a Entry>, rng: &mut SmallRng) -> Vec<ServerUrl> {
    let (monitors, others): (Vec<_>, Vec<_>) = servers.partition(|entry| entry.monitor);
    let mut chosen: Vec<_> = monitors.into_iter().map(|entry| entry.url.clone()).sample(rng, MAX_MONITORS);
    chosen.extend(others.into_iter().map(|entry| entry.url.clone()).sample(rng, ANNOUNCE_FANOUT));
    chosen
}

fn is_dead(entry: &Entry) -> bool {
    !matches!(entry.life.as_ref().and_then(|life| life.reason), Some(Reason::Left | Reason::Drained))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::membership::tests::{WALL, at, entry, url};

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
        let dead = (0..10_000).filter(|_| members.dead_to_try(&own, &mut rng).is_some()).count();
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
