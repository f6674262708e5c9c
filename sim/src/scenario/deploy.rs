//! A cluster that is deployed again and again, each time with new addresses: how many servers are remembered.

use std::time::Duration;

use clustershazbot::message::{Entry, State};

use super::experiment::{Experiment, Outcome};
use crate::world::store::Clients;

/// How often the cluster is deployed: for longer than servers that left are remembered by default.
pub const DEPLOYMENTS: usize = 50;
/// How long old and new servers run side by side, and how long the new ones then run alone: ten minutes together.
const OVERLAP: Duration = Duration::from_secs(60);
const ALONE: Duration = Duration::from_secs(540);

pub fn run(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.world.store.clients = Clients::All;
    experiment.start_measuring();
    experiment.world.stop_recording();
    let mut current = experiment.initial.clone();
    let spare = experiment.spare.clone();
    for next in spare.chunks(experiment.setup.servers) {
        experiment.world.start_within(next, Duration::from_secs(1));
        experiment.world.run_for(OVERLAP);
        for server in std::mem::replace(&mut current, next.to_vec()) {
            experiment.world.leave(server);
        }
        experiment.world.run_for(ALONE);
    }
    experiment.expect_actual_states();
    let mut outcome = experiment.measure(experiment.world.now());
    let cores = current.iter().filter_map(|server| experiment.world.server(*server).core());
    let known = cores.clone().map(|core| core.members().entries().count()).max().unwrap_or_default();
    let is_failed = |entry: &&Entry| entry.state == State::Offline && entry.is_failure();
    let failed = cores.map(|core| core.members().entries().filter(is_failed).count()).max();
    outcome.extra.push(("known", known as f64));
    outcome.extra.push(("failed", failed.unwrap_or_default() as f64));
    outcome
}
