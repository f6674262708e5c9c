//! Scenarios in which watch connections close although no server ends, or one that is back soon.

use std::time::Duration;

use clustershazbot::message::State;

use super::experiment::{Experiment, Outcome, WATCHED_INTERVALS};
use crate::world::Health;

const HOUR: Duration = Duration::from_secs(3600);
/// After how long the proxies close a connection without a request.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);
/// For how long a restarted server is down, by seed.
const DOWN: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(5)];

pub fn proxy(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    let before = probes(experiment);
    experiment.world.set_proxy_timeout(Some(PROXY_TIMEOUT));
    experiment.world.run_for(HOUR);
    let probes = (probes(experiment) - before) as f64;
    let mut outcome = steady(experiment);
    let minutes = HOUR.as_secs_f64() / 60.0;
    outcome.extra.push(("probes_per_minute", probes / minutes / experiment.setup.servers as f64));
    outcome
}

pub fn storm(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    experiment.world.close_watches(|_| true);
    experiment.world.run_for(experiment.setup.interval * WATCHED_INTERVALS);
    let traffic = &experiment.world.traffic;
    let worst = traffic.messages_by_server.iter().map(|rate| rate.peak).max().unwrap_or_default();
    let mut outcome = steady(experiment);
    outcome.extra.push(("worst_peak", f64::from(worst)));
    outcome
}

// Nobody has ended, and everybody should be watched.
fn steady(experiment: &Experiment) -> Outcome {
    let mut outcome = experiment.untimed();
    let watching = |server: &&usize| experiment.world.server(**server).core().is_some_and(|it| it.open_watches() < 2);
    let unwatched = experiment.initial.iter().filter(watching).count();
    outcome.extra.push(("false_deaths", experiment.false_deaths() as f64));
    outcome.extra.push(("unwatched", unwatched as f64));
    outcome
}

pub fn restart(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    experiment.start_measuring();
    let target = experiment.target;
    experiment.world.set_health(target, Health::Down);
    experiment.world.run_for(DOWN[experiment.seed as usize % DOWN.len()]);
    let began = experiment.world.now();
    experiment.world.start(target);
    experiment.expect(target, State::Online);
    let mut outcome = experiment.measure(began);
    // The last time that it was listed online again, in any list, or never: it was not listed offline.
    let back = experiment.changes().filter(|it| it.subject == target && it.online).map(|it| it.at).max();
    let offline = back.map_or(0.0, |at| at.saturating_sub(began).as_secs_f64());
    outcome.extra.push(("listed_offline", offline));
    outcome
}

fn probes(experiment: &Experiment) -> u64 {
    experiment.world.servers().iter().filter_map(|server| server.core()).map(|it| it.counters().watches.probes).sum()
}
