//! Selects members for an exchange: gossip partners, helpers, ring neighbours, receivers of an announcement.

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::index;

use super::{Group, Members};
use crate::clock::{HOUR, MAX_CLOCK_ERROR, Now};
use crate::message::{Entry, ServerUrl};

/// How many random servers receive a leave or a drain (as in version 1); the monitors receive it too.
const ANNOUNCE_FANOUT: usize = 20;
/// How many predecessors on the ring watch a server.
pub const WATCHERS: usize = 2;
/// Most monitors that receive an announcement: if all servers are monitors, a restart must not cause N² messages.
const MAX_MONITORS: usize = 100;
/// About how many extra exchanges a monitor gets each interval.
const MONITOR_LOAD: usize = 10;
/// How many random members are tried to find suitable ones. Bounds the cost where nearly all are version 1.
const SEARCHED: usize = 64;
/// How long a server that left or was drained is contacted now and then, ms: it may start again, unable to read a
/// master list, and know nobody. One hour plus the greatest difference of two clocks.
const RETURN_WINDOW: u64 = HOUR + 2 * MAX_CLOCK_ERROR;

impl Members {
    /// A random online server to gossip with. Prefers monitors in up to half of the draws, but limits their load in a
    /// large cluster.
    pub fn gossip_partner(&self, rng: &mut SmallRng) -> Option<ServerUrl> {
        let monitors = self.others_in(Group::Monitor);
        let preferred = (MONITOR_LOAD * monitors) as f64 / self.keys(Group::Online).len().max(1) as f64;
        let group = if rng.random_bool(preferred.min(0.5)) { Group::Monitor } else { Group::Online };
        self.random(group, rng, 1, |_| true).pop()
    }

    /// Up to `count` random online protocol 2 servers that are not in `except`.
    pub fn random_peers(&self, rng: &mut SmallRng, count: usize, except: &[ServerUrl]) -> Vec<ServerUrl> {
        self.random(Group::Online, rng, count, |entry| entry.v2.is_some() && !except.contains(&entry.url))
    }

    /// The online protocol 2 servers after the local one on the ring, nearest first.
    pub fn successors(&self) -> impl Iterator<Item = &ServerUrl> {
        self.successors_of(&self.local)
    }

    /// The online protocol 2 servers after `url` on the ring, nearest first. May include the local one.
    pub fn successors_of<'a>(&'a self, url: &'a ServerUrl) -> impl Iterator<Item = &'a ServerUrl> {
        let (before, after) = self.split_at(Group::Online, url);
        self.of_protocol_2(after.iter().chain(before), url)
    }

    /// The servers to watch: the next `successors` online protocol 2 servers on the ring, and up to `max_version_1`
    /// version 1 servers between them. Skips servers that have never answered us, so that invented ones do not displace
    /// real ones.
    pub fn watch_targets(&self, successors: usize, max_version_1: usize) -> Vec<ServerUrl> {
        let (before, after) = self.split_at(Group::Reached, &self.local);
        let others = after.iter().chain(before);
        let (mut targets, mut protocol_2, mut version_1) = (Vec::new(), 0, 0);
        for entry in others.filter_map(|key| self.by_key(*key)) {
            let count = if entry.v2.is_some() { &mut protocol_2 } else { &mut version_1 };
            *count += 1;
            if version_1 <= max_version_1 || entry.v2.is_some() {
                targets.push(entry.url.clone());
            }
            if protocol_2 == successors {
                break;
            }
        }
        targets
    }

    /// If `url` has never answered us: the next server after it on the ring that has.
    pub fn reached_after(&self, url: &ServerUrl) -> Option<&ServerUrl> {
        if self.get(url).is_some_and(|member| member.is_reached) {
            return None;
        }
        let (before, after) = self.split_at(Group::Reached, url);
        self.of_protocol_2(after.iter().chain(before), &self.local).next()
    }

