//! The table of targets: which scenarios are run, and which bounds their measurements must keep.

use std::time::Duration;

use clustershazbot::membership::MAX_UNREACHED;

use super::measure::Measure::{self, Bytes, Exchanges, Max, Mean, Time, WrongEntries};
use crate::scenario::{Scenario, Setup};
use crate::world::MAX_EXCHANGES;

/// A measurement and its upper bound.
pub type Bound = (Measure, f64);

/// A scenario that is run, and the bounds that must hold.
pub struct Target {
    pub setup: Setup,
    pub seeds: u64,
    pub bounds: &'static [Bound],
}

fn target(scenario: Scenario, servers: usize, seeds: u64, bounds: &'static [Bound]) -> Target {
    Target { setup: Setup::new(scenario, servers), seeds, bounds }
}

// A target with an interval of 2 s.
fn fast(scenario: Scenario, servers: usize, seeds: u64, bounds: &'static [Bound]) -> Target {
    let setup = Setup { interval: Duration::from_secs(2), ..Setup::new(scenario, servers) };
    Target { setup, seeds, bounds }
}

// A target with clocks that are an hour wrong.
fn skewed(scenario: Scenario, servers: usize, seeds: u64, bounds: &'static [Bound]) -> Target {
    let setup = Setup { skewed: true, ..Setup::new(scenario, servers) };
    Target { setup, seeds, bounds }
}

// A target with one version 1 server in four.
fn mixed(scenario: Scenario, servers: usize, seeds: u64, bounds: &'static [Bound]) -> Target {
    let setup = Setup { v1_share: 0.25, ..Setup::new(scenario, servers) };
    Target { setup, seeds, bounds }
}

// A target with one version 1 server.
fn alone_of_v1(scenario: Scenario, servers: usize, seeds: u64, bounds: &'static [Bound]) -> Target {
    let setup = Setup { v1_share: 1.0 / servers as f64, ..Setup::new(scenario, servers) };
    Target { setup, seeds, bounds }
}

const KILLED: &[Bound] = &[(Time(0.5), 1.0), (Time(0.99), 2.0), (WrongEntries, 0.0), (Max("revivals"), 0.0)];
const GONE: &[Bound] = &[(Time(0.99), 20.0), (WrongEntries, 0.0), (Max("revivals"), 0.0)];
const V1_KILLED: &[Bound] = &[(Time(0.99), 2.0), (Max("v1_killed"), 1.5), (Max("v1_revivals"), 0.0)];
const SILENT: &[Bound] = &[(Time(0.99), 40.0), (WrongEntries, 0.0), (Max("revivals"), 0.0)];
const BLOCKED: &[Bound] = &[(Time(0.99), 60.0), (WrongEntries, 0.0)];
// A server that joins, leaves or is drained tells the others about it.
const ANNOUNCED: &[Bound] = &[(Time(0.99), 1.0), (WrongEntries, 0.0)];
const ANNOUNCED_OF_10_000: &[Bound] = &[(Time(1.0), 1.5), (Exchanges, 8.0), (WrongEntries, 0.0)];
const REFUTED: &[Bound] = &[(Time(0.99), 1.0), (WrongEntries, 0.0), (Max("unraised"), 0.0)];
const HEALED: &[Bound] = &[(Time(1.0), 35.0), (Max("own_side"), 0.0), (WrongEntries, 0.0)];
// It is listed as failed once, in four hours.
const UNREACHABLE: &[Bound] = &[(Max("flips_per_hour"), 0.25), (Max("still_online"), 0.0)];
// A starting server contacts others every three seconds until it is contacted itself.
const LATE: &[Bound] = &[(Time(0.99), 3.5), (Max("called_dead"), 0.0), (WrongEntries, 0.0)];
const STALLED: &[Bound] = &[(Mean("called_dead"), 0.01)];
const LISTED: &[Bound] = &[(Max("list_right"), 30.0), (Max("writes_per_hour"), 2.0), (WrongEntries, 0.0)];
const STORE_DOWN: &[Bound] = &[(Time(1.0), 5.0), (WrongEntries, 0.0)];
const PROXIED: &[Bound] = &[(Max("probes_per_minute"), 1.0), (Max("false_deaths"), 0.0), (Max("unwatched"), 0.0)];
const STORM: &[Bound] = &[(Max("worst_peak"), 20.0), (Max("false_deaths"), 0.0), (Max("unwatched"), 0.0)];
// A restart may be listed offline for the moment until the new process has spoken.
const RESTARTED: &[Bound] = &[(Time(1.0), 1.0), (Max("listed_offline"), 1.0)];
const LOSS: &[Bound] = &[(Mean("false_deaths_per_hour"), 0.1), (Bytes, 1_000.0)];
const IDLE: &[Bound] = &[(Bytes, 300.0), (Max("false_deaths"), 0.0), (Max("largest_body"), 90_000.0)];
// The number of exchanges is the sum of the core's bounds, as in the invariants of random schedules.
const LIED_TO: &[Bound] = &[
    (Time(1.0), 300.0),
    (WrongEntries, 0.0),
    (Max("slandered_share"), 0.01),
    (Max("known"), MAX_UNREACHED as f64),
    (Max("begun"), MAX_EXCHANGES as f64),
    (Max("largest_body"), 90_000.0),
];

