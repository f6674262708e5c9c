//! What can happen to a cluster, and what is measured of it.

mod many;
mod one;
mod quiet;
mod stage;

use std::time::Duration;

use stage::Stage;

/// The default gossip interval.
pub const INTERVAL: Duration = Duration::from_secs(30);
/// How long it may take until all is right, before a run is given up. At longer intervals than the default as many
/// times longer.
const LIMIT: Duration = Duration::from_secs(4 * 3600);
/// The same where all servers are of version 1.
const V1_LIMIT: Duration = Duration::from_secs(6 * 3600);
/// Which share of exchanges is lost.
const LOST: f64 = 0.2;
/// For how many intervals lists are watched after all were right, for entries that become wrong again.
const WATCH: u32 = 5;

/// Something that happens to a cluster. Unless it says otherwise the time is that from the event until every list of
/// every other live server is right about it (in a mixed cluster: of every server of ours). "Wrong" are the entries that
/// never became right and those that became wrong again within five intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A new server starts. `own_list`: from there until its own list is complete too, s.
    Join,
    /// A new server starts, and listens 5 to 30 s later. The time counts from when it listens. `called_dead`: how often
    /// it was by then and after.
    LateListen,
    /// A server's process ends without a word. `revivals`: how often anybody listed it online again.
    Crash,
    /// A server's host vanishes: what is sent to it is lost. `revivals` as above.
    Gone,
    /// A server's process stands still for ever. `revivals` as above.
    Hang,
    /// A server's event loop blocks for ever. `revivals` as above.
    Blocked,
    /// A server runs for 4 h, gossips, and its base URL leads to where nobody listens or nobody answers. No time:
    /// `flips_per_hour` is how often one other server changed its mind about it, `still_online` in how many lists it is
    /// online at the end.
    Unreachable,
    /// A server shuts down. `revivals` as above.
    Leave,
    /// A server is drained. `revivals` as above.
    Drain,
    /// One server is told that another, which is well, has failed. The time is that until the last list that had it
    /// offline has it online again; `took`: how many lists had it offline; `unraised`: 1 if any had, and its incarnation
    /// is no higher now.
    Refute,
    /// The event loop of a server is blocked for 10 s (5 s at an interval of 2 s). No time: `called_dead` is 1 if
    /// anybody listed it offline within five intervals.
    Stall,
    /// A fifth of all exchanges is lost, or `--loss`, for 4 h, above 100 servers for 1 h. No time: `false_deaths_per_hour` counts live
    /// servers called offline in the whole cluster, each life of one once.
    Loss,
    /// All that one server sends to another is lost for an hour. The time counts from the end of it. `false_deaths`:
    /// live servers called offline at any time.
    OneWay,
    /// A random half is cut off from the other for an hour, without a master list. The time counts from the end of the
    /// cut. `own_side`: live servers listed offline on their own side after it.
    Partition,
    /// All servers end at once, and start again each within one second, with the master list as it was. The time counts
    /// from the end, until every list is complete. `peak`: messages that a server sent in the busiest second, on
    /// average; `worst_peak`: of any server in any second.
    RestartAll,
    /// Each server in turn, 50 at most, leaves and starts again 5 s later. The time counts from the last start;
    /// `wrong_share`: of all entries 5 s after each start.
    RollingRestart,
    /// For an hour servers end, start again, leave or join, one twice an interval on average. The time counts from the
    /// end of it; `wrong_share`: of all entries at random moments before.
    Churn,
    /// [`Scenario::Crash`], where clocks are an hour wrong either way, and for twenty intervals before a clock a
    /// quarter of an interval steps to another error. `false_deaths`: live servers called offline.
    Skew,
    /// Half of the servers are of version 1, or `--v1`. A server of ours is killed; then one of version 1: `v1_killed`
    /// is the time for that, `revivals` as above.
    Mixed,
    /// Nothing happens for twenty intervals. No time. `false_deaths`: live servers called offline.
    Idle,
    /// Nothing happens. No time: `age_p99` is the 99th percentile over all pairs of servers, at ten moments, of the age
    /// of `lastUpdate`, in intervals; `age_max` the greatest.
    Age,
}

impl Scenario {
    /// All of them, by the name that the command line takes.
    pub const ALL: [(&'static str, Self); 21] = [
        ("join", Self::Join),
        ("late-listen", Self::LateListen),
        ("crash", Self::Crash),
        ("gone", Self::Gone),
        ("hang", Self::Hang),
        ("blocked", Self::Blocked),
        ("unreachable", Self::Unreachable),
        ("leave", Self::Leave),
        ("drain", Self::Drain),
        ("refute", Self::Refute),
        ("stall", Self::Stall),
        ("loss", Self::Loss),
        ("one-way", Self::OneWay),
        ("partition", Self::Partition),
        ("restart-all", Self::RestartAll),
        ("rolling-restart", Self::RollingRestart),
        ("churn", Self::Churn),
        ("skew", Self::Skew),
        ("mixed", Self::Mixed),
        ("idle", Self::Idle),
        ("age", Self::Age),
    ];

    /// The scenario of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, scenario)| scenario)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, scenario)| *scenario == self).map_or("", |(name, _)| name)
    }

