//! Scenarios in which no server ends: what a cluster does in the meantime.

use std::time::Duration;

use clustershazbot::membership::effective_incarnation;
use clustershazbot::message::{Entry, State};
use rand::RngExt;

use super::experiment::{Experiment, Outcome, WATCHED_INTERVALS};
use crate::world::{Health, ListChange, network};

const HOUR: Duration = Duration::from_secs(3600);
/// How many hours an unreachable server is watched, and exchanges are lost in a small cluster.
const HOURS: u32 = 4;
/// Up to how many servers a cluster is small.
const SMALL: usize = 100;
const IDLE_INTERVALS: u32 = 20;
/// At how many moments ages are measured, one interval apart.
const MOMENTS: u32 = 10;

pub fn unreachable(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let target = experiment.target;
    experiment.world.store.admit(target);
    let counting = experiment.initial.iter().copied().find(|server| experiment.counts(*server));
    let observer = counting.unwrap_or(experiment.initial[0]);
    experiment.start_measuring();
    // The target's base URL refuses connections, or never answers.
    if experiment.world.rng.random_bool(0.5) {
        experiment.world.set_listens(target, false);
    } else {
        experiment.world.network.add(network::no_inbound(target));
    }
    experiment.world.start(target);
    experiment.world.run_for(HOUR * HOURS);
    let is_flip = |change: &&ListChange| change.observer == observer && change.subject == target;
    let flips = experiment.world.list_changes().iter().filter(is_flip).count();
    experiment.expect(target, State::Offline);
    let still_online = experiment.world.convergence().wrong_entries();
    let mut outcome = experiment.untimed();
    outcome.extra.push(("flips_per_hour", flips as f64 / f64::from(HOURS)));
    outcome.extra.push(("still_online", still_online as f64));
    outcome
}

pub fn stall(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let target = experiment.target;
    let seconds = if experiment.setup.interval <= Duration::from_secs(2) { 5 } else { 10 };
    experiment.start_measuring();
    experiment.world.set_health(target, Health::Blocked);
    experiment.world.run_for(Duration::from_secs(seconds));
    experiment.world.set_health(target, Health::Up);
    experiment.world.run_for(experiment.setup.interval * WATCHED_INTERVALS);
    let is_dead = experiment.times_listed_offline(target) > 0;
    let mut outcome = experiment.untimed();
    outcome.extra.push(("called_dead", f64::from(u8::from(is_dead))));
    outcome
}

pub fn loss(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let hours = if experiment.setup.servers <= SMALL { HOURS } else { 1 };
    experiment.world.network.add(network::loss(experiment.setup.loss));
    experiment.start_measuring();
    experiment.world.run_for(HOUR * hours);
    let mut outcome = experiment.untimed();
    let deaths = experiment.false_deaths() as f64 / f64::from(hours);
    outcome.extra.push(("false_deaths_per_hour", deaths));
    outcome
}

pub fn idle(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    experiment.world.run_for(experiment.setup.interval * IDLE_INTERVALS);
    let mut outcome = experiment.untimed();
    outcome.extra.push(("false_deaths", experiment.false_deaths() as f64));
    outcome.extra.push(("largest_body", experiment.world.traffic.largest_body as f64));
    let sent = experiment.world.traffic.sent_per_second(experiment.setup.servers, experiment.world.now());
    outcome.extra.push(("sent", sent));
    outcome
}

pub fn age(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    // The effects of the start take longer to disappear from stamps the more servers there are.
    let intervals = IDLE_INTERVALS + experiment.setup.servers as u32 / 10;
    experiment.world.run_for(experiment.setup.interval * intervals);
    experiment.start_measuring();
    let mut ages = Vec::new();
    for _ in 0..MOMENTS {
        experiment.world.run_for(experiment.setup.interval);
        for observer in experiment.initial.iter().filter(|server| experiment.counts(**server)) {
            ages.extend(ages_in_list(experiment, *observer));
        }
    }
    ages.sort_by(f64::total_cmp);
    let at = |share: f64| ages.get(((ages.len() as f64 * share) as usize).min(ages.len().saturating_sub(1)));
    let mut outcome = experiment.untimed();
    outcome.extra.push(("age_p99", at(0.99).copied().unwrap_or_default()));
    outcome.extra.push(("age_max", at(1.0).copied().unwrap_or_default()));
    outcome
}

// In intervals, by the clock of the server that the entry describes.
fn ages_in_list(experiment: &Experiment, observer: usize) -> Vec<f64> {
    let world = &experiment.world;
    let Some(process) = &world.server(observer).process else { return Vec::new() };
    let age = |entry: &Entry| {
        let subject = world.find(&entry.url).filter(|subject| *subject != observer && entry.state == State::Online)?;
        debug_assert!(effective_incarnation(entry) > 0, "an incarnation begins at a wall clock");
        let ms = world.clock_of(subject).wall.saturating_sub(entry.stamp);
        Some(ms as f64 / experiment.setup.interval.as_millis() as f64)
    };
    process.entries().filter_map(age).collect()
}
