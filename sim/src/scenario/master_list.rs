//! Scenarios about the master list: how it fills, how often it is written, and a store that is down.

use std::time::Duration;

use super::experiment::{Experiment, Outcome};
use crate::world::store::Availability;

const HOUR: Duration = Duration::from_secs(3600);
/// How long the store is down after the last start.
const DOWN: Duration = Duration::from_secs(30);

/// All servers start with an empty list.
pub fn from_empty(experiment: &mut Experiment) -> Outcome {
    start_all(experiment);
    let began = experiment.world.now();
    let deadline = experiment.deadline();
    let time = experiment.time_to_converge(began);
    let is_complete = |experiment: &Experiment| experiment.world.store.read().len() == experiment.initial.len();
    while !is_complete(experiment) && experiment.world.now() < deadline {
        experiment.world.run_for(Duration::from_millis(100));
    }
    let seconds = experiment.world.now().saturating_sub(began).as_secs_f64();
    let list_right = if is_complete(experiment) { seconds } else { f64::INFINITY };
    let writes = experiment.world.store.revision();
    let mut outcome = experiment.finish(time);
    outcome.extra.push(("list_right", list_right));
    outcome.extra.push(("writes_until", writes as f64));
    // In two hours every server reads it several times.
    let before = experiment.world.store.revision();
    experiment.world.run_for(HOUR * 2);
    outcome.extra.push(("writes_per_hour", (experiment.world.store.revision() - before) as f64 / 2.0));
    outcome
}

/// All servers start while the store is down.
pub fn store_down(experiment: &mut Experiment) -> Outcome {
    experiment.world.store.availability = Availability::Failing;
    start_all(experiment);
    experiment.world.run_for(DOWN);
    experiment.world.store.availability = Availability::Up;
    experiment.measure(experiment.world.now())
}

fn start_all(experiment: &mut Experiment) {
    let all = experiment.initial.clone();
    experiment.start_measuring();
    // Millions of entries change here, and none of these changes is measured.
    experiment.world.stop_recording();
    experiment.expect_online(&all);
    experiment.world.start_within(&all, Duration::from_secs(1));
}
