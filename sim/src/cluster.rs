//! A cluster that has run for a while.

use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::world::store::Condition;
use crate::world::{EPOCH, Kind, Node, World};
use clustershazbot::config::Settings;
use clustershazbot::message::{Entry, Message, ServerUrl, State};

/// Up to how many servers a cluster comes about as a real one does. A larger one is made: to let 10 000 meet takes 10^8
/// merges.
const MADE_ABOVE: usize = 300;
/// How many intervals a cluster has to come about, and how many more, an hour at least, if it has not. Version 1 takes
/// long.
const INTERVALS: u32 = 10;
const MORE_INTERVALS: u32 = 120;
const MORE: Duration = Duration::from_secs(3600);
/// How many intervals a made one runs before anything happens to it.
const INTERVALS_MADE: u32 = 2;
/// How much older than the beginning a list is that is there before, ms. Clocks are up to an hour slow.
const OLDER: u64 = 2 * 3_600_000;

/// Settings of a server of the simulator.
pub fn settings(server: usize, interval: Duration) -> Option<Settings> {
    Some(Settings {
        base_url: ServerUrl::parse(&format!("http://server-{server:05}:3000/")).ok()?,
        monitor: false,
        interval,
        announce_minimum: Duration::from_secs(300),
        announce_interval: Duration::from_secs(600),
        update_list_on_shutdown: false,
        lists: vec!["the list".into()],
        keeps_state: false,
    })
}

/// Starts servers at random times within one interval, which puts their rounds in random phase, and lets them run until
/// they know each other. A made cluster has a store that serves nobody.
pub fn settle(world: &mut World, servers: &[usize], interval: Duration) {
    let made = servers.len() > MADE_ABOVE;
    let first: Vec<_> = servers.iter().map(|server| listed(world.url(*server).clone())).collect();
    world.store.put(first);
    if made {
        world.store.condition = Condition::Failing;
    }
    start_within(world, servers, interval);
    if made {
        make(world, servers);
        world.store.condition = Condition::Fine;
        world.store.only = Some(usize::MAX);
        world.pass(interval * INTERVALS_MADE);
    } else {
        world.pass((interval * INTERVALS).max(Duration::from_secs(60)));
        let targets: Vec<_> = servers.iter().map(|server| (*server, State::Online)).collect();
        world.want(&targets, |_| true);
        world.run(world.now() + MORE.max(interval * MORE_INTERVALS), true);
    }
    // What happens next happens at any time of a round.
    let phase = world.rng.random_range(0.0..1.0);
    world.pass(interval.mul_f64(phase));
}

/// Starts servers at random times within so long, each once.
pub fn start_within(world: &mut World, servers: &[usize], time: Duration) {
    let began = world.now();
    let mut times: Vec<_> = servers.iter().map(|_| time.mul_f64(world.rng.random_range(0.0..1.0))).collect();
    times.sort();
    let mut order = servers.to_vec();
    order.shuffle(&mut world.rng);
    for (server, at) in order.into_iter().zip(times) {
        world.run(began + at, false);
        world.start(server);
    }
    world.run(began + time, false);
}

// One server learns of all, and the others are given what it has.
fn make(world: &mut World, servers: &[usize]) {
    let own = |server: &usize| world.servers()[*server].node.as_ref()?.entry(world.url(*server)).cloned();
    let entries: Vec<_> = servers.iter().filter_map(own).collect();
    let is_ours = |server: &&usize| world.servers()[**server].kind == Kind::Ours;
    let members = servers.iter().find(is_ours).copied().and_then(|first| {
        world.handle(first, |node, now| {
            node.handle_gossip(now, &Message::new(entries.clone()));
            match node {
                Node::Ours(core) => {
                    let mut members = core.members().clone();
                    members.all_answered(now);
                    Some(members)
                }
                Node::V1(_) => None,
            }
        })?
    });
    for server in servers {
        world.handle(*server, |node, now| match (node, &members) {
            (Node::Ours(core), Some(members)) => core.adopt(members.clone(), now),
            (Node::V1(v1), _) => v1.adopt(&entries, now),
            (Node::Ours(_), None) => {}
        });
    }
    world.store.put(entries);
}

/// An entry of a list that is there before the cluster is: older than what any clock shows.
pub fn listed(url: ServerUrl) -> Entry {
    Entry { url, monitor: false, state: State::Online, stamp: EPOCH - OLDER, v2: None }
}
