//! What can happen to a cluster, and what is measured.

mod catalogue;
mod deploy;
mod experiment;
mod liar;
mod many_servers;
mod master_list;
mod names;
mod one_server;
mod refute;
mod roll_back;
mod setup;
mod steady;
mod watches;

pub use catalogue::{FIGURES, Scenario};
use experiment::Experiment;
pub use experiment::Outcome;
pub use liar::{FORMS, Form};
pub use setup::{INTERVAL, Setup};

/// Runs a scenario.
pub fn run(setup: &Setup, seed: u64) -> Outcome {
    play(Experiment::new(setup, seed))
}

/// Runs a scenario and computes the hash of the run.
pub fn run_traced(setup: &Setup, seed: u64) -> Outcome {
    let mut experiment = Experiment::new(setup, seed);
    experiment.world.start_trace();
    play(experiment)
}

fn play(mut experiment: Experiment) -> Outcome {
    let scenario = experiment.setup.scenario;
    let run = match scenario {
        Scenario::Join => one_server::join,
        Scenario::LateListen => one_server::late_listen,
        Scenario::Crash | Scenario::Gone | Scenario::Hang | Scenario::Blocked | Scenario::Leave | Scenario::Drain => {
            one_server::end
        }
        Scenario::Hidden => one_server::hidden,
        Scenario::Skew => one_server::skew,
        Scenario::Mixed => one_server::mixed,
        Scenario::Refute => refute::run,
        Scenario::Liar => liar::run,
        Scenario::Unreachable => steady::unreachable,
        Scenario::Stall => steady::stall,
        Scenario::Loss => steady::loss,
        Scenario::Idle => steady::idle,
        Scenario::Age => steady::age,
        Scenario::Proxy => watches::proxy,
        Scenario::Storm => watches::storm,
        Scenario::Restart => watches::restart,
        Scenario::List => master_list::from_empty,
        Scenario::StoreDown => master_list::store_down,
        Scenario::Deploy => deploy::run,
        Scenario::Dns => names::start_all,
        Scenario::DnsPartition => names::partition,
        Scenario::OneWay => many_servers::one_way,
        Scenario::Partition => many_servers::partition,
        Scenario::RestartAll => many_servers::restart_all,
        Scenario::RollingRestart => many_servers::rolling_restart,
        Scenario::Churn => many_servers::churn,
        Scenario::RollBack => roll_back::run,
        Scenario::CrashLoop => one_server::crash_loop,
    };
    let mut outcome = run(&mut experiment);
    outcome.trace = experiment.world.trace();
    outcome
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_run_byte_for_byte() {
        for (name, scenario, _) in Scenario::ALL {
            let setup = Setup { v1_share: 0.3, ..Setup::new(*scenario, 6) };
            let (once, again) = (run_traced(&setup, 3), run_traced(&setup, 3));
            assert_eq!(once, again, "{name}");
            assert_ne!(once.trace, run_traced(&setup, 4).trace, "{name}");
        }
    }

    #[test]
    fn every_timed_scenario_converges() {
        for (name, scenario, _) in Scenario::ALL {
            for seed in 0..3 {
                let outcome = run(&Setup::new(*scenario, 8), seed);
                let is_timed = scenario.is_timed() && !outcome.extra.contains(&("took", 0.0));
                assert_eq!(outcome.seconds.map(f64::is_finite), is_timed.then_some(true), "{name} with seed {seed}");
            }
        }
    }

    #[test]
    fn a_false_death_that_no_list_accepted_has_no_time() {
        assert_eq!(run(&Setup::new(Scenario::Refute, 3), 0).seconds, None);
        assert!(run(&Setup::new(Scenario::Refute, 20), 0).seconds.is_some());
    }

    #[test]
    fn a_run_at_the_longest_interval_is_not_aborted() {
        let setup = Setup { interval: Duration::from_secs(3600), ..Setup::new(Scenario::Crash, 5) };
        assert_eq!(Experiment::new(&setup, 0).deadline(), setup.interval * 480);
        for seed in 0..5 {
            assert!(run(&setup, seed).seconds.is_some_and(f64::is_finite), "seed {seed}");
        }
    }
}
