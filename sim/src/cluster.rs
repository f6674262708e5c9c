//! Brings a cluster into the state that it has after running for a while.

use std::time::Duration;

use clustershazbot::message::{Message, State};
use rand::RngExt;

use crate::world::store::{Availability, Clients};
use crate::world::{Process, Version, World};

/// Up to how many servers a cluster forms by gossip, as a real one does. A larger one is given complete lists: 10 000
/// servers would need 10^8 merges to meet.
const FORMS_UP_TO: usize = 300;
/// How many intervals a cluster has to form, and how many more, at least an hour, if it has not. Version 1 takes long.
const INTERVALS: u32 = 10;
const MORE_INTERVALS: u32 = 120;
const MORE: Duration = Duration::from_secs(3600);
/// How many intervals a cluster with given lists runs before anything happens to it.
const INTERVALS_WITH_GIVEN_LISTS: u32 = 2;

/// Starts servers at random times within one interval, so that their rounds have random phases, and runs until they know
/// each other. Above [`FORMS_UP_TO`] servers, the master list's store serves no server afterwards.
pub fn settle(world: &mut World, servers: &[usize], interval: Duration) {
    world.fill_master_list(servers);
    if servers.len() <= FORMS_UP_TO {
        world.start_within(servers, interval);
        world.run_for((interval * INTERVALS).max(Duration::from_secs(60)));
        let expected: Vec<_> = servers.iter().map(|server| (*server, State::Online)).collect();
        world.expect_states(&expected, |_| true);
        world.run_until_converged(world.now() + MORE.max(interval * MORE_INTERVALS));
    } else {
        world.store.availability = Availability::Failing;
        world.start_within(servers, interval);
        give_lists(world, servers);
        world.store.availability = Availability::Up;
        world.store.clients = Clients::None;
        world.run_for(interval * INTERVALS_WITH_GIVEN_LISTS);
    }
    // The next fault comes at a random moment of a round.
    let phase = world.rng.random_range(0.0..1.0);
    world.run_for(interval.mul_f64(phase));
}

// One server is told about all others, and the others receive a copy of its list.
fn give_lists(world: &mut World, servers: &[usize]) {
    let entries: Vec<_> = servers.iter().filter_map(|server| world.server(*server).own_entry()).cloned().collect();
    let is_v2 = |server: &&usize| world.server(**server).version == Version::V2;
    let members = servers.iter().find(is_v2).copied().and_then(|first| {
        world.call(first, |process, now| {
            process.handle_gossip(now, &Message::new(entries.clone()));
            match process {
                Process::V2(core) => {
                    let mut members = core.members().clone();
                    members.all_answered(now);
                    Some(members)
                }
                Process::V1(_) => None,
            }
        })?
    });
    for server in servers {
        world.call(*server, |process, now| match (process, &members) {
            (Process::V2(core), Some(members)) => core.adopt(members.clone(), now),
            (Process::V1(v1), _) => v1.adopt(&entries, now),
            (Process::V2(_), None) => {}
        });
    }
    world.store.replace(entries);
}
