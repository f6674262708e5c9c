//! The scenario liar: a peer that holds the secret lies. Measures which lies servers accept, for how long, and at what
//! cost.

use std::collections::BTreeMap;
use std::time::Duration;

use clustershazbot::message::{Entry, EntryV2, Envelope, MAX_AHEAD, Message, Reason, ServerUrl, State};
use rand::RngExt;
use rand::seq::IndexedRandom;

use super::experiment::{Experiment, Outcome};
use crate::world::{Health, Process, World};

/// For how many intervals it lies, and how many messages it sends per interval.
const INTERVALS: u32 = 20;
const MESSAGES: u32 = 2;
/// How many servers it invents in a message, and in one of the messages.
const INVENTED: u32 = 50;
const INVENTED_ONCE: u32 = 1_000;

/// What the liar says about all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// They have just failed.
    Failed,
    /// The same, with invented processes and stamps as far in the future as is accepted.
    FailedInFuture,
    /// They have left.
    Left,
    /// They are drained.
    Drained,
}

impl Lie {
    const ALL: [Self; 4] = [Self::Failed, Self::FailedInFuture, Self::Left, Self::Drained];

    /// The entry of the lie. `own` is what the server says about itself.
    fn about(self, own: Entry, liar: &ServerUrl, own_wall: u64, receiver_wall: u64) -> Entry {
        let newest = receiver_wall + MAX_AHEAD;
        let stamp = own_wall.max(own.stamp + 1).min(newest);
        let offline = |v2: EntryV2, reason: Reason, author: &ServerUrl| EntryV2 {
            reason: Some(reason),
            author: Some(author.clone()),
            ..v2
        };
        let (stamp, v2) = match (self, own.v2) {
            (_, None) => (stamp, None),
            (Self::Failed, Some(v2)) => (stamp, Some(offline(v2, Reason::Failed, liar))),
            (Self::FailedInFuture, Some(v2)) => {
                let v2 = EntryV2 { incarnation: newest, instance: v2.instance.wrapping_add(1), ..v2 };
                (newest, Some(offline(v2, Reason::Failed, liar)))
            }
            (Self::Left | Self::Drained, Some(v2)) => {
                let reason = if self == Self::Left { Reason::Left } else { Reason::Drained };
                let v2 = EntryV2 { incarnation: (v2.incarnation + 1).min(newest), ..v2 };
                (stamp, Some(offline(v2, reason, &own.url)))
            }
        };
        Entry { state: State::Offline, stamp, v2, ..own }
    }
}

pub fn run(experiment: &mut Experiment) -> Outcome {
    experiment.settle();
    let liar = experiment.target;
    experiment.start_measuring();
    let began = experiment.world.now();
    let longest_list = lie(experiment, liar);
    let ended = experiment.world.now();
    let times = times_offline(experiment, liar, ended);
    let others = experiment.initial.len().saturating_sub(1) as f64;
    let pairs = others * (others - 1.0);
    let share = times.iter().sum::<f64>() / (pairs * ended.saturating_sub(began).as_secs_f64()).max(1.0);
    // The liar stops to lie, or is killed.
    if experiment.world.rng.random_bool(0.5) {
        experiment.world.set_health(liar, Health::Down);
    }
    experiment.expect_actual_states();
    let mut outcome = experiment.measure(ended);
    let traffic = &experiment.world.traffic;
    let peak = traffic.exchanges_by_server.iter().map(|rate| rate.peak).max().unwrap_or_default();
    let is_invented = |entry: &Entry| entry.state == State::Online && experiment.world.find(&entry.url).is_none();
    outcome.extra = vec![
        ("slandered_p50", quantile(&times, 0.5)),
        ("slandered_p99", quantile(&times, 0.99)),
        ("slandered_max", quantile(&times, 1.0)),
        ("slandered_share", share),
        ("known", longest_list as f64),
        ("still_online", max_in_any_list(experiment, is_invented) as f64),
        ("begun", f64::from(peak)),
        ("largest_body", traffic.largest_body as f64),
    ];
    outcome
}

// Sends all lies. Returns the length of the longest list meanwhile.
fn lie(experiment: &mut Experiment, liar: usize) -> usize {
    let interval = experiment.setup.interval;
    let end = experiment.world.now() + interval * INTERVALS;
    let (mut invented, mut longest) = (0, 0);
    for turn in 0.. {
        let wait = experiment.world.rng.random_range(0.0..2.0) / f64::from(MESSAGES);
        experiment.world.run_until((experiment.world.now() + interval.mul_f64(wait)).min(end));
        if experiment.world.now() >= end {
            break;
        }
        let to = experiment.pick_except(&[liar]);
        let count = if turn == INTERVALS * MESSAGES / 2 { INVENTED_ONCE } else { INVENTED };
        if let Some(message) = message(&mut experiment.world, liar, to, invented..invented + count) {
            experiment.world.call(to, |process, now| process.handle_gossip(now, &message));
        }
        invented += count;
        longest = longest.max(max_in_any_list(experiment, |_| true));
    }
    longest
}

// The most entries of some kind that any list has.
fn max_in_any_list(experiment: &Experiment, counts: impl Fn(&Entry) -> bool) -> usize {
    let processes = experiment.world.servers().iter().filter_map(|server| server.process.as_ref());
    let count = |process: &Process| process.entries().filter(|entry| counts(entry)).count();
    processes.map(count).max().unwrap_or_default()
}

// What the liar tells one server.
fn message(world: &mut World, liar: usize, to: usize, invented: std::ops::Range<u32>) -> Option<Message> {
    let (receiver_wall, lie) = (world.clock_of(to).wall, *Lie::ALL.choose(&mut world.rng)?);
    let others = (0..world.servers().len()).filter(|server| *server != liar);
    let slander = others.filter_map(|server| {
        let own = world.server(server).own_entry()?.clone();
        Some(lie.about(own, world.url(liar), world.clock_of(server).wall, receiver_wall))
    });
    let mut entries: Vec<_> = slander.collect();
    for number in invented {
        let v2 = EntryV2 { incarnation: receiver_wall, instance: number, reason: None, author: None };
        let url = ServerUrl::parse(&format!("http://invented-{number:06}:3000/")).ok()?;
        entries.push(Entry { url, monitor: false, state: State::Online, stamp: receiver_wall, v2: Some(v2) });
    }
    Some(Message::new_v2(world.server(liar).own_entry()?.clone(), entries, Envelope::default()))
}

// For how long each list, except the liar's, had each healthy server offline. In seconds, ascending.
fn times_offline(experiment: &Experiment, liar: usize, until: Duration) -> Vec<f64> {
    let (mut since, mut times) = (BTreeMap::new(), Vec::new());
    for change in experiment.changes().filter(|change| change.subject != liar && change.observer != liar) {
        let pair = (change.observer, change.subject);
        if !change.online {
            since.insert(pair, change.at);
        } else if let Some(began) = since.remove(&pair) {
            times.push(change.at.saturating_sub(began).as_secs_f64());
        }
    }
    times.extend(since.into_values().map(|began| until.saturating_sub(began).as_secs_f64()));
    times.sort_by(f64::total_cmp);
    times
}

fn quantile(ascending: &[f64], share: f64) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get(((ascending.len() as f64 * share) as usize).min(last)).copied().unwrap_or_default()
}
