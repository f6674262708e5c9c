//! Something happens to one server.

use std::time::Duration;

use rand::RngExt;

use super::stage::Stage;
use super::{Outcome, Scenario, WATCH};
use crate::world::{Health, Kind, Node, World};
use clustershazbot::membership::Member;
use clustershazbot::message::{Entry, EntryV2, Envelope, Message, Reason, State};

const HOUR: i64 = 3_600_000;
/// When a server that listens late begins to, s after its start.
const LATE: std::ops::Range<f64> = 5.0..30.0;
/// How often clocks step in an interval, and for how many.
const STEPS: u32 = 4;
const INTERVALS_OF_STEPS: u32 = 20;
/// How many intervals a false death has to spread and to be answered.
const INTERVALS_OF_REFUTATION: u32 = 10;

pub fn join(stage: &mut Stage) -> Outcome {
    stage.settle();
    let target = stage.target;
    stage.world.store.only = stage.world.store.only.map(|_| target);
    stage.begin();
    let began = stage.world.now();
    stage.world.start(target);
    stage.want(target, State::Online);
    let known = stage.world.run(stage.limit(), true).then(|| stage.world.now());
    let mut outcome = stage.conclude(known.map(|at| at.saturating_sub(began)));
    let others: Vec<_> = stage.old.iter().map(|server| (*server, State::Online)).collect();
    stage.world.want(&others, |server| server == target);
    let is_complete = stage.world.wanted().wrong_lists() == 0;
    let last = stage.changes().iter().filter(|it| it.by == target && it.online).map(|it| it.at).max();
    let own = if is_complete {
        Some(last.unwrap_or(began))
    } else {
        let limit = stage.limit();
        stage.world.run(limit, true).then(|| stage.world.now())
    };
    outcome.extra.push(("own_list", own.map_or(f64::INFINITY, |own| own.saturating_sub(began).as_secs_f64())));
    outcome
}

pub fn late_listen(stage: &mut Stage) -> Outcome {
    stage.settle();
    let target = stage.target;
    stage.world.store.only = stage.world.store.only.map(|_| target);
    stage.begin();
    stage.world.set_listens(target, false);
    stage.world.start(target);
    let late = stage.world.rng.random_range(LATE);
    stage.world.pass(Duration::from_secs_f64(late));
    stage.world.set_listens(target, true);
    stage.want(target, State::Online);
    let mut outcome = stage.measure(stage.world.now());
    let dead = stage.changes().iter().filter(|it| it.about == target && !it.online && stage.counts(it.by)).count();
    outcome.extra.push(("called_dead", dead as f64));
    outcome
}

pub fn end(stage: &mut Stage, how: Scenario) -> Outcome {
    stage.settle();
    stage.begin();
    happen(stage, stage.target, how);
    stage.want(stage.target, State::Offline);
    let mut outcome = stage.measure(stage.world.now());
    outcome.extra.push(("revivals", stage.revivals(stage.target)));
    outcome
}

fn happen(stage: &mut Stage, target: usize, how: Scenario) {
    match how {
        Scenario::Gone => stage.world.set_health(target, Health::Gone),
        Scenario::Hang => stage.world.set_health(target, Health::Hung),
        Scenario::Blocked => stage.world.set_health(target, Health::Blocked),
        Scenario::Leave => stage.world.leave(target),
        Scenario::Drain => stage.world.control(target, false),
        _ => stage.world.set_health(target, Health::Down),
    }
}

pub fn skew(stage: &mut Stage) -> Outcome {
    stage.settle();
    stage.begin();
    for _ in 0..STEPS * INTERVALS_OF_STEPS {
        let (server, skew) = (stage.pick(&[]), stage.world.rng.random_range(-HOUR..=HOUR));
        stage.world.set_clock(server, skew);
        stage.world.pass(stage.setup.interval / STEPS);
    }
    let false_deaths = stage.false_deaths(Duration::ZERO);
    stage.begin();
    stage.world.set_health(stage.target, Health::Down);
    stage.want(stage.target, State::Offline);
    let mut outcome = stage.measure(stage.world.now());
    outcome.extra.push(("false_deaths", false_deaths));
    outcome.extra.push(("revivals", stage.revivals(stage.target)));
    outcome
}

