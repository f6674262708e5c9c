//! Random schedules of faults, `--fuzz`: the invariants are checked after each event, and when the faults stop, all
//! lists must soon be right.

mod cluster;
mod fault;
mod tags;

use std::collections::BTreeSet;
use std::time::Duration;

use clustershazbot::message::State;
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::output::{print_line, show_progress};
use crate::seeds::{Seeds, threads};
use crate::world::{Version, Violation, World};

use cluster::FaultyCluster;
use fault::Fault;

/// How soon all lists must be right after the faults stop: a list that could not be read is read again within a minute,
/// two servers that found it empty read it again within another minute, and then the news must spread.
const RIGHT_WITHIN: Duration = Duration::from_secs(120);
const RIGHT_WITHIN_INTERVALS: u32 = 10;
/// How much later if the master list was edited by hand: by then every server has added itself and has read the list once
/// more. The list can be all that connects servers that left and came back with those that knew them.
const LIST_RESTORED_WITHIN: Duration = Duration::from_secs(2 * 900);
/// For how many intervals all lists must stay right.
const STAYS_RIGHT_INTERVALS: u32 = 5;
/// Violations are printed after this many schedules, or after this share of all, whichever comes first.
const PRINTED_AFTER: u64 = 200;
const SHARES: u64 = 10;
/// How many wrong entries a violation names.
const MAX_NAMED: usize = 5;

/// Runs schedules and prints the violations. Returns whether there are none.
pub fn run_all(seeds: Seeds) -> bool {
    let end = seeds.first + seeds.count;
    let step = seeds.count.div_ceil(SHARES).min(PRINTED_AFTER);
    let mut failed = 0;
    for first in (seeds.first..end).step_by(step as usize) {
        show_progress(&format!("{} of {} schedules", first - seeds.first, seeds.count));
        let some = Seeds { first, count: step.min(end - first) };
        let outcomes = some.map(threads(0), run, replay);
        show_progress("");
        for (seed, violations) in (first..).zip(outcomes) {
            failed += u64::from(!violations.is_empty());
            let mut printed = BTreeSet::new();
            // Only the first violation of each invariant.
            for violation in violations.iter().filter(|it| printed.insert(it.invariant)) {
                print_line(&format!("{violation}\n  {}", replay(seed)));
            }
        }
    }
    let Seeds { first, count } = seeds;
    print_line(&format!("seeds {first} to {}: {failed} of {count} schedules violate an invariant", end - 1));
    failed == 0
}

fn replay(seed: u64) -> String {
    format!("npm run sim -- --fuzz --seed {seed}")
}

/// Runs one schedule and returns the violations.
pub fn run(seed: u64) -> Vec<Violation> {
    play(World::new(seed)).map(|world| world.violations().to_vec()).unwrap_or_default()
}

/// Runs one schedule and returns the hash of the run.
pub fn run_traced(seed: u64) -> Option<u64> {
    let mut world = World::new(seed);
    world.start_trace();
    play(world)?.trace()
}

fn play(world: World) -> Option<World> {
    let mut cluster = FaultyCluster::new(world)?;
    let minutes = cluster.world.rng.random_range(20..=60);
    let end = Duration::from_secs(minutes * 60);
    while cluster.world.now() < end {
        // Some faults follow each other quickly.
        let most = if cluster.world.rng.random_bool(0.3) { 2.0 } else { 120.0 };
        let wait = Duration::from_secs_f64(cluster.world.rng.random_range(0.0..most));
        cluster.run_for(wait);
        cluster.remember();
        if let Some(fault) = Fault::ALL.choose(&mut cluster.world.rng).copied() {
            cluster.apply(fault);
        }
        cluster.change_tags();
    }
    cluster.end_all_faults();
    check_lists(&mut cluster);
    Some(cluster.world)
}

// Checks what protocol 2 servers list about each other.
fn check_lists(cluster: &mut FaultyCluster) {
    // Servers that leave have left by then.
    cluster.world.run_for(RIGHT_WITHIN + cluster.interval * RIGHT_WITHIN_INTERVALS);
    let servers = cluster.world.servers();
    let is_v2: Vec<_> = servers.iter().map(|server| server.version == Version::V2).collect();
    let state = |index: usize| if servers[index].is_available() { State::Online } else { State::Offline };
    let v2 = (0..servers.len()).filter(|server| is_v2[*server]);
    let expected: Vec<_> = v2.map(|server| (server, state(server))).collect();
    cluster.world.expect_states(&expected, |server| is_v2[server]);
    if let Some(edited) = cluster.list_edited {
        let deadline = (edited + LIST_RESTORED_WITHIN).max(cluster.world.now());
        // A version 1 server that reads failed servers from the list puts them online again, at any time until then.
        if cluster.has_v1 {
            cluster.world.run_until(deadline);
        } else {
            cluster.world.run_until_converged(deadline);
        }
    }
    report_wrong(&mut cluster.world, "all lists are right after faults stop");
    cluster.world.run_for(cluster.interval * STAYS_RIGHT_INTERVALS);
    report_wrong(&mut cluster.world, "all lists stay right");
    cluster.check_tags();
}

fn report_wrong(world: &mut World, invariant: &'static str) {
    let convergence = world.convergence();
    let wrong = |by: usize| convergence.wrong_subjects(by).into_iter().map(move |about| (by, about));
    let wrong = (0..world.servers().len()).flat_map(wrong).take(MAX_NAMED);
    let details = wrong.map(|(by, about)| {
        let state = convergence.expected(about);
        format!("server {by} does not list {about} as {state:?}")
    });
    let details: Vec<_> = details.collect();
    if !details.is_empty() {
        world.report_violation(invariant, details.join("; "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invariant_is_violated() {
        for seed in 0..20 {
            assert_eq!(run(seed), [], "{}", replay(seed));
        }
    }
}
