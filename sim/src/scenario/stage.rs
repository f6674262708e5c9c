//! A settled cluster to which something happens, and the measuring of it.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::{INTERVAL, LIMIT, Outcome, Setup, V1_LIMIT, WATCH};
use crate::cluster::{self, settle};
use crate::world::store::Condition;
use crate::world::{Change, Kind, World};
use clustershazbot::message::State;

const HOUR: i64 = 3_600_000;

/// A cluster that runs, and servers that do not yet.
pub struct Stage {
    pub setup: Setup,
    pub world: World,
    /// Those that run.
    pub old: Vec<usize>,
    /// Those that may join.
    pub spare: Vec<usize>,
    /// The one that something happens to: of ours, if there are any.
    pub target: usize,
    /// Exchanges that the settled cluster begins in a second.
    background: f64,
    began: Duration,
}

impl Stage {
    pub fn new(setup: &Setup, seed: u64) -> Self {
        let mut world = World::new(seed);
        let (spare, (v1, ours)) = (setup.spare(), setup.kinds());
        let mut kinds = [vec![Kind::V1; v1], vec![Kind::Ours; ours]].concat();
        kinds.shuffle(&mut world.rng);
        let all: Vec<_> = kinds.into_iter().enumerate().filter_map(|it| add(&mut world, setup, it)).collect();
        let mut order = all.clone();
        order.shuffle(&mut world.rng);
        if let Some(ours) = order.iter().position(|server| world.servers()[*server].kind == Kind::Ours) {
            order.swap(ours, 0);
        }
        let target = order[0];
        // The one that joins is the target.
        let mut spare = order[..spare].to_vec();
        spare.sort_unstable();
        let old = all.into_iter().filter(|server| !spare.contains(server)).collect();
        Self { setup: *setup, world, old, spare, target, background: 0.0, began: Duration::ZERO }
    }

    /// Lets the cluster come about.
    pub fn settle(&mut self) {
        settle(&mut self.world, &self.old, self.setup.interval);
        self.world.meter.reset(self.world.now());
        self.world.pass(self.setup.interval);
        if !self.setup.list {
            self.world.store.condition = Condition::Failing;
        }
        self.background = self.world.meter.exchanges as f64 / self.setup.interval.as_secs_f64();
    }

    /// From now on is measured.
    pub fn begin(&mut self) {
        self.began = self.world.now();
        self.world.meter.reset(self.began);
        self.world.changes = Some(Vec::new());
    }

    /// Whether a server's list counts.
    pub fn counts(&self, server: usize) -> bool {
        self.setup.v1 >= 1.0 || self.world.servers()[server].kind == Kind::Ours
    }

    /// The servers whose lists count, but for one.
    pub fn observers(&self, but: Option<usize>) -> Vec<bool> {
        (0..self.world.servers().len()).map(|server| self.counts(server) && Some(server) != but).collect()
    }

    /// Wants a server listed in some way by all others.
    pub fn want(&mut self, target: usize, state: State) {
        let observers = self.observers(Some(target));
        self.world.want(&[(target, state)], |server| observers[server]);
    }

    /// Wants all that live listed as they are, by all.
    pub fn want_all(&mut self) {
        let state = |server: usize| if self.world.lives(server) { State::Online } else { State::Offline };
        let targets: Vec<_> = (0..self.world.servers().len()).map(|server| (server, state(server))).collect();
        let observers = self.observers(None);
        self.world.want(&targets, |server| observers[server]);
    }

    /// When a run is given up.
    pub fn limit(&self) -> Duration {
        let limit = if self.setup.v1 >= 1.0 { V1_LIMIT } else { LIMIT };
        self.world.now() + limit.mul_f64(self.setup.interval.div_duration_f64(INTERVAL).max(1.0))
    }

    /// Waits until all lists are right, and then for a while whether they stay so. The time counts from `began`.
    pub fn measure(&mut self, began: Duration) -> Outcome {
        let known = self.world.run(self.limit(), true).then(|| self.world.now().saturating_sub(began));
        self.conclude(known)
    }

    pub fn conclude(&mut self, known: Option<Duration>) -> Outcome {
        let began = self.began;
        let all_knew = self.world.now();
        let elapsed = all_knew.saturating_sub(began).as_secs_f64();
        let exchanges = self.world.meter.exchanges as f64 - self.background * elapsed;
        let pushes = exchanges.max(0.0) / self.setup.servers as f64;
        let mut wrong = self.world.wanted().wrong_entries();
        if known.is_some() {
            self.world.pass(self.setup.interval * WATCH);
            let wanted = self.world.wanted();
            let state = |online| if online { State::Online } else { State::Offline };
            let is_wrong = |change: &&Change| {
                let differs = wanted.state(change.about).is_some_and(|it| it != state(change.online));
                change.at > all_knew && differs && wanted.is_observer(change.by)
            };
            wrong += self.changes().iter().filter(is_wrong).count() as u64;
        }
        let bytes_per_second = self.bytes_per_second();
        let known = Some(known.map_or(f64::INFINITY, |known| known.as_secs_f64()));
        Outcome { known, wrong: Some(wrong), bytes_per_second, pushes: Some(pushes), ..Outcome::default() }
    }

    /// The outcome of a scenario without a time.
    pub fn untimed(&self) -> Outcome {
        Outcome { bytes_per_second: self.bytes_per_second(), ..Outcome::default() }
    }

    fn bytes_per_second(&self) -> f64 {
        self.world.meter.bytes_per_second(self.setup.servers, self.world.now())
    }

    /// What has changed in the lists since it began.
    pub fn changes(&self) -> &[Change] {
        self.world.changes.as_deref().unwrap_or_default()
    }

    /// How often servers whose lists count have listed a server online again.
    pub fn revivals(&self, target: usize) -> f64 {
        let revives = |it: &&Change| it.about == target && it.online && self.counts(it.by);
        self.changes().iter().filter(revives).count() as f64
    }

    /// How many lives of live servers were called offline since then.
    pub fn false_deaths(&self, since: Duration) -> f64 {
        let is_false = |it: &&Change| it.at >= since && !it.online && it.lives && self.counts(it.by);
        let lives: BTreeSet<_> = self.changes().iter().filter(is_false).map(|it| (it.about, it.life)).collect();
        lives.len() as f64
    }

    /// One of those that run, but for some.
    pub fn pick(&mut self, but: &[usize]) -> usize {
        let others: Vec<_> = self.old.iter().copied().filter(|server| !but.contains(server)).collect();
        others[self.world.rng.random_range(0..others.len())]
    }
}

fn add(world: &mut World, setup: &Setup, (server, kind): (usize, Kind)) -> Option<usize> {
    let skew = match setup.skewed {
        true if server.is_multiple_of(2) => HOUR,
        true => -HOUR,
        false => 0,
    };
    Some(world.add(cluster::settings(server, setup.interval)?, kind, skew))
}
