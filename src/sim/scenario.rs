//! What can happen to a cluster, and how long it takes until every list is right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Health, Wanted, World};
use crate::message::{ServerUrl, State};

/// The default gossip interval.
pub const INTERVAL: Duration = Duration::from_secs(30);
const HOUR: i64 = 3_600_000;
/// How long a cluster runs before anything happens: long enough that every server has answered some other.
const SETTLE: Duration = Duration::from_secs(600);
/// How long a scenario may take.
const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// Something that happens to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A new server starts.
    Join,
    /// A server's process ends without a word.
    Crash,
    /// The same where every other clock is an hour fast, and the rest an hour slow.
    Skew,
    /// A server's process stands still.
    Hang,
    /// A server's event loop blocks for ever.
    Blocked,
    /// A server leaves.
    Leave,
    /// A server is drained.
    Drain,
    /// Half is cut off from half for an hour; counted from the end of the cut.
    Partition,
}

impl Scenario {
    /// All of them, by the name that the command line takes.
    pub const ALL: [(&'static str, Self); 8] = [
        ("join", Self::Join),
        ("crash", Self::Crash),
        ("skew", Self::Skew),
        ("hang", Self::Hang),
        ("blocked", Self::Blocked),
        ("leave", Self::Leave),
        ("drain", Self::Drain),
        ("partition", Self::Partition),
    ];
}

/// What one run gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How long until every list was right; None if it did not come about within four hours.
    pub until_known: Option<Duration>,
    /// Bytes of bodies sent by one server in a second, on average over the whole run.
    pub bytes_per_second: f64,
}

/// Runs a scenario with `servers` servers.
pub fn run(scenario: Scenario, servers: usize, seed: u64) -> Outcome {
    let mut world = World::new(seed);
    let all: Vec<_> = (0..=servers).filter_map(|server| add(&mut world, server, scenario)).collect();
    // The one that something happens to: in a join it is the newcomer.
    let (target, old) = (all[servers], &all[..servers]);
    let started = if scenario == Scenario::Join { old } else { &all[1..] };
    for server in started {
        world.start(*server);
    }
    world.run(SETTLE, false);
    let mut wanted = State::Offline;
    match scenario {
        Scenario::Join => {
            wanted = State::Online;
            world.start(target);
        }
        Scenario::Crash | Scenario::Skew => world.set_health(target, Health::Down),
        Scenario::Hang => world.set_health(target, Health::Hung),
        Scenario::Blocked => world.set_health(target, Health::Blocked),
        Scenario::Leave => drop(world.handle(target, crate::protocol::Core::handle_leave)),
        Scenario::Drain => drop(world.handle(target, |core, now| core.handle_control(now, false))),
        Scenario::Partition => {
            let middle = servers / 2;
            world.network.cut = Some(Box::new(move |from, to| (from <= middle) != (to <= middle)));
            world.run(world.now() + Duration::from_secs(3600), false);
            world.network.cut = None;
            wanted = State::Online;
        }
    }
    let states: BTreeMap<_, _> = if scenario == Scenario::Partition {
        started.iter().map(|server| (world.url(*server), wanted)).collect()
    } else {
        [(world.url(target), wanted)].into()
    };
    world.want(Wanted { states, except: BTreeSet::from([target]) });
    let began = world.now();
    let known = world.run(began + LIMIT, true);
    let sent: u64 = all.iter().map(|server| world.bytes_sent(*server)).sum();
    Outcome {
        until_known: known.then(|| world.now().saturating_sub(began)),
        bytes_per_second: sent as f64 / servers as f64 / world.now().as_secs_f64(),
    }
}

fn add(world: &mut World, server: usize, scenario: Scenario) -> Option<usize> {
    let skew = match scenario {
        Scenario::Skew if server.is_multiple_of(2) => HOUR,
        Scenario::Skew => -HOUR,
        _ => 0,
    };
    let base_url = ServerUrl::parse(&format!("http://s{server:05}/")).ok()?;
    Some(world.add(base_url, INTERVAL, skew))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_run() {
        for (name, scenario) in Scenario::ALL {
            assert_eq!(run(scenario, 5, 3), run(scenario, 5, 3), "{name}");
        }
    }

    #[test]
    fn every_scenario_comes_to_rest() {
        for (name, scenario) in Scenario::ALL {
            for seed in 0..5 {
                assert!(run(scenario, 8, seed).until_known.is_some(), "{name} with seed {seed}");
            }
        }
    }
}
