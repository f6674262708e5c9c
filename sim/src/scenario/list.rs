//! What becomes of the master list, and what it costs its store.

use std::time::Duration;

use super::Outcome;
use super::stage::Stage;
use crate::cluster::start_within;
use crate::world::store::Condition;
use clustershazbot::message::State;

const HOUR: Duration = Duration::from_secs(3600);
/// How long the store does not answer at first, from the last start on.
const DOWN: Duration = Duration::from_secs(30);

/// All start, with an empty list.
pub fn from_nothing(stage: &mut Stage) -> Outcome {
    start_all(stage);
    let began = stage.world.now();
    let limit = stage.limit();
    let known = stage.world.run(limit, true).then(|| stage.world.now().saturating_sub(began));
    let all = stage.old.len();
    let is_whole = |stage: &Stage| stage.world.store.read().len() == all;
    while !is_whole(stage) && stage.world.now() < limit {
        stage.world.pass(Duration::from_millis(100));
    }
    let right = stage.world.now().saturating_sub(began).as_secs_f64();
    let whole = is_whole(stage);
    let writes = stage.world.store.version();
    let mut outcome = stage.conclude(known);
    outcome.extra.push(("list_right", if whole { right } else { f64::INFINITY }));
    outcome.extra.push(("writes_until", writes as f64));
    // Two hours later it has been looked at by all, time and again.
    let before = stage.world.store.version();
    stage.world.pass(HOUR * 2);
    outcome.extra.push(("writes_per_hour", (stage.world.store.version() - before) as f64 / 2.0));
    outcome
}

/// All start while the store does not answer.
pub fn store_down(stage: &mut Stage) -> Outcome {
    stage.world.store.condition = Condition::Failing;
    start_all(stage);
    stage.world.pass(DOWN);
    stage.world.store.condition = Condition::Fine;
    let began = stage.world.now();
    stage.measure(began)
}

fn start_all(stage: &mut Stage) {
    let all = stage.old.clone();
    stage.begin();
    // Millions of entries come online: nobody needs to know in which order.
    stage.world.changes = None;
    let targets: Vec<_> = all.iter().map(|server| (*server, State::Online)).collect();
    let observers = stage.observers(None);
    stage.world.want(&targets, |server| observers[server]);
    start_within(&mut stage.world, &all, Duration::from_secs(1));
}
