//! A settled cluster that something happens to, and how the effect is measured.

use std::collections::BTreeSet;
use std::time::Duration;

use clustershazbot::message::State;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::setup::{INTERVAL, Setup};
use crate::cluster::settle;
use crate::world::store::Availability;
use crate::world::{ListChange, Server, Version, World, settings};

const HOUR_MS: i64 = 3_600_000;
/// How long a run may take until all lists are right. It is longer at intervals above the default, in proportion.
const LIMIT: Duration = Duration::from_secs(4 * 3600);
/// The same limit if all servers run version 1.
const V1_LIMIT: Duration = Duration::from_secs(6 * 3600);

/// For how many intervals lists are watched after all were right, for entries that become wrong again.
pub const WATCHED_INTERVALS: u32 = 5;

/// The measurements of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Seconds until every list was right, infinite if that never happened. None if no time is measured.
    pub seconds: Option<f64>,
    /// Entries that never became right, or became wrong again, if that is measured.
    pub wrong_entries: Option<u64>,
    /// Bytes per second that a server sent and received on average since the event, headers included.
    pub bytes_per_second: f64,
    /// Exchanges per server from the event until every list was right, minus those of the settled cluster, if that is
    /// measured.
    pub exchanges_per_server: Option<f64>,
    /// What only this scenario measures, by name.
    pub extra: Vec<(&'static str, f64)>,
    /// The hash of the run, if it was asked for.
    pub trace: Option<u64>,
}

/// A cluster that runs, and servers that do not run yet.
pub struct Experiment {
    pub setup: Setup,
    pub seed: u64,
    pub world: World,
    /// The servers that run from the start.
    pub initial: Vec<usize>,
    /// The servers that can join.
    pub spare: Vec<usize>,
    /// The server that something happens to. It runs version 2, if any does.
    pub target: usize,
    /// Exchanges per second of the settled cluster.
    baseline: f64,
    began: Duration,
}

impl Experiment {
    pub fn new(setup: &Setup, seed: u64) -> Self {
        let mut world = World::new(seed);
        let (spare, (v1, v2)) = (setup.spare(), setup.versions());
        let mut versions = [vec![Version::V1; v1], vec![Version::V2; v2]].concat();
        versions.shuffle(&mut world.rng);
        let all: Vec<_> =
            versions.into_iter().enumerate().filter_map(|server| add(&mut world, setup, server)).collect();
        let mut order = all.clone();
        order.shuffle(&mut world.rng);
        if let Some(v2) = order.iter().position(|server| world.server(*server).version == Version::V2) {
            order.swap(v2, 0);
        }
        let target = order[0];
        // If one server joins, it is the target.
        let mut spare = order[..spare].to_vec();
        spare.sort_unstable();
        let initial = all.into_iter().filter(|server| !spare.contains(server)).collect();
        Self { setup: *setup, seed, world, initial, spare, target, baseline: 0.0, began: Duration::ZERO }
    }

    /// Lets the cluster form, and measures its exchanges per second.
    pub fn settle(&mut self) {
        settle(&mut self.world, &self.initial, self.setup.interval);
        self.world.traffic.reset(self.world.now());
        self.world.run_for(self.setup.interval);
        if !self.setup.master_list {
            self.world.store.availability = Availability::Failing;
        }
        self.baseline = self.world.traffic.exchanges as f64 / self.setup.interval.as_secs_f64();
    }

    /// Starts to measure.
    pub fn start_measuring(&mut self) {
        self.began = self.world.now();
        self.world.traffic.reset(self.began);
        self.world.record_list_changes();
    }

    /// Whether a server's list counts: version 1 lists count only if all servers run version 1.
    pub fn counts(&self, server: usize) -> bool {
        self.setup.is_all_v1() || self.world.server(server).version == Version::V2
    }

    /// Expects all other servers to list the target in a state.
    pub fn expect(&mut self, target: usize, state: State) {
        let mut observers = self.observers();
        observers[target] = false;
        self.world.expect_states(&[(target, state)], |server| observers[server]);
    }

    /// Expects all servers to list these servers online.
    pub fn expect_online(&mut self, servers: &[usize]) {
        let expected: Vec<_> = servers.iter().map(|server| (*server, State::Online)).collect();
        let observers = self.observers();
        self.world.expect_states(&expected, |server| observers[server]);
    }

    /// Expects all servers to list all servers as they are.
    pub fn expect_actual_states(&mut self) {
        let expected: Vec<_> = self.world.servers().iter().map(actual_state).enumerate().collect();
        let observers = self.observers();
        self.world.expect_states(&expected, |server| observers[server]);
    }

    fn observers(&self) -> Vec<bool> {
        (0..self.world.servers().len()).map(|server| self.counts(server)).collect()
    }

