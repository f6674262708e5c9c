//! What can happen to a cluster, and what is measured of it.

mod liar;
mod list;
mod many;
mod one;
mod quiet;
mod stage;

use std::fmt::Write as _;
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
/// Up to how many servers version 1's policy is run for comparison.
const V1_UP_TO: usize = 300;
/// For how many intervals lists are watched after all were right, for entries that become wrong again.
const WATCH: u32 = 5;

/// What is measured, by the names that reports have for it.
pub const FIGURES: &str = "
  p50 s to max s        simulated time from the event until every list of every other live server is right about it,
                        over the seeds; where both versions run, until the lists of ours are. -: nothing measured;
                        ∞: not within 4 h (version 1: 6 h), or 480 intervals (720) where that is longer
  wrong entries         those that never became right, or became wrong again within five intervals: sum over the seeds
  bytes/server/s        that a server sent and received since the event, headers included: mean over the seeds
  pushes/server         exchanges begun until all knew, less those of the settled cluster: mean over the seeds
and of some scenarios, the median and the greatest of the seeds:
  own_list              s until the new server's own list is complete too
  called_dead           late-listen: how often it was listed offline; stall: 1 if anybody did within five intervals
  revivals              how often anybody listed it online again; v1_revivals: the one of version 1
  v1_killed             s, for the server of version 1
  flips_per_hour        how often one other server changed its mind about it
  still_online          lists that have it online at the end; liar: servers that never were, in the worst list
  took                  lists that had it offline: where none had, there was nothing to deny, and there is no time
  unraised              1 if any had, and its incarnation is no higher now
  false_deaths          live servers called offline, each life of one once; false_deaths_per_hour the same
  own_side              live servers listed offline on their own side after the cut
  peak                  messages that a server sent in the busiest second, on average; worst_peak: any server in any
  wrong_share           0 to 1, of all entries: 5 s after each start (rolling-restart), at random moments (churn)
  age_p99, age_max      age of lastUpdate over all pairs of servers at ten moments, in intervals
  list_right            s until the master list names all; writes_until: how often it was written until then
  writes_per_hour       how often it was written in the two hours after
  slandered_p50 and on  s for which a server was listed offline that was well; _share: 0 to 1, of all such entries' time
  known                 servers in the longest list, those that never were included
  begun                 exchanges that a server began in its busiest second
  largest_body          bytes";

// A scenario has one line, which is its documentation and its help.
macro_rules! scenarios {
    ($($name:literal $scenario:ident $line:literal)*) => {
        /// Something that happens to a cluster.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Scenario {
            $(#[doc = $line] $scenario,)*
        }

        impl Scenario {
            /// All of them, by the name that the command line takes, with what happens.
            pub const ALL: &[(&str, Self, &str)] = &[$(($name, Self::$scenario, $line),)*];
        }
    };
}

scenarios! {
    "join" Join "a new server starts"
    "late-listen" LateListen "a new server starts, and listens 5 to 30 s later: timed from then"
    "crash" Crash "a server's process ends without a word"
    "gone" Gone "a server's host vanishes: what is sent to it is lost"
    "hang" Hang "a server's process stands still for ever"
    "blocked" Blocked "a server's event loop blocks for ever"
    "unreachable" Unreachable "a server runs for 4 h, and nobody listens or answers at its base URL: no time"
    "leave" Leave "a server shuts down"
    "drain" Drain "a server is drained"
    "refute" Refute "one is told that another has failed, which is well: until the last that believed it does not"
    "stall" Stall "a server's event loop blocks for 10 s, or 5 s at an interval of 2 s and less: no time"
    "loss" Loss "a fifth of exchanges, or --loss, is lost for 4 h, above 100 servers for 1 h: no time"
    "one-way" OneWay "all that one server sends to another is lost for an hour: timed from the end of it"
    "partition" Partition "a random half is cut off for an hour, without a master list: timed from the end of it"
    "restart-all" RestartAll "all end at once and start again within 1 s, with the list as it was: timed from the end"
    "rolling-restart" RollingRestart "one by one, 50 at most, leave and start again 5 s later: timed from the last start"
    "churn" Churn "twice an interval one ends, leaves, joins or starts again, for an hour: timed from the end of it"
    "skew" Skew "crash, clocks an hour wrong, and stepping for twenty intervals before, one each quarter of an interval"
    "mixed" Mixed "half of the servers, or --v1, are of version 1: one of ours is killed, then one of theirs"
    "idle" Idle "nothing happens for twenty intervals: no time"
    "liar" Liar "one that holds the secret calls all others offline and invents servers: timed from the end of it"
    "list" List "all start within 1 s, with an empty master list: timed from the last start"
    "store-down" StoreDown "the same, and nobody can read the master list for the next 30 s: timed from the end of that"
    "age" Age "nothing happens, and the age of entries is read: no time"
}

