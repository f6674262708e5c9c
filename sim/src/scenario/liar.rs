//! A peer that holds the secret, and lies: of whom it can be made to believe what, for how long, and at whose cost.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::Outcome;
use super::stage::Stage;
use crate::world::{Health, Node, World};
use clustershazbot::message::{Entry, EntryV2, Envelope, MAX_AHEAD, Message, Reason, ServerUrl, State};

/// How many intervals it lies for, and how often in each.
const INTERVALS: u32 = 20;
const TIMES: u32 = 2;
/// How many servers it invents in a message, and in one of them.
const INVENTED: u32 = 50;
const INVENTED_AT_ONCE: u32 = 1_000;

/// What it says of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// That they have failed, just now.
    Failed,
    /// The same, stamped as far ahead as is taken, of processes that never were.
    Ahead,
    /// That they have left.
    Left,
    /// That they are drained.
    Drained,
}

impl Lie {
    const ALL: [Self; 4] = [Self::Failed, Self::Ahead, Self::Left, Self::Drained];

    fn of(self, own: Entry, liar: &ServerUrl, own_wall: u64, wall: u64) -> Entry {
        let newest = wall + MAX_AHEAD;
        let stamp = own_wall.max(own.stamp + 1).min(newest);
        let life = |life: EntryV2, reason: Reason, author: &ServerUrl| EntryV2 {
            reason: Some(reason),
            author: Some(author.clone()),
            ..life
        };
        let (stamp, life) = match (self, own.v2) {
            (_, None) => (stamp, None),
            (Self::Failed, Some(known)) => (stamp, Some(life(known, Reason::Failed, liar))),
            (Self::Ahead, Some(known)) => {
                let known = EntryV2 { incarnation: newest, instance: known.instance.wrapping_add(1), ..known };
                (newest, Some(life(known, Reason::Failed, liar)))
            }
            (Self::Left | Self::Drained, Some(known)) => {
                let reason = if self == Self::Left { Reason::Left } else { Reason::Drained };
                let known = EntryV2 { incarnation: (known.incarnation + 1).min(newest), ..known };
                (stamp, Some(life(known, reason, &own.url)))
            }
        };
        Entry { state: State::Offline, stamp, v2: life, ..own }
    }
}

pub fn liar(stage: &mut Stage) -> Outcome {
    stage.settle();
    let liar = stage.target;
    stage.begin();
    let began = stage.world.now();
    let end = began + stage.setup.interval * INTERVALS;
    let (mut invented, mut known) = (0, 0);
    for turn in 0.. {
        let wait = stage.world.rng.random_range(0.0..2.0) / f64::from(TIMES);
        stage.world.run((stage.world.now() + stage.setup.interval.mul_f64(wait)).min(end), false);
        if stage.world.now() >= end {
            break;
        }
        let to = stage.pick(&[liar]);
        let many = if turn == INTERVALS * TIMES / 2 { INVENTED_AT_ONCE } else { INVENTED };
        if let Some(message) = message(&mut stage.world, liar, to, invented..invented + many) {
            stage.world.handle(to, |node, now| node.handle_gossip(now, &message));
        }
        invented += many;
        known = known.max(longest(stage, |_| true));
    }
    let lied = stage.world.now();
    let slandered = slandered(stage, liar, lied);
    let others = stage.old.len().saturating_sub(1) as f64;
    let pairs = others * (others - 1.0);
    let share = slandered.iter().sum::<f64>() / (pairs * lied.saturating_sub(began).as_secs_f64()).max(1.0);
    // It lies no more, or is no more.
    if stage.world.rng.random_bool(0.5) {
        stage.world.set_health(liar, Health::Down);
    }
    stage.want_all();
    let mut outcome = stage.measure(lied);
    let meter = &stage.world.meter;
    let peak = meter.begun.iter().map(|rate| rate.peak).max().unwrap_or_default();
    let at = |share: f64| {
        let last = slandered.len().saturating_sub(1);
        slandered.get(((slandered.len() as f64 * share) as usize).min(last)).copied().unwrap_or_default()
    };
    outcome.extra = vec![
        ("slandered_p50", at(0.5)),
        ("slandered_p99", at(0.99)),
        ("slandered_max", at(1.0)),
        ("slandered_share", share),
        ("known", known as f64),
        ("still_online", longest(stage, |entry| is_online(entry) && stage.world.find(&entry.url).is_none()) as f64),
        ("begun", f64::from(peak)),
        ("largest_body", meter.largest as f64),
    ];
    outcome
}

fn is_online(entry: &Entry) -> bool {
    entry.state == State::Online
}

// How many such servers are listed by whoever lists most.
fn longest(stage: &Stage, counts: impl Fn(&Entry) -> bool) -> usize {
    let nodes = stage.world.servers().iter().filter_map(|it| it.node.as_ref());
    nodes.map(|node| node.entries().filter(|entry| counts(entry)).count()).max().unwrap_or_default()
}

// What it tells one server, in its own name.
fn message(world: &mut World, liar: usize, to: usize, invented: std::ops::Range<u32>) -> Option<Message> {
    let (told_at, kind) = (world.now_of(to).wall, *Lie::ALL.choose(&mut world.rng)?);
    let own = |world: &World, server: usize| {
        world.servers()[server].node.as_ref().and_then(|node: &Node| node.entry(world.url(server))).cloned()
    };
    let others = (0..world.servers().len()).filter(|server| *server != liar);
    let slander = others.filter_map(|server| {
        let own_wall = world.now_of(server).wall;
        Some(kind.of(own(world, server)?, world.url(liar), own_wall, told_at))
    });
    let mut entries: Vec<_> = slander.collect();
    for number in invented {
        let life = EntryV2 { incarnation: told_at, instance: number, reason: None, author: None };
        let url = ServerUrl::parse(&format!("http://invented-{number:06}:3000/")).ok()?;
        entries.push(Entry { url, monitor: false, state: State::Online, stamp: told_at, v2: Some(life) });
    }
    Some(Message::new_v2(own(world, liar)?, entries, Envelope::default()))
}

// For how long anybody has listed anybody offline who was well, but for the liar, in ascending order, s.
fn slandered(stage: &Stage, liar: usize, until: Duration) -> Vec<f64> {
    let (mut since, mut times) = (BTreeMap::new(), Vec::new());
    for it in stage.changes().iter().filter(|it| it.about != liar && it.by != liar && stage.counts(it.by)) {
        if !it.online {
            since.insert((it.by, it.about), it.at);
        } else if let Some(began) = since.remove(&(it.by, it.about)) {
            times.push(it.at.saturating_sub(began).as_secs_f64());
        }
    }
    times.extend(since.into_values().map(|began| until.saturating_sub(began).as_secs_f64()));
    times.sort_by(f64::total_cmp);
    times
}