// One helper excuses a suspect five times.
const HIDDEN: &[Bound] = &[(Time(1.0), 60.0), (WrongEntries, 0.0)];

// The bodies of version 1 servers hold their whole lists.
const LIED_TO_BESIDE_V1: &[Bound] = &[
    (Time(1.0), 300.0),
    (WrongEntries, 0.0),
    (Max("slandered_share"), 0.01),
    (Max("known"), MAX_UNREACHED as f64),
    (Max("begun"), MAX_EXCHANGES as f64),
];

/// The targets that `npm test` checks.
pub fn targets() -> Vec<Target> {
    vec![
        target(Scenario::Crash, 10, 1_000, KILLED),
        target(Scenario::Crash, 100, 200, KILLED),
        target(Scenario::Crash, 1_000, 15, KILLED),
        target(Scenario::Hang, 100, 100, SILENT),
        target(Scenario::Hang, 1_000, 10, SILENT),
        target(Scenario::Gone, 100, 100, GONE),
        target(Scenario::Gone, 1_000, 20, GONE),
        target(Scenario::Blocked, 100, 100, BLOCKED),
        target(Scenario::Join, 100, 100, ANNOUNCED),
        target(Scenario::Leave, 100, 100, ANNOUNCED),
        target(Scenario::Drain, 100, 100, ANNOUNCED),
        target(Scenario::Refute, 100, 100, REFUTED),
        fast(Scenario::Crash, 12, 100, KILLED),
        fast(Scenario::Leave, 12, 100, &[(Time(0.5), 0.1), (WrongEntries, 0.0)]),
        fast(Scenario::Hang, 12, 100, &[(Time(0.5), 10.0), (WrongEntries, 0.0)]),
        target(Scenario::Partition, 4, 30, HEALED),
        target(Scenario::Partition, 10, 30, HEALED),
        target(Scenario::Partition, 100, 5, HEALED),
        skewed(Scenario::Partition, 10, 30, HEALED),
        skewed(Scenario::Partition, 100, 5, HEALED),
        target(Scenario::Unreachable, 10, 10, UNREACHABLE),
        target(Scenario::Unreachable, 100, 3, UNREACHABLE),
        fast(Scenario::Unreachable, 12, 4, UNREACHABLE),
        target(Scenario::Stall, 10, 200, STALLED),
        target(Scenario::Stall, 100, 100, STALLED),
        fast(Scenario::Stall, 12, 200, STALLED),
        target(Scenario::Loss, 100, 4, LOSS),
        target(Scenario::Loss, 300, 2, LOSS),
        target(Scenario::Age, 100, 2, &[(Max("age_p99"), 8.0)]),
        target(Scenario::RestartAll, 1_000, 2, &[(Time(1.0), 40.0), (Max("peak"), 35.0), (WrongEntries, 0.0)]),
        target(Scenario::List, 100, 5, LISTED),
        target(Scenario::StoreDown, 10, 100, STORE_DOWN),
        target(Scenario::StoreDown, 100, 10, STORE_DOWN),
        target(Scenario::Dns, 100, 100, &[(Time(1.0), 10.0), (WrongEntries, 0.0)]),
        target(Scenario::Dns, 1_000, 1, &[(Time(1.0), 20.0), (Max("worst_peak"), 100.0), (WrongEntries, 0.0)]),
        target(Scenario::DnsPartition, 20, 3, &[(Time(1.0), 35.0), (WrongEntries, 0.0)]),
        // For each server that runs, twenty that left in the last three hours.
        target(Scenario::Deploy, 10, 2, &[(Max("known"), 220.0), (Max("failed"), 0.0), (WrongEntries, 0.0)]),
        target(Scenario::Skew, 100, 50, &[(Time(0.99), 2.0), (Max("false_deaths"), 0.0), (WrongEntries, 0.0)]),
        target(Scenario::Mixed, 20, 200, &[(Time(0.99), 25.0), (WrongEntries, 0.0), (Max("revivals"), 0.0)]),
        alone_of_v1(Scenario::Mixed, 50, 100, V1_KILLED),
        target(Scenario::Proxy, 12, 4, PROXIED),
        target(Scenario::Storm, 100, 20, STORM),
        target(Scenario::Restart, 12, 150, RESTARTED),
        target(Scenario::Restart, 100, 60, RESTARTED),
        target(Scenario::Idle, 12, 10, &[(Max("sent"), 285.0), (Max("false_deaths"), 0.0)]),
        target(Scenario::Idle, 100, 2, IDLE),
        target(Scenario::Idle, 1_000, 1, IDLE),
        target(Scenario::OneWay, 20, 20, &[(Max("false_deaths"), 0.0), (WrongEntries, 0.0)]),
        target(Scenario::LateListen, 20, 50, LATE),
        target(Scenario::RollingRestart, 20, 10, &[(Max("wrong_share"), 0.0), (WrongEntries, 0.0)]),
        target(Scenario::Liar, 4, 256, LIED_TO),
        skewed(Scenario::Liar, 4, 128, LIED_TO),
        mixed(Scenario::Liar, 4, 128, LIED_TO_BESIDE_V1),
        target(Scenario::Liar, 20, 32, LIED_TO),
        skewed(Scenario::Liar, 20, 16, LIED_TO),
        target(Scenario::Hidden, 4, 50, HIDDEN),
        target(Scenario::Hidden, 20, 50, HIDDEN),
        target(Scenario::RollBack, 6, 50, &[(Time(1.0), 60.0)]),
        target(Scenario::CrashLoop, 10, 100, &[(Max("listed"), 0.0), (WrongEntries, 0.0)]),
        target(Scenario::Churn, 20, 10, &[(Time(1.0), 60.0), (WrongEntries, 0.0)]),
    ]
}

/// The targets at 10 000 servers, which need 16 GB of memory.
pub fn slow_targets() -> Vec<Target> {
    vec![
        target(Scenario::Join, 10_000, 1, ANNOUNCED_OF_10_000),
        target(Scenario::Leave, 10_000, 1, ANNOUNCED_OF_10_000),
        target(Scenario::Drain, 10_000, 1, ANNOUNCED_OF_10_000),
        target(Scenario::Refute, 10_000, 1, &[(Time(1.0), 1.5), (WrongEntries, 0.0)]),
        target(Scenario::Crash, 10_000, 3, KILLED),
        target(Scenario::Idle, 10_000, 1, IDLE),
    ]
}
