//! Nothing ends: what is measured is what a cluster does meanwhile.

use std::time::Duration;

use rand::RngExt;

use super::stage::Stage;
use super::{Outcome, WATCH};
use crate::world::{Health, network};
use clustershazbot::membership::effective_incarnation;
use clustershazbot::message::State;

const HOUR: Duration = Duration::from_secs(3600);
/// How many hours a server that cannot be reached is watched, and exchanges are lost in a small cluster.
const HOURS: u32 = 4;
/// Up to how many servers a cluster is small.
const SMALL: usize = 100;
const INTERVALS_IDLE: u32 = 20;
/// At how many moments ages are read, an interval apart.
const MOMENTS: u32 = 10;

pub fn unreachable(stage: &mut Stage) -> Outcome {
    stage.settle();
    let target = stage.target;
    stage.world.store.only = stage.world.store.only.map(|_| target);
    let observer = stage.old.iter().copied().find(|server| stage.counts(*server)).unwrap_or(stage.old[0]);
    stage.begin();
    // What its base URL leads to refuses, or never answers.
    if stage.world.rng.random_bool(0.5) {
        stage.world.set_listens(target, false);
    } else {
        stage.world.network.add(network::deaf(target));
    }
    stage.world.start(target);
    stage.world.pass(HOUR * HOURS);
    let flips = stage.changes().iter().filter(|it| it.by == observer && it.about == target).count();
    stage.want(target, State::Offline);
    let still_online = stage.world.wanted().wrong_entries();
    let mut outcome = stage.untimed();
    outcome.extra.push(("flips_per_hour", flips as f64 / f64::from(HOURS)));
    outcome.extra.push(("still_online", still_online as f64));
    outcome
}

pub fn stall(stage: &mut Stage) -> Outcome {
    stage.settle();
    let target = stage.target;
    let seconds = if stage.setup.interval <= Duration::from_secs(2) { 5 } else { 10 };
    stage.begin();
    stage.world.set_health(target, Health::Blocked);
    stage.world.pass(Duration::from_secs(seconds));
    stage.world.set_health(target, Health::Up);
    stage.world.pass(stage.setup.interval * WATCH);
    let dead = stage.changes().iter().any(|it| it.about == target && !it.online && stage.counts(it.by));
    let mut outcome = stage.untimed();
    outcome.extra.push(("called_dead", f64::from(u8::from(dead))));
    outcome
}

pub fn loss(stage: &mut Stage) -> Outcome {
    stage.settle();
    let hours = if stage.setup.servers <= SMALL { HOURS } else { 1 };
    stage.world.network.add(network::loss(stage.setup.loss));
    stage.begin();
    stage.world.pass(HOUR * hours);
    let mut outcome = stage.untimed();
    let deaths = stage.false_deaths(Duration::ZERO) / f64::from(hours);
    outcome.extra.push(("false_deaths_per_hour", deaths));
    outcome
}

pub fn idle(stage: &mut Stage) -> Outcome {
    stage.settle();
    stage.begin();
    stage.world.pass(stage.setup.interval * INTERVALS_IDLE);
    let mut outcome = stage.untimed();
    outcome.extra.push(("false_deaths", stage.false_deaths(Duration::ZERO)));
    outcome.extra.push(("largest_body", stage.world.meter.largest as f64));
    outcome
}

pub fn age(stage: &mut Stage) -> Outcome {
    stage.settle();
    // What the start has brought is over by then: stamps take longer the more servers there are.
    let settled = INTERVALS_IDLE + stage.setup.servers as u32 / 10;
    stage.world.pass(stage.setup.interval * settled);
    stage.begin();
    let mut ages = Vec::new();
    for _ in 0..MOMENTS {
        stage.world.pass(stage.setup.interval);
        for observer in stage.old.iter().filter(|server| stage.counts(**server)) {
            ages.extend(ages_of(stage, *observer));
        }
    }
    ages.sort_by(f64::total_cmp);
    let at = |share: f64| ages.get(((ages.len() as f64 * share) as usize).min(ages.len().saturating_sub(1)));
    let mut outcome = stage.untimed();
    outcome.extra.push(("age_p99", at(0.99).copied().unwrap_or_default()));
    outcome.extra.push(("age_max", at(1.0).copied().unwrap_or_default()));
    outcome
}

// By the clock of the server that the entry is of.
fn ages_of(stage: &Stage, observer: usize) -> Vec<f64> {
    let world = &stage.world;
    let Some(node) = &world.servers()[observer].node else { return Vec::new() };
    let age = |entry: &clustershazbot::message::Entry| {
        let about = world.find(&entry.url).filter(|about| *about != observer && entry.state == State::Online)?;
        debug_assert!(effective_incarnation(entry) > 0, "an incarnation begins at a wall clock");
        let ms = world.now_of(about).wall.saturating_sub(entry.stamp);
        Some(ms as f64 / stage.setup.interval.as_millis() as f64)
    };
    node.entries().filter_map(age).collect()
}
