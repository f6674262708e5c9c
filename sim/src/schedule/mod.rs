//! Random schedules of faults. Every invariant is looked at after each event; when the faults stop, all must soon be
//! right.

mod op;

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::cli::show_progress;
use crate::cluster::{listed, settings, start_within};
use crate::report::{Seeds, for_each_seed, threads};
use crate::world::invariants::{Invariants, Violation};
use crate::world::store::Condition;
use crate::world::{Health, Kind, World};
use clustershazbot::config::Settings;
use clustershazbot::message::{Entry, Reason, State};

use op::Op;

/// How soon all must be right when the faults stop: a list that could not be read is tried again within a minute and two
/// that found it empty look again within another; then what was learned has to get around.
const RIGHT_WITHIN: Duration = Duration::from_secs(120);
const RIGHT_WITHIN_INTERVALS: u32 = 10;
/// How much later where the list was edited by hand: by then everybody has announced himself in it, and has read it once
/// more. It may be all that links servers that have left and come back with those that knew them.
const LIST_MENDED: Duration = Duration::from_secs(2 * 900);
/// How many intervals it must stay so.
const STAYS: u32 = 5;
const HOUR: i64 = 3_600_000;
/// After how many schedules at most what they violated is printed, and which share of all.
const PRINTED_AFTER: u64 = 200;
const SHARES: u64 = 10;
/// How many wrong entries are named.
const NAMED: usize = 5;

/// What ends a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Start(usize),
    Resume(usize),
    Listen(usize),
    Undrain(usize),
    Rule(u32),
    Store,
}

/// A cluster to which things are done.
struct Schedule {
    world: World,
    ends: Vec<(Duration, End)>,
    has_v1: bool,
    has_skew: bool,
    interval: Duration,
    // What servers have said, to be said once more.
    said: Vec<Entry>,
    edited: Option<Duration>,
}

/// Runs schedules and prints what was violated; returns whether nothing was.
pub fn run_all(seeds: Seeds, print: fn(&str)) -> bool {
    let end = seeds.first + seeds.count;
    let step = seeds.count.div_ceil(SHARES).min(PRINTED_AFTER);
    let mut failed = 0;
    for first in (seeds.first..end).step_by(step as usize) {
        show_progress(&format!("{} of {} schedules", first - seeds.first, seeds.count));
        let some = Seeds { first, count: step.min(end - first) };
        let outcomes = for_each_seed(some, threads(0), run, replay);
        show_progress("");
        for (seed, violations) in (first..).zip(outcomes) {
            failed += u64::from(!violations.is_empty());
            let mut named = BTreeSet::new();
            // One of each kind says enough.
            for violation in violations.iter().filter(|it| named.insert(it.invariant)) {
                print(&format!("{violation}\n  {}", replay(seed)));
            }
        }
    }
    let Seeds { first, count } = seeds;
    print(&format!("seeds {first} to {}: {failed} of {count} schedules violate an invariant", end - 1));
    failed == 0
}

fn replay(seed: u64) -> String {
    format!("npm run sim -- --fuzz --seed {seed}")
}

/// Runs one schedule; returns what was violated.
pub fn run(seed: u64) -> Vec<Violation> {
    let world = play(World::new(seed));
    world.and_then(|world| world.invariants).map(|invariants| invariants.violations).unwrap_or_default()
}

/// Runs one schedule; returns a hash of all that happened.
pub fn run_traced(seed: u64) -> Option<u64> {
    let mut world = World::new(seed);
    world.start_trace();
    play(world)?.trace()
}

fn play(world: World) -> Option<World> {
    let mut schedule = Schedule::new(world)?;
    let minutes = schedule.world.rng.random_range(20..=60);
    let end = Duration::from_secs(minutes * 60);
    while schedule.world.now() < end {
        // Bursts among lulls.
        let most = if schedule.world.rng.random_bool(0.3) { 2.0 } else { 120.0 };
        let wait = Duration::from_secs_f64(schedule.world.rng.random_range(0.0..most));
        schedule.pass(wait);
        schedule.remember();
        if let Some(op) = Op::ALL.choose(&mut schedule.world.rng).copied() {
            schedule.apply(op);
        }
    }
    schedule.stop();
    schedule.must_be_right();
    Some(schedule.world)
}