    /// Whether a time is measured.
    pub fn is_timed(self) -> bool {
        !matches!(self, Self::Unreachable | Self::Stall | Self::Loss | Self::Idle | Self::Age)
    }
}

/// A cluster and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// What happens.
    pub scenario: Scenario,
    /// To how many servers; one that joins comes besides.
    pub servers: usize,
    /// The gossip interval.
    pub interval: Duration,
    /// Which share of them is of version 1.
    pub v1: f64,
    /// Whether clocks are an hour wrong, every other one either way.
    pub skewed: bool,
    /// Whether there is a master list once the cluster has come about; until then there is.
    pub list: bool,
    /// Which share of exchanges [`Scenario::Loss`] loses.
    pub loss: f64,
}

impl Setup {
    /// A cluster of ours at the default interval.
    pub fn new(scenario: Scenario, servers: usize) -> Self {
        let v1 = if scenario == Scenario::Mixed { 0.5 } else { 0.0 };
        let (skewed, list) = (scenario == Scenario::Skew, scenario != Scenario::Partition);
        Self { scenario, servers, interval: INTERVAL, v1, skewed, list, loss: LOST }
    }
}

/// What one run gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Seconds until every list was right, infinite if it did not come about; None if no time is measured.
    pub known: Option<f64>,
    /// Entries that never became right, or did not stay so, where that is measured.
    pub wrong: Option<u64>,
    /// Bytes that one server sent and received in a second, headers included, on average since the event.
    pub bytes_per_second: f64,
    /// Exchanges begun between the event and the time that all knew, by server, beyond those of the settled cluster,
    /// where that is measured.
    pub pushes: Option<f64>,
    /// What else the scenario measures.
    pub extra: Vec<(&'static str, f64)>,
    /// A hash of all that happened, bodies included, if it was asked for.
    pub trace: Option<u64>,
}

/// Runs a scenario.
pub fn run(setup: &Setup, seed: u64) -> Outcome {
    play(Stage::new(setup, seed))
}

/// The same with a hash of all that happened.
pub fn run_traced(setup: &Setup, seed: u64) -> Outcome {
    let mut stage = Stage::new(setup, seed);
    stage.world.start_trace();
    play(stage)
}

fn play(mut stage: Stage) -> Outcome {
    let scenario = stage.setup.scenario;
    let mut outcome = match scenario {
        Scenario::Join => one::join(&mut stage),
        Scenario::LateListen => one::late_listen(&mut stage),
        Scenario::Crash | Scenario::Gone | Scenario::Hang | Scenario::Blocked | Scenario::Leave | Scenario::Drain => {
            one::end(&mut stage, scenario)
        }
        Scenario::Skew => one::skew(&mut stage),
        Scenario::Mixed => one::mixed(&mut stage),
        Scenario::Refute => one::refute(&mut stage),
        Scenario::Unreachable => quiet::unreachable(&mut stage),
        Scenario::Stall => quiet::stall(&mut stage),
        Scenario::Loss => quiet::loss(&mut stage),
        Scenario::Idle => quiet::idle(&mut stage),
        Scenario::Age => quiet::age(&mut stage),
        Scenario::OneWay => many::one_way(&mut stage),
        Scenario::Partition => many::partition(&mut stage),
        Scenario::RestartAll => many::restart_all(&mut stage),
        Scenario::RollingRestart => many::rolling_restart(&mut stage),
        Scenario::Churn => many::churn(&mut stage),
    };
    outcome.trace = stage.world.trace();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_run_byte_for_byte() {
        for (name, scenario) in Scenario::ALL {
            let setup = Setup { v1: 0.3, ..Setup::new(scenario, 6) };
            let (once, again) = (run_traced(&setup, 3), run_traced(&setup, 3));
            assert_eq!(once, again, "{name}");
            assert_ne!(once.trace, run_traced(&setup, 4).trace, "{name}");
        }
    }

    #[test]
    fn every_scenario_comes_to_rest() {
        for (name, scenario) in Scenario::ALL {
            for seed in 0..3 {
                let outcome = run(&Setup::new(scenario, 8), seed);
                let is_timed = scenario.is_timed() && !outcome.extra.contains(&("took", 0.0));
                assert_eq!(outcome.known.map(f64::is_finite), is_timed.then_some(true), "{name} with seed {seed}");
            }
        }
    }

    #[test]
    fn a_false_death_that_no_list_took_has_no_time() {
        assert_eq!(run(&Setup::new(Scenario::Refute, 3), 0).known, None);
        assert!(run(&Setup::new(Scenario::Refute, 20), 0).known.is_some());
    }

    #[test]
    fn a_run_at_the_longest_interval_is_not_given_up() {
        let setup = Setup { interval: Duration::from_secs(3600), ..Setup::new(Scenario::Crash, 5) };
        assert_eq!(Stage::new(&setup, 0).limit(), setup.interval * 480);
        for seed in 0..5 {
            assert!(run(&setup, seed).known.is_some_and(f64::is_finite), "seed {seed}");
        }
    }
}