impl Scenario {
    /// The scenario of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, ..)| *known == name).map(|(_, scenario, _)| *scenario)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, scenario, _)| *scenario == self).map_or("", |(name, ..)| name)
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

    /// How many servers may join besides.
    pub fn spare(&self) -> usize {
        match self.scenario {
            Scenario::Join | Scenario::LateListen | Scenario::Unreachable => 1,
            Scenario::Churn => self.servers.div_ceil(4),
            _ => 0,
        }
    }

    /// How many servers are of version 1, and how many of ours, those that may join included.
    pub fn kinds(&self) -> (usize, usize) {
        let total = self.servers + self.spare();
        let v1 = (total as f64 * self.v1).round() as usize;
        (v1, total - v1)
    }

    /// Whether version 1's policy can be run for comparison.
    pub fn is_comparable(&self) -> bool {
        self.v1 < 1.0 && self.servers <= V1_UP_TO
    }

    /// The command that runs one seed again, beside version 1 or not.
    pub fn replay(&self, seed: u64, compare: bool) -> String {
        let Self { scenario, servers, interval, v1, skewed, list, loss } = *self;
        let default = Self::new(scenario, servers);
        let mut command = format!("npm run sim -- --scenario {} --n {servers} --seed {seed}", scenario.name());
        // Writing to a string cannot fail.
        if interval != default.interval {
            let _ = write!(command, " --interval {}", interval.as_secs_f64());
        }
        if (v1 - default.v1).abs() > f64::EPSILON {
            let _ = write!(command, " --v1 {v1}");
        }
        if skewed != default.skewed {
            command.push_str(" --skew");
        }
        if list != default.list {
            command.push_str(" --no-list");
        }
        if (loss - default.loss).abs() > f64::EPSILON {
            let _ = write!(command, " --loss {loss}");
        }
        if !compare && self.is_comparable() {
            command.push_str(" --no-v1");
        }
        command
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
        Scenario::Liar => liar::liar(&mut stage),
        Scenario::Unreachable => quiet::unreachable(&mut stage),
        Scenario::Stall => quiet::stall(&mut stage),
        Scenario::Loss => quiet::loss(&mut stage),
        Scenario::Idle => quiet::idle(&mut stage),
        Scenario::Age => quiet::age(&mut stage),
        Scenario::List => list::from_nothing(&mut stage),
        Scenario::StoreDown => list::store_down(&mut stage),
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
        for (name, scenario, _) in Scenario::ALL {
            let setup = Setup { v1: 0.3, ..Setup::new(*scenario, 6) };
            let (once, again) = (run_traced(&setup, 3), run_traced(&setup, 3));
            assert_eq!(once, again, "{name}");
            assert_ne!(once.trace, run_traced(&setup, 4).trace, "{name}");
        }
    }

    #[test]
    fn every_scenario_comes_to_rest() {
        for (name, scenario, _) in Scenario::ALL {
            for seed in 0..3 {
                let outcome = run(&Setup::new(*scenario, 8), seed);
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