impl Schedule {
    fn new(mut world: World) -> Option<Self> {
        let servers = if world.rng.random_bool(0.05) { 30 } else { world.rng.random_range(3..=12) };
        let interval = Duration::from_secs([2, 10, 30].choose(&mut world.rng).copied()?);
        let (has_v1, has_skew) = (world.rng.random_bool(0.25), world.rng.random_bool(0.5));
        for server in 0..servers {
            let kind = if has_v1 && world.rng.random_bool(0.3) { Kind::V1 } else { Kind::Ours };
            let skew = if has_skew { world.rng.random_range(-HOUR..=HOUR) } else { 0 };
            let (monitor, update_list_on_shutdown) = (world.rng.random_bool(0.1), world.rng.random_bool(0.3));
            let settings = Settings { monitor, update_list_on_shutdown, ..settings(server, interval)? };
            world.add(settings, kind, skew);
        }
        world.invariants = Some(Box::new(Invariants::new(servers)));
        world.store.heeds_conditions = world.rng.random_bool(0.5);
        // A cluster that begins, or one of which there is a list already.
        if world.rng.random_bool(0.5) {
            let entries = (0..servers).map(|server| listed(world.url(server).clone())).collect();
            world.store.put(entries);
        }
        let all: Vec<_> = (0..servers).collect();
        start_within(&mut world, &all, interval);
        Some(Self { world, ends: Vec::new(), has_v1, has_skew, interval, said: Vec::new(), edited: None })
    }

    // Lets time pass, and faults end when their time has come.
    fn pass(&mut self, time: Duration) {
        let until = self.world.now() + time;
        while let Some(next) = (0..self.ends.len()).min_by_key(|index| self.ends[*index].0)
            && self.ends[next].0 <= until
        {
            let (at, end) = self.ends.swap_remove(next);
            self.world.run(at.max(self.world.now()), false);
            self.undo(end);
        }
        self.world.run(until, false);
    }

    fn undo(&mut self, end: End) {
        match end {
            End::Start(server) => {
                if self.world.servers()[server].node.is_none() {
                    self.world.start(server);
                }
            }
            End::Resume(server) => self.world.set_health(server, Health::Up),
            End::Listen(server) => self.world.set_listens(server, true),
            End::Undrain(server) => {
                let it = &self.world.servers()[server];
                // One that was drained, not one that is leaving.
                if it.is_up() && self.is_drained(server) {
                    self.world.control(server, true);
                }
            }
            End::Rule(number) => self.world.network.remove(number),
            End::Store => self.world.store.condition = Condition::Fine,
        }
    }

    fn is_drained(&self, server: usize) -> bool {
        let it = &self.world.servers()[server];
        let own = it.node.as_ref().and_then(|node| node.entry(self.world.url(server)));
        own.and_then(|own| own.v2.as_ref()).is_some_and(|life| life.reason == Some(Reason::Drained))
    }

    fn remember(&mut self) {
        let servers = self.world.servers().len();
        let (by, about) = (self.world.rng.random_range(0..servers), self.world.rng.random_range(0..servers));
        let node = self.world.servers()[by].node.as_ref();
        self.said.extend(node.and_then(|node| node.entry(self.world.url(about))).cloned());
    }

    fn later(&mut self, range: std::ops::Range<f64>, end: End) {
        let wait = Duration::from_secs_f64(self.world.rng.random_range(range));
        self.ends.push((self.world.now() + wait, end));
    }

    // Whatever ended for good stays so.
    fn stop(&mut self) {
        self.world.network.heal();
        self.world.store.condition = Condition::Fine;
        self.ends.clear();
        for server in 0..self.world.servers().len() {
            self.world.set_listens(server, true);
            if self.world.servers()[server].node.is_some() {
                self.world.set_health(server, Health::Up);
            }
        }
    }

    // Of what servers of ours hold about servers of ours.
    fn must_be_right(&mut self) {
        // Those that are leaving have left by then.
        self.world.pass(RIGHT_WITHIN + self.interval * RIGHT_WITHIN_INTERVALS);
        let ours: Vec<_> = self.world.servers().iter().map(|it| it.kind == Kind::Ours).collect();
        let state = |server: usize| if self.world.lives(server) { State::Online } else { State::Offline };
        let is_ours = |server: &usize| ours[*server];
        let targets: Vec<_> = (0..ours.len()).filter(is_ours).map(|server| (server, state(server))).collect();
        self.world.want(&targets, |server| ours[server]);
        if let Some(edited) = self.edited {
            // A version 1 server that reads the dead in it lists them online, whenever that is.
            self.world.run((edited + LIST_MENDED).max(self.world.now()), !self.has_v1);
        }
        self.name_wrong("all right when faults stop");
        self.world.pass(self.interval * STAYS);
        self.name_wrong("all stays right");
    }

    fn name_wrong(&mut self, invariant: &'static str) {
        let wanted = self.world.wanted();
        let wrong = |by: usize| wanted.wrong(by).into_iter().map(move |about| (by, about));
        let wrong: Vec<_> = (0..self.world.servers().len()).flat_map(wrong).take(NAMED).collect();
        let what = wrong.iter().map(|(by, about)| {
            let state = self.world.wanted().state(*about);
            format!("server {by} does not list {about} as {state:?}")
        });
        let what = what.collect::<Vec<_>>().join("; ");
        let now = self.world.now();
        if let (false, Some(invariants)) = (wrong.is_empty(), &mut self.world.invariants) {
            invariants.violated(invariant, now, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invariant_is_violated() {
        for seed in 0..20 {
            assert_eq!(run(seed), [], "{}", replay(seed));
        }
    }
}
