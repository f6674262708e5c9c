//! Something happens to many servers at once, or one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::Outcome;
use super::stage::Stage;
use crate::cluster::start_within;
use crate::world::{Health, network};
use clustershazbot::message::State;

const HOUR: Duration = Duration::from_secs(3600);
/// How many servers are restarted one after the other at most.
const RESTARTS: usize = 50;
/// How long one of them is away, and when it is looked whether all know it again.
const AWAY: Duration = Duration::from_secs(5);

pub fn one_way(stage: &mut Stage) -> Outcome {
    stage.settle();
    let (from, to) = (stage.target, stage.pick(&[stage.target]));
    stage.begin();
    stage.world.network.add(network::one_way(from, to));
    stage.world.pass(HOUR);
    stage.world.network.heal();
    stage.want_all();
    let mut outcome = stage.measure(stage.world.now());
    outcome.extra.push(("false_deaths", stage.false_deaths(Duration::ZERO)));
    outcome
}

pub fn partition(stage: &mut Stage) -> Outcome {
    stage.settle();
    let mut order = stage.old.clone();
    order.shuffle(&mut stage.world.rng);
    let mut side = vec![false; stage.world.servers().len()];
    for server in &order[..order.len() / 2] {
        side[*server] = true;
    }
    let cut = side.clone();
    stage.world.network.add(network::partition(move |server| cut[server]));
    stage.world.pass(HOUR);
    stage.world.network.heal();
    stage.begin();
    stage.want_all();
    let mut outcome = stage.measure(stage.world.now());
    let own_side: BTreeSet<_> = stage
        .changes()
        .iter()
        .filter(|it| !it.online && it.lives && side[it.by] == side[it.about] && stage.counts(it.by))
        .map(|it| it.about)
        .collect();
    outcome.extra.push(("own_side", own_side.len() as f64));
    outcome
}

pub fn restart_all(stage: &mut Stage) -> Outcome {
    stage.settle();
    stage.world.store.only = None;
    let all = stage.old.clone();
    for server in &all {
        stage.world.set_health(*server, Health::Down);
    }
    stage.begin();
    // Millions of entries come online: nobody needs to know in which order.
    stage.world.changes = None;
    let began = stage.world.now();
    let targets: Vec<_> = all.iter().map(|server| (*server, State::Online)).collect();
    let observers = stage.observers(None);
    stage.world.want(&targets, |server| observers[server]);
    start_within(&mut stage.world, &all, Duration::from_secs(1));
    let mut outcome = stage.measure(began);
    let meter = &stage.world.meter;
    let worst = meter.each.iter().map(|rate| rate.peak).max().unwrap_or_default();
    outcome.extra.push(("peak", f64::from(meter.all.peak) / all.len() as f64));
    outcome.extra.push(("worst_peak", f64::from(worst)));
    outcome
}

pub fn rolling_restart(stage: &mut Stage) -> Outcome {
    stage.settle();
    stage.begin();
    stage.want_all();
    let mut order = stage.old.clone();
    order.shuffle(&mut stage.world.rng);
    order.truncate(RESTARTS);
    let mut shares = Vec::new();
    let mut last = stage.world.now();
    for server in order {
        stage.world.leave(server);
        stage.world.pass(AWAY);
        stage.world.start(server);
        last = stage.world.now();
        stage.world.pass(AWAY);
        shares.push(wrong_share(stage));
    }
    let mut outcome = stage.measure(last);
    outcome.extra.push(("wrong_share", mean(&shares)));
    outcome
}

pub fn churn(stage: &mut Stage) -> Outcome {
    stage.settle();
    stage.world.store.only = None;
    stage.begin();
    stage.want_all();
    let (mut shares, mut down) = (Vec::new(), stage.spare.clone());
    let mut up = stage.old.clone();
    let end = stage.world.now() + HOUR;
    while stage.world.now() < end {
        let wait = stage.world.rng.random_range(0.0..1.0);
        stage.world.pass(stage.setup.interval.mul_f64(wait));
        shares.push(wrong_share(stage));
        // Between half of them and all of them run.
        let may_end = up.len() > stage.setup.servers.div_ceil(2).max(2);
        if may_end && (down.is_empty() || stage.world.rng.random_bool(0.5)) {
            let server = up.swap_remove(stage.world.rng.random_range(0..up.len()));
            if stage.world.rng.random_bool(0.5) {
                stage.world.set_health(server, Health::Down);
            } else {
                stage.world.leave(server);
            }
            stage.world.expect(server, State::Offline);
            down.push(server);
        } else if !down.is_empty() {
            let server = down.swap_remove(stage.world.rng.random_range(0..down.len()));
            stage.world.start(server);
            stage.world.expect(server, State::Online);
            up.push(server);
        }
    }
    let mut outcome = stage.measure(stage.world.now());
    outcome.extra.push(("wrong_share", mean(&shares)));
    outcome
}

fn wrong_share(stage: &Stage) -> f64 {
    let up = stage.world.servers().iter().filter(|server| server.is_up()).count();
    let wrong = stage.world.wanted().wrong_entries();
    wrong as f64 / (up * stage.setup.servers).max(1) as f64
}

fn mean(shares: &[f64]) -> f64 {
    shares.iter().sum::<f64>() / shares.len().max(1) as f64
}
