//! The scenario refute: a server is told that another, healthy one has failed, which must refute that.

use clustershazbot::membership::Member;
use clustershazbot::message::{Entry, EntryV2, Envelope, Message, Reason, State};

use super::experiment::{Experiment, Outcome, WATCHED_INTERVALS};
use crate::world::{ListChange, World};

/// How many intervals a false death has to spread and to be refuted.
const INTERVALS: u32 = 10;

pub fn run(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let (target, limit) = (experiment.target, experiment.setup.interval * INTERVALS);
    let (author, receiver) = pick_author_and_receiver(experiment);
    let Some(own) = experiment.world.server(target).own_entry().cloned() else { return Outcome::default() };
    let message = false_death(&experiment.world, author, &own);
    experiment.start_measuring();
    experiment.expect(target, State::Online);
    let began = experiment.world.now();
    experiment.world.call(receiver, |process, now| process.handle_gossip(now, &message));
    experiment.world.run_until(began + limit);
    // The first moment at which all lists are right says nothing: a list may accept the false death later. The last
    // change tells the time.
    let is_right = experiment.time_to_converge(began).is_some();
    let changes = |online: bool| {
        let changes = experiment.world.list_changes().iter();
        changes.filter(move |change: &&ListChange| change.subject == target && change.online == online)
    };
    let accepted = changes(false).count();
    let last = changes(true).map(|change| change.at).max();
    let seconds = if is_right {
        // None if no list accepted the false death.
        last.map(|at| at.saturating_sub(began).as_secs_f64())
    } else {
        Some(f64::INFINITY)
    };
    let incarnation = |entry: &Entry| entry.v2.as_ref().map(|v2| v2.incarnation);
    let is_raised = experiment.world.server(target).own_entry().and_then(incarnation) > incarnation(&own);
    let wrong_entries = Some(experiment.world.convergence().wrong_entries());
    let mut outcome = Outcome { seconds, wrong_entries, ..experiment.untimed() };
    experiment.world.run_for(experiment.setup.interval * WATCHED_INTERVALS);
    let unraised = accepted > 0 && !is_raised;
    outcome.extra = vec![("took", accepted as f64), ("unraised", f64::from(u8::from(unraised)))];
    outcome
}

// A server that has spoken with the target recently would verify the death first, so another one receives it, if there
// is one.
fn pick_author_and_receiver(experiment: &mut Experiment) -> (usize, usize) {
    let target = experiment.target;
    let author = experiment.pick_except(&[target]);
    let mut near: Vec<_> = experiment
        .initial
        .iter()
        .copied()
        .filter(|server| has_heard_recently(&experiment.world, *server, target))
        .collect();
    if near.len() + 2 >= experiment.initial.len() {
        near.clear();
    }
    near.extend([target, author]);
    (author, experiment.pick_except(&near))
}

fn has_heard_recently(world: &World, observer: usize, subject: usize) -> bool {
    let server = world.server(observer);
    let Some(core) = server.core() else { return false };
    let heard = core.members().get(world.url(subject)).and_then(Member::last_seen);
    heard.is_some_and(|at| world.now() < at + server.settings.interval * 2)
}

// The message in which the author says that the server with this entry has failed.
fn false_death(world: &World, author: usize, own: &Entry) -> Message {
    let wall = world.find(&own.url).map_or(0, |server| world.clock_of(server).wall);
    let url = world.url(author).clone();
    let v2 = own.v2.clone().map(|v2| EntryV2 { reason: Some(Reason::Failed), author: Some(url), ..v2 });
    let death = Entry { state: State::Offline, stamp: wall.max(own.stamp + 1), v2, ..own.clone() };
    match world.server(author).own_entry() {
        Some(sender) if sender.v2.is_some() => Message::new_v2(sender.clone(), [death], Envelope::default()),
        Some(_) | None => Message::new(vec![death]),
    }
}
