//! `--trace`: prints a hash of each of many runs, to prove that a change only moves code.

use crate::output::print_line;
use crate::scenario::{self, Scenario, Setup};
use crate::schedule;
use crate::seeds::{Seeds, threads};

/// The number of servers and of seeds for each scenario.
const SERVERS: usize = 8;
const SEEDS: u64 = 2;
/// The shares of version 1 servers.
const V1_SHARES: [f64; 2] = [0.0, 0.3];

/// Prints the hashes of a few runs of each scenario, and of each random schedule.
pub fn run(schedules: Seeds) {
    for (name, scenario, _) in Scenario::ALL {
        for v1_share in V1_SHARES {
            let setup = Setup { v1_share, ..Setup::new(*scenario, SERVERS) };
            for seed in 0..SEEDS {
                let trace = scenario::run_traced(&setup, seed).trace.unwrap_or_default();
                print_line(&format!("{name} v1={v1_share} {seed} {trace:016x}"));
            }
        }
    }
    let replay = |seed| format!("npm run sim -- --trace --seed {seed}");
    let traces = schedules.map(threads(0), schedule::run_traced, replay);
    for (seed, trace) in (schedules.first..).zip(traces) {
        print_line(&format!("schedule {seed} {:016x}", trace.unwrap_or_default()));
    }
}
