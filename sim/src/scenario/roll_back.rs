//! The scenario roll-back: servers leave in order and start again as version 1.

use std::time::Duration;

use clustershazbot::message::State;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::experiment::{Experiment, Outcome};
use crate::world::Version;

/// How long a server is away, and how long after its start the next one leaves, in seconds.
const AWAY: std::ops::Range<f64> = 0.5..10.0;
const PAUSE: f64 = 90.0;

pub fn run(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    let mut servers = experiment.initial.clone();
    servers.shuffle(&mut experiment.world.rng);
    let is_one_by_one = experiment.world.rng.random_bool(0.5);
    let count = if is_one_by_one { 1 } else { servers.len() };
    let mut slowest = Some(Duration::ZERO);
    for group in servers.chunks(count) {
        for server in group {
            experiment.world.leave(*server);
        }
        let away = experiment.world.rng.random_range(AWAY);
        experiment.world.run_for(Duration::from_secs_f64(away));
        let began = experiment.world.now();
        for server in group {
            experiment.world.set_version(*server, Version::V1);
            experiment.world.start(*server);
        }
        let time = time_until_listed(experiment, group, began);
        slowest = slowest.zip(time).map(|(slowest, time)| slowest.max(time));
        let pause = experiment.world.rng.random_range(0.0..PAUSE);
        experiment.world.run_for(Duration::from_secs_f64(pause));
    }
    let mut outcome = experiment.untimed();
    outcome.seconds = Some(slowest.map_or(f64::INFINITY, |time| time.as_secs_f64()));
    outcome.extra.push(("one_by_one", f64::from(u8::from(is_one_by_one))));
    outcome
}

// Until the servers are listed online by those of protocol 2, or by all if none is left.
fn time_until_listed(experiment: &mut Experiment, group: &[usize], began: Duration) -> Option<Duration> {
    let is_v2 = |server: usize| experiment.world.server(server).version == Version::V2;
    let observers: Vec<_> = (0..experiment.world.servers().len()).map(is_v2).collect();
    let is_any_v2 = observers.contains(&true);
    let expected: Vec<_> = group.iter().map(|server| (*server, State::Online)).collect();
    experiment.world.expect_states(&expected, |server| observers[server] || !is_any_v2);
    experiment.time_to_converge(began)
}