    /// The online protocol 2 servers before the local one on the ring, nearest first.
    pub fn predecessors(&self) -> impl Iterator<Item = &ServerUrl> {
        let (before, after) = self.split_at(Group::Online, &self.local);
        self.of_protocol_2(before.iter().rev().chain(after.iter().rev()), &self.local)
    }

    /// The next online version 1 server after `url` on the ring. If `url` is the only one, `url` itself.
    pub fn version_1_after(&self, url: &ServerUrl) -> Option<ServerUrl> {
        let (before, after) = self.split_at(Group::Version1, url);
        let same = self.keys(Group::Version1).get(before.len()).filter(|key| **key == url.key());
        let key = after.iter().chain(before).chain(same).next()?;
        self.by_key(*key).map(|entry| entry.url.clone())
    }

    /// The receivers of a drain, its end or a leave of the local member: the monitors, up to 20 random online servers,
    /// and its watchers, whose open connections may delay the end of our program.
    pub fn announcement_targets(&self, rng: &mut SmallRng) -> Vec<ServerUrl> {
        let mut chosen = self.random(Group::Monitor, rng, MAX_MONITORS, |_| true);
        chosen.extend(self.random(Group::Online, rng, ANNOUNCE_FANOUT, |entry| !entry.monitor));
        let watchers: Vec<_> =
            self.predecessors().take(WATCHERS).filter(|url| !chosen.contains(url)).cloned().collect();
        chosen.extend(watchers);
        chosen
    }

    /// With some probability, a random offline server to contact: failed, or left or drained a short time ago. Each one
    /// is contacted about once a round by some online server, which heals partitions.
    pub fn offline_to_contact(&self, rng: &mut SmallRng, now: Now) -> Option<ServerUrl> {
        let failed = self.others_in(Group::Failed);
        let departed: Vec<_> = self.departed_since(now.wall.saturating_sub(RETURN_WINDOW)).collect();
        let chance = (failed + departed.len()) as f64 / (self.others_in(Group::Online) + 1) as f64;
        if !rng.random_bool(chance.min(1.0)) {
            return None;
        }
        let chosen = rng.random_range(0..failed + departed.len());
        match departed.get(chosen) {
            Some(url) => Some((*url).clone()),
            None => self.random(Group::Failed, rng, 1, |_| true).pop(),
        }
    }

    /// How many servers receive an announcement.
    pub fn announcement_size(&self) -> usize {
        let monitors = self.others_in(Group::Monitor);
        let others = self.others_in(Group::Online).saturating_sub(monitors);
        (monitors.min(MAX_MONITORS) + others.min(ANNOUNCE_FANOUT)).max(1)
    }

    fn departed_since(&self, stamp: u64) -> impl Iterator<Item = &ServerUrl> {
        let recent = self.sums.offline_since(stamp).filter_map(|key| self.by_key(key));
        recent.filter(|entry| !entry.is_failure() && entry.url != self.local).map(|entry| &entry.url)
    }

    /// How many servers are online, at least one.
    pub fn online(&self) -> usize {
        self.keys(Group::Online).len().max(1)
    }

    /// Whether no other server is online.
    pub fn is_alone(&self) -> bool {
        self.others_in(Group::Online) == 0
    }

    /// The ring position of the local member among the online servers.
    pub fn local_place(&self) -> Option<usize> {
        self.keys(Group::Online).binary_search(&self.local.key()).ok()
    }

    fn others_in(&self, group: Group) -> usize {
        let keys = self.keys(group);
        keys.len() - usize::from(keys.binary_search(&self.local.key()).is_ok())
    }

    fn random(&self, group: Group, rng: &mut SmallRng, count: usize, fits: impl Fn(&Entry) -> bool) -> Vec<ServerUrl> {
        let keys = self.keys(group);
        let entries = index::sample(rng, keys.len(), keys.len().min(SEARCHED.max(2 * count))).into_iter();
        let entries = entries.filter_map(|place| self.by_key(keys[place]));
        let fitting = entries.filter(|entry| entry.url != self.local && fits(entry));
        fitting.take(count).map(|entry| entry.url.clone()).collect()
    }

