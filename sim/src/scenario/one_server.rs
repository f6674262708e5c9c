//! Scenarios that affect one server: it joins, or ends in one of several ways.

use std::collections::BTreeSet;
use std::time::Duration;

use clustershazbot::message::State;
use rand::RngExt;

use super::catalogue::Scenario;
use super::experiment::{Experiment, Outcome, WATCHED_INTERVALS};
use crate::world::store::Clients;
use crate::world::{Health, ListChange, Version};

const HOUR_MS: i64 = 3_600_000;
/// When a server that listens late begins to, in seconds after its start.
const LATE: std::ops::Range<f64> = 5.0..30.0;
/// For how many seconds a server of a crash loop lives, and how long after it the next one starts.
const LIVED: std::ops::Range<f64> = 0.2..1.0;
const PAUSE: Duration = Duration::from_secs(2);
/// How many clocks step per interval, and for how many intervals.
const STEPS: u32 = 4;
const INTERVALS_OF_STEPS: u32 = 20;

pub fn join(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let target = experiment.target;
    experiment.world.store.admit(target);
    experiment.start_measuring();
    let began = experiment.world.now();
    experiment.world.start(target);
    experiment.expect(target, State::Online);
    let time = experiment.time_to_converge(began);
    let mut outcome = experiment.finish(time);
    let others: Vec<_> = experiment.initial.iter().map(|server| (*server, State::Online)).collect();
    experiment.world.expect_states(&others, |server| server == target);
    let own_list = if experiment.world.convergence().wrong_lists() == 0 {
        let additions = experiment.changes().filter(|change| change.observer == target && change.online);
        let last = additions.map(|change| change.at).max();
        Some(last.unwrap_or(began).saturating_sub(began))
    } else {
        experiment.time_to_converge(began)
    };
    outcome.extra.push(("own_list", own_list.map_or(f64::INFINITY, |time| time.as_secs_f64())));
    outcome
}

pub fn late_listen(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let target = experiment.target;
    experiment.world.store.admit(target);
    experiment.start_measuring();
    experiment.world.set_listens(target, false);
    experiment.world.start(target);
    let late = experiment.world.rng.random_range(LATE);
    experiment.world.run_for(Duration::from_secs_f64(late));
    experiment.world.set_listens(target, true);
    experiment.expect(target, State::Online);
    let mut outcome = experiment.measure(experiment.world.now());
    outcome.extra.push(("called_dead", experiment.times_listed_offline(target) as f64));
    outcome
}

/// The target ends, in the way that the scenario says.
pub fn end(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    let (target, world) = (experiment.target, &mut experiment.world);
    match experiment.setup.scenario {
        Scenario::Gone => world.set_health(target, Health::Gone),
        Scenario::Hang => world.set_health(target, Health::Hung),
        Scenario::Blocked => world.set_health(target, Health::Blocked),
        Scenario::Leave => world.leave(target),
        Scenario::Drain => world.control(target, false),
        _ => world.set_health(target, Health::Down),
    }
    measure_end(experiment, target)
}

fn kill(experiment: &mut Experiment, target: usize) -> Outcome {
    experiment.start_measuring();
    experiment.world.set_health(target, Health::Down);
    measure_end(experiment, target)
}

fn measure_end(experiment: &mut Experiment, target: usize) -> Outcome {
    experiment.expect(target, State::Offline);
    let mut outcome = experiment.measure(experiment.world.now());
    outcome.extra.push(("revivals", experiment.times_listed_online(target) as f64));
    outcome
}

/// The target is killed, and another server says of it that it answers whenever it is asked to probe it. That server itself
/// judges nobody.
pub fn hidden(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let target = experiment.target;
    let liar = experiment.pick_except(&[target]);
    experiment.world.false_witness = Some(liar);
    experiment.world.set_health(liar, Health::Late);
    experiment.start_measuring();
    experiment.world.set_health(target, Health::Down);
    let observers: Vec<_> = experiment
        .initial
        .iter()
        .copied()
        .filter(|it| ![target, liar].contains(it) && experiment.counts(*it))
        .collect();
    experiment.world.expect_states(&[(target, State::Offline)], |server| observers.contains(&server));
    experiment.measure(experiment.world.now())
}

/// Each of the servers that can join starts, listens to nobody, and is killed within a second.
pub fn crash_loop(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.world.store.clients = Clients::All;
    experiment.start_measuring();
    let began = experiment.world.now();
    let mut killed = Vec::new();
    for server in experiment.spare.clone() {
        experiment.world.set_listens(server, false);
        experiment.world.start(server);
        let lived = experiment.world.rng.random_range(LIVED);
        experiment.world.run_for(Duration::from_secs_f64(lived));
        experiment.world.set_health(server, Health::Down);
        killed.push((server, experiment.world.now()));
        experiment.expect(server, State::Offline);
        experiment.world.run_for(PAUSE);
    }
    experiment.expect_actual_states();
    let is_right = experiment.time_to_converge(began).is_some();
    experiment.world.run_for(experiment.setup.interval * WATCHED_INTERVALS);
    let is_counted = |change: &&ListChange| killed.iter().any(|(server, _)| *server == change.subject);
    let last_offline = |server: usize| {
        let offline = experiment.changes().filter(|change| change.subject == server && !change.online);
        offline.map(|change| change.at).max()
    };
    let times = killed.iter().filter_map(|(server, at)| Some(last_offline(*server)?.saturating_sub(*at)));
    let slowest = times.max().unwrap_or_default().as_secs_f64();
    let listed: BTreeSet<_> =
        experiment.changes().filter(is_counted).filter(|it| it.online).map(|change| change.subject).collect();
    let wrong_entries = Some(experiment.world.convergence().wrong_entries());
    let seconds = Some(if is_right { slowest } else { f64::INFINITY });
    let mut outcome = Outcome { seconds, wrong_entries, ..experiment.untimed() };
    outcome.extra.push(("listed", listed.len() as f64));
    outcome
}

pub fn skew(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    for _ in 0..STEPS * INTERVALS_OF_STEPS {
        let (server, skew) = (experiment.pick_except(&[]), experiment.world.rng.random_range(-HOUR_MS..=HOUR_MS));
        experiment.world.set_clock(server, skew);
        experiment.world.run_for(experiment.setup.interval / STEPS);
    }
    let false_deaths = experiment.false_deaths();
    let target = experiment.target;
    let mut outcome = kill(experiment, target);
    outcome.extra.insert(0, ("false_deaths", false_deaths as f64));
    outcome
}

pub fn mixed(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let target = experiment.target;
    let mut outcome = kill(experiment, target);
    let is_v1 = |server: &usize| experiment.world.server(*server).version == Version::V1;
    if let Some(v1) = experiment.initial.iter().copied().filter(is_v1).find(|server| *server != target) {
        let second = kill(experiment, v1);
        outcome.extra.extend(second.seconds.map(|seconds| ("v1_killed", seconds)));
        outcome.extra.extend(second.extra.iter().map(|(_, revivals)| ("v1_revivals", *revivals)));
    }
    outcome
}
