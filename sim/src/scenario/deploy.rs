//! A cluster that is deployed again and again, each time with new addresses: how many servers are remembered.

use std::time::Duration;

use clustershazbot::message::Reason;

use super::experiment::{Experiment, Outcome};
use crate::world::store::Clients;

/// How often the cluster is deployed: for longer than servers that left are remembered by default.
pub const DEPLOYMENTS: usize = 50;
/// How long it is from one deployment to the next, and how long old and new servers run side by side.
const PERIOD: Duration = Duration::from_secs(600);
const OVERLAP: Duration = Duration::from_secs(60);

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
        experiment.world.run_for(PERIOD - OVERLAP);
    }
    experiment.expect_actual_states();
    let mut outcome = experiment.measure(experiment.world.now());
    let lists = current.iter().filter_map(|server| experiment.world.server(*server).core()).map(|core| core.members());
    let known = lists.clone().map(|members| members.entries().count()).max().unwrap_or_default();
    let is_failed = |reason: Option<Reason>| reason == Some(Reason::Failed);
    let failed = lists.map(|members| {
        let reasons = members.entries().filter_map(|entry| entry.v2.as_ref()).map(|v2| v2.reason);
        reasons.filter(|reason| is_failed(*reason)).count()
    });
    outcome.extra.push(("known", known as f64));
    outcome.extra.push(("failed", failed.max().unwrap_or_default() as f64));
    outcome
}
