//! Hashes of whole runs, every event and every body in order: the proof that a change of the code only moves it.

use crate::report::{Seeds, for_each_seed, threads};
use crate::scenario::{Scenario, Setup, run_traced};
use crate::schedule;

/// The size and the seeds of each scenario's runs.
const SERVERS: usize = 8;
const SEEDS: u64 = 2;
/// The shares of version 1 servers: without any, and with some.
const V1_SHARES: [f64; 2] = [0.0, 0.3];

/// Prints the hash of a few runs of each scenario and of each random schedule.
pub fn run(schedules: Seeds, print: fn(&str)) {
    for (name, scenario, _) in Scenario::ALL {
        for v1 in V1_SHARES {
            let setup = Setup { v1, ..Setup::new(*scenario, SERVERS) };
            for seed in 0..SEEDS {
                print(&format!("{name} v1={v1} {seed} {:016x}", run_traced(&setup, seed).trace.unwrap_or_default()));
            }
        }
    }
    let replay = |seed| format!("npm run sim -- --trace --seed {seed}");
    let traces = for_each_seed(schedules, threads(0), schedule::run_traced, replay);
    for (seed, trace) in (schedules.first..).zip(traces) {
        print(&format!("schedule {seed} {:016x}", trace.unwrap_or_default()));
    }
}