    /// When the run is aborted.
    pub fn deadline(&self) -> Duration {
        let limit = if self.setup.is_all_v1() { V1_LIMIT } else { LIMIT };
        self.world.now() + limit.mul_f64(self.setup.interval.div_duration_f64(INTERVAL).max(1.0))
    }

    /// Runs until all lists are right. Returns the time that took, from `since` on.
    pub fn time_to_converge(&mut self, since: Duration) -> Option<Duration> {
        let deadline = self.deadline();
        self.world.run_until_converged(deadline).then(|| self.world.now().saturating_sub(since))
    }

    /// Runs until all lists are right, and then a while longer, in case they become wrong again.
    pub fn measure(&mut self, since: Duration) -> Outcome {
        let time = self.time_to_converge(since);
        self.finish(time)
    }

    /// The outcome of a run in which all lists were right after `time`, or never.
    pub fn finish(&mut self, time: Option<Duration>) -> Outcome {
        let ended = self.world.now();
        let elapsed = ended.saturating_sub(self.began).as_secs_f64();
        let exchanges = self.world.traffic.exchanges as f64 - self.baseline * elapsed;
        let exchanges_per_server = Some(exchanges.max(0.0) / self.setup.servers as f64);
        let mut wrong = self.world.convergence().wrong_entries();
        if time.is_some() {
            self.world.run_for(self.setup.interval * WATCHED_INTERVALS);
            wrong += self.relapses(ended);
        }
        let seconds = Some(time.map_or(f64::INFINITY, |time| time.as_secs_f64()));
        Outcome { seconds, wrong_entries: Some(wrong), exchanges_per_server, ..self.untimed() }
    }

    // How many entries have become wrong after this moment.
    fn relapses(&self, after: Duration) -> u64 {
        let convergence = self.world.convergence();
        let is_wrong = |change: &&ListChange| {
            let state = if change.online { State::Online } else { State::Offline };
            let differs = convergence.expected(change.subject).is_some_and(|expected| expected != state);
            change.at > after && differs && convergence.is_observer(change.observer)
        };
        self.world.list_changes().iter().filter(is_wrong).count() as u64
    }

    /// The outcome of a scenario that measures no time.
    pub fn untimed(&self) -> Outcome {
        let bytes_per_second = self.world.traffic.bytes_per_second(self.setup.servers, self.world.now());
        Outcome { bytes_per_second, ..Outcome::default() }
    }

    /// The changes, since the measurement began, in lists that count.
    pub fn changes(&self) -> impl Iterator<Item = &ListChange> {
        self.world.list_changes().iter().filter(|change| self.counts(change.observer))
    }

    /// How often a server was listed online, in lists that count.
    pub fn times_listed_online(&self, target: usize) -> usize {
        self.changes().filter(|change| change.subject == target && change.online).count()
    }

    /// How often a server was listed offline, in lists that count.
    pub fn times_listed_offline(&self, target: usize) -> usize {
        self.changes().filter(|change| change.subject == target && !change.online).count()
    }

    /// How many incarnations of available servers were listed offline.
    pub fn false_deaths(&self) -> usize {
        let is_false = |change: &&ListChange| !change.online && change.subject_available;
        let incarnations: BTreeSet<_> =
            self.changes().filter(is_false).map(|change| (change.subject, change.incarnation)).collect();
        incarnations.len()
    }

    /// For each server, whether it is in a random half of those that run from the start.
    pub fn random_half(&mut self) -> Vec<bool> {
        let mut order = self.initial.clone();
        order.shuffle(&mut self.world.rng);
        let mut is_in = vec![false; self.world.servers().len()];
        for server in &order[..order.len() / 2] {
            is_in[*server] = true;
        }
        is_in
    }

    /// A random server of those that run from the start, except some.
    pub fn pick_except(&mut self, except: &[usize]) -> usize {
        let others: Vec<_> = self.initial.iter().copied().filter(|server| !except.contains(server)).collect();
        others[self.world.rng.random_range(0..others.len())]
    }
}

fn actual_state(server: &Server) -> State {
    if server.is_available() { State::Online } else { State::Offline }
}

fn add(world: &mut World, setup: &Setup, (server, version): (usize, Version)) -> Option<usize> {
    let clock_skew = match setup.skewed {
        true if server.is_multiple_of(2) => HOUR_MS,
        true => -HOUR_MS,
        false => 0,
    };
    let mut settings = settings(server, setup.interval)?;
    if setup.scenario.uses_name() {
        (settings.lists, settings.names) = (Vec::new(), vec!["dns+http://app:3000/".into()]);
    }
    Some(world.add(settings, version, clock_skew))
}
