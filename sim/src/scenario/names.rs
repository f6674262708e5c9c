//! Scenarios about seeds that are addresses, which DNS gives for one name. There is no master list.

use std::time::Duration;

use super::experiment::{Experiment, Outcome};
use crate::world::network;

/// Longer than any server is remembered after it has failed.
const LONG: Duration = Duration::from_secs(26 * 3600);

/// All servers start at once, and the name leads to all of them.
pub fn start_all(experiment: &mut Experiment) -> Outcome {
    let all = experiment.initial.clone();
    experiment.world.dns.records.clone_from(&all);
    experiment.start_measuring();
    // Millions of entries change here, and none of these changes is measured.
    experiment.world.stop_recording();
    experiment.expect_online(&all);
    experiment.world.start_within(&all, Duration::from_secs(1));
    let mut outcome = experiment.measure(experiment.world.now());
    let traffic = &experiment.world.traffic;
    let worst = traffic.messages_by_server.iter().map(|rate| rate.peak).max().unwrap_or_default();
    outcome.extra.push(("worst_peak", f64::from(worst)));
    outcome
}

/// Half of the servers are cut off until nobody remembers the other half.
pub fn partition(experiment: &mut Experiment) -> Outcome {
    experiment.world.dns.records.clone_from(&experiment.initial);
    experiment.settle();
    let side = experiment.random_half();
    experiment.world.network.add(network::partition(move |server| side[server]));
    experiment.world.run_for(LONG);
    experiment.world.network.heal();
    experiment.start_measuring();
    experiment.expect_actual_states();
    experiment.measure(experiment.world.now())
}
