//! Scenarios that affect many servers at once, or one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use clustershazbot::message::State;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::experiment::{Experiment, Outcome};
use crate::world::store::Clients;
use crate::world::{Health, network};

const HOUR: Duration = Duration::from_secs(3600);
/// How many servers at most are restarted one after the other.
const RESTARTS: usize = 50;
/// How long a restarted server is away, and how long after its start the lists are compared.
const AWAY: Duration = Duration::from_secs(5);

pub fn one_way(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let (from, to) = (experiment.target, experiment.pick_except(&[experiment.target]));
    experiment.start_measuring();
    experiment.world.network.add(network::one_way(from, to));
    experiment.world.run_for(HOUR);
    experiment.world.network.heal();
    experiment.expect_actual_states();
    let mut outcome = experiment.measure(experiment.world.now());
    outcome.extra.push(("false_deaths", experiment.false_deaths() as f64));
    outcome
}

pub fn partition(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let side = experiment.random_half();
    let cut = side.clone();
    experiment.world.network.add(network::partition(move |server| cut[server]));
    experiment.world.run_for(HOUR);
    experiment.world.network.heal();
    experiment.start_measuring();
    experiment.expect_actual_states();
    let mut outcome = experiment.measure(experiment.world.now());
    let own_side: BTreeSet<_> = experiment
        .changes()
        .filter(|change| !change.online && change.subject_available && side[change.observer] == side[change.subject])
        .map(|change| change.subject)
        .collect();
    outcome.extra.push(("own_side", own_side.len() as f64));
    outcome
}

pub fn restart_all(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.world.store.clients = Clients::All;
    let all = experiment.initial.clone();
    for server in &all {
        experiment.world.set_health(*server, Health::Down);
    }
    experiment.start_measuring();
    // Millions of entries change here, and none of these changes is measured.
    experiment.world.stop_recording();
    let began = experiment.world.now();
    experiment.expect_online(&all);
    experiment.world.start_within(&all, Duration::from_secs(1));
    let mut outcome = experiment.measure(began);
    let traffic = &experiment.world.traffic;
    let worst = traffic.messages_by_server.iter().map(|rate| rate.peak).max().unwrap_or_default();
    outcome.extra.push(("peak", f64::from(traffic.messages.peak) / all.len() as f64));
    outcome.extra.push(("worst_peak", f64::from(worst)));
    outcome
}

pub fn rolling_restart(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    experiment.expect_actual_states();
    let mut order = experiment.initial.clone();
    order.shuffle(&mut experiment.world.rng);
    order.truncate(RESTARTS);
    let mut shares = Vec::new();
    let mut last_start = experiment.world.now();
    for server in order {
        experiment.world.leave(server);
        experiment.world.run_for(AWAY);
        experiment.world.start(server);
        last_start = experiment.world.now();
        experiment.world.run_for(AWAY);
        shares.push(wrong_share(experiment));
    }
    let mut outcome = experiment.measure(last_start);
    outcome.extra.push(("wrong_share", mean(&shares)));
    outcome
}

pub fn churn(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.world.store.clients = Clients::All;
    experiment.start_measuring();
    experiment.expect_actual_states();
    let (mut up, mut down) = (experiment.initial.clone(), experiment.spare.clone());
    let mut shares = Vec::new();
    let end = experiment.world.now() + HOUR;
    while experiment.world.now() < end {
        let wait = experiment.world.rng.random_range(0.0..1.0);
        experiment.world.run_for(experiment.setup.interval.mul_f64(wait));
        shares.push(wrong_share(experiment));
        // At least half of the servers keep running.
        let may_stop = up.len() > experiment.setup.servers.div_ceil(2).max(2);
        if may_stop && (down.is_empty() || experiment.world.rng.random_bool(0.5)) {
            down.push(stop_one(experiment, &mut up));
        } else if !down.is_empty() {
            let server = down.swap_remove(experiment.world.rng.random_range(0..down.len()));
            experiment.world.start(server);
            experiment.world.expect_state(server, State::Online);
            up.push(server);
        }
    }
    let mut outcome = experiment.measure(experiment.world.now());
    outcome.extra.push(("wrong_share", mean(&shares)));
    outcome
}

// Kills a random server or shuts it down.
fn stop_one(experiment: &mut Experiment, up: &mut Vec<usize>) -> usize {
    let server = up.swap_remove(experiment.world.rng.random_range(0..up.len()));
    if experiment.world.rng.random_bool(0.5) {
        experiment.world.set_health(server, Health::Down);
    } else {
        experiment.world.leave(server);
    }
    experiment.world.expect_state(server, State::Offline);
    server
}

fn wrong_share(experiment: &Experiment) -> f64 {
    let up = experiment.world.servers().iter().filter(|server| server.is_up()).count();
    let wrong = experiment.world.convergence().wrong_entries();
    wrong as f64 / (up * experiment.setup.servers).max(1) as f64
}

fn mean(shares: &[f64]) -> f64 {
    shares.iter().sum::<f64>() / shares.len().max(1) as f64
}