pub fn mixed(stage: &mut Stage) -> Outcome {
    let mut outcome = end(stage, Scenario::Crash);
    let target = stage.target;
    let v1 = stage.old.iter().copied().find(|it| *it != target && stage.world.servers()[*it].kind == Kind::V1);
    if let Some(v1) = v1 {
        stage.begin();
        stage.world.set_health(v1, Health::Down);
        stage.want(v1, State::Offline);
        let second = stage.measure(stage.world.now());
        outcome.extra.extend(second.known.map(|known| ("v1_killed", known)));
        outcome.extra.push(("v1_revivals", stage.revivals(v1)));
    }
    outcome
}

fn has_heard_of(world: &World, by: usize, about: usize) -> bool {
    match &world.servers()[by].node {
        Some(Node::Ours(core)) => {
            let heard = core.members().get(world.url(about)).and_then(Member::last_heard);
            heard.is_some_and(|at| world.now() < at + world.servers()[by].settings.interval * 2)
        }
        Some(Node::V1(_)) | None => false,
    }
}

pub fn refute(stage: &mut Stage) -> Outcome {
    stage.settle();
    let (target, limit) = (stage.target, stage.setup.interval * INTERVALS_OF_REFUTATION);
    let author = stage.pick(&[target]);
    // Whoever has just spoken with it would look before it lists it.
    let mut near: Vec<_> = stage.old.iter().copied().filter(|it| has_heard_of(&stage.world, *it, target)).collect();
    if near.len() + 2 >= stage.old.len() {
        near.clear();
    }
    near.extend([target, author]);
    let told = stage.pick(&near);
    let speaker = stage.world.servers()[author].node.as_ref().and_then(|it| it.entry(stage.world.url(author))).cloned();
    let author = stage.world.url(author).clone();
    let it = &stage.world.servers()[target];
    let Some(own) = it.node.as_ref().and_then(|node| node.entry(stage.world.url(target))).cloned() else {
        return Outcome::default();
    };
    let stamp = stage.world.now_of(target).wall.max(own.stamp + 1);
    let life = own.v2.clone().map(|life| EntryV2 { reason: Some(Reason::Failed), author: Some(author), ..life });
    let death = Entry { state: State::Offline, stamp, v2: life, ..own.clone() };
    stage.begin();
    stage.want(target, State::Online);
    let began = stage.world.now();
    let message = match speaker {
        Some(speaker) if speaker.v2.is_some() => Message::new_v2(speaker, [death], Envelope::default()),
        Some(_) | None => Message::new(vec![death]),
    };
    stage.world.handle(told, |node, now| node.handle_gossip(now, &message));
    stage.world.run(began + limit, false);
    // Somebody may have been slow to believe it, so that the first moment at which all were right says nothing.
    let is_right = stage.world.run(stage.limit(), true);
    let about = |online: bool| stage.changes().iter().filter(move |it| it.about == target && it.online == online);
    let took = about(false).count();
    let last = about(true).map(|it| it.at).max();
    let known = match last {
        _ if !is_right => Some(f64::INFINITY),
        Some(last) => Some(last.saturating_sub(began).as_secs_f64()),
        // Nobody had it offline.
        None => None,
    };
    let incarnation = |entry: &Entry| entry.v2.as_ref().map(|life| life.incarnation);
    let it = stage.world.servers()[target].node.as_ref();
    let now = it.and_then(|node| node.entry(stage.world.url(target)));
    let raised = now.and_then(incarnation) > incarnation(&own);
    let mut outcome = Outcome { known, ..stage.untimed() };
    outcome.wrong = Some(stage.world.wanted().wrong_entries());
    stage.world.pass(stage.setup.interval * WATCH);
    outcome.extra = vec![("took", took as f64), ("unraised", f64::from(u8::from(took > 0 && !raised)))];
    outcome
}