    fn split_at(&self, group: Group, url: &ServerUrl) -> (&[u64], &[u64]) {
        let keys = self.keys(group);
        let place = keys.partition_point(|key| *key < url.key());
        let after = place + usize::from(keys.get(place) == Some(&url.key()));
        (&keys[..place], &keys[after..])
    }

    fn of_protocol_2<'a>(
        &'a self,
        keys: impl Iterator<Item = &'a u64>,
        except: &'a ServerUrl,
    ) -> impl Iterator<Item = &'a ServerUrl> {
        let entries = keys.filter_map(|key| self.by_key(*key));
        entries.filter(move |entry| entry.v2.is_some() && entry.url != *except).map(|entry| &entry.url)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::membership::tests::{WALL, at, entry, url};
    use crate::message::{EntryV2, Reason, State};

    fn cluster(online: usize, monitors: usize, failed: usize) -> Members {
        let mut members = Members::new(url("own"));
        for i in 0..online {
            let monitor = i < monitors;
            members.merge(Entry { monitor, ..entry(&format!("s{i}"), State::Online, WALL, None) }, at(0));
        }
        for i in 0..failed {
            members.merge(entry(&format!("failed{i}"), State::Offline, WALL, None), at(0));
        }
        members
    }

    /// How many of 10 000 draws give a monitor, and how many an offline server.
    fn draws(members: &Members) -> (usize, usize) {
        let mut rng = SmallRng::seed_from_u64(1);
        let is_monitor =
            |it: Option<ServerUrl>| it.is_some_and(|it| members.get(&it).is_some_and(|it| it.entry.monitor));
        let monitors = (0..10_000).filter(|_| is_monitor(members.gossip_partner(&mut rng))).count();
        let offline = (0..10_000).filter(|_| members.offline_to_contact(&mut rng, at(0)).is_some()).count();
        (monitors, offline)
    }

    #[test]
    fn monitors_are_preferred_up_to_half_of_the_draws() {
        let (monitors, _) = draws(&cluster(10, 1, 0));
        assert!((5_000..6_000).contains(&monitors), "{monitors}");
    }

    #[test]
    fn a_single_monitor_among_a_thousand_servers_is_drawn_rarely() {
        let (monitors, _) = draws(&cluster(1_000, 1, 0));
        assert!((50..200).contains(&monitors), "{monitors}");
    }

    #[test]
    fn a_server_that_left_is_contacted_for_three_hours() {
        let mut members = cluster(9, 0, 0);
        let add_left = |members: &mut Members, name: &str, stamp| {
            let mut entry = entry(name, State::Offline, stamp, Some(1));
            entry.v2 = entry.v2.map(|v2| EntryV2 { reason: Some(Reason::Left), ..v2 });
            members.merge(entry, at(0));
        };
        add_left(&mut members, "yesterday", WALL - 10 * HOUR);
        assert_eq!(draws(&members).1, 0);
        add_left(&mut members, "now", WALL);
        let (_, offline) = draws(&members);
        assert!((800..1_200).contains(&offline), "{offline}");
    }

    #[test]
    fn failed_servers_are_contacted_in_proportion_to_their_number() {
        assert_eq!(draws(&cluster(9, 0, 0)).1, 0);
        let (_, offline) = draws(&cluster(9, 0, 1));
        assert!((800..1_200).contains(&offline), "{offline}");
        assert_eq!(draws(&cluster(9, 0, 20)).1, 10_000);
        assert_eq!(draws(&cluster(0, 0, 1)).1, 10_000);
    }

    #[test]
    fn a_drain_is_announced_to_at_most_100_monitors_and_20_others() {
        let mut rng = SmallRng::seed_from_u64(1);
        assert_eq!(cluster(100, 30, 5).announcement_targets(&mut rng).len(), 50);
        assert_eq!(cluster(1_000, 500, 5).announcement_targets(&mut rng).len(), 120);
        assert_eq!(cluster(5, 0, 5).held_by(url("s0")).announcement_targets(&mut rng).len(), 4);
    }
}
