//! The command line: `npm run sim -- …`.

use std::io::Write as _;
use std::time::Duration;

use super::check::{self, Rows};
use super::fuzz;
use super::report::{Report, Seeds};
use super::scenario::{Scenario, Setup};

/// Up to how many servers version 1's policy is run for comparison.
const V1_UP_TO: usize = 300;
/// How many servers, seeds of a scenario and schedules of faults are run where nothing is said.
const SERVERS: usize = 10;
const SEEDS: u64 = 20;
const SCHEDULES: u64 = 100;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Scenario { setup: Setup, compare: bool },
    Check(Rows),
    Fuzz,
}

/// The command line, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    task: Task,
    seeds: Seeds,
    json: bool,
}

impl Options {
    /// Reads the command line; an error says what is wrong with it.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut task, mut scenario, mut servers, mut count, mut first) = (None, None, None, None, None);
        let (mut interval, mut v1, mut compare, mut json) = (None, None, true, false);
        let (mut skewed, mut list, mut check, mut slow, mut loss) = (false, true, false, false, None);
        let mut arguments = arguments.peekable();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
            match option.as_str() {
                "--check" => check = true,
                "--slow" => (check, slow) = (true, true),
                "--fuzz" => {
                    task = Some(Task::Fuzz);
                    let seeds = arguments.next_if(|next| !next.starts_with("--"));
                    count = Some(seeds.map_or(Ok(SCHEDULES), |text| number(&option, &text))?);
                }
                "--scenario" => {
                    let name = value()?;
                    scenario = Some(Scenario::find(&name).ok_or(format!("there is no scenario {name}"))?);
                }
                "--n" => servers = Some(at_least(2, &option, &value()?)? as usize),
                "--seeds" => count = Some(at_least(1, &option, &value()?)?),
                "--seed" => first = Some(number(&option, &value()?)?),
                "--interval" => interval = Some(Duration::from_secs(at_least(1, &option, &value()?)?)),
                "--v1" => v1 = Some(share(&option, &value()?)?),
                "--loss" => loss = Some(share(&option, &value()?)?),
                "--skew" => skewed = true,
                "--no-list" => list = false,
                "--no-v1" => compare = false,
                "--json" => json = true,
                _ => return Err(format!("there is no option {option}")),
            }
        }
        if check {
            task = Some(Task::Check(Rows { slow, scenario, servers }));
        }
        let setup = Setup::new(scenario.unwrap_or(Scenario::Crash), servers.unwrap_or(SERVERS));
        if loss.is_some() && setup.scenario != Scenario::Loss {
            return Err("--loss is for the scenario loss".into());
        }
        let setup = Setup {
            interval: interval.unwrap_or(setup.interval),
            v1: v1.unwrap_or(setup.v1),
            skewed: skewed || setup.skewed,
            list: list && setup.list,
            loss: loss.unwrap_or(setup.loss),
            ..setup
        };
        let seeds = first.map_or(Seeds { first: 0, count: count.unwrap_or(SEEDS) }, |first| Seeds { first, count: 1 });
        Ok(Self { task: task.unwrap_or(Task::Scenario { setup, compare }), seeds, json })
    }

    /// Does what is asked for and prints it; returns whether all is as it should be.
    pub fn run(&self) -> bool {
        match self.task {
            Task::Scenario { setup, compare } => self.run_scenario(&setup, compare),
            Task::Check(rows) => check::run(rows, self.json, print_line),
            Task::Fuzz => fuzz::run_all(self.seeds, print_line),
        }
    }

    fn run_scenario(&self, setup: &Setup, compare: bool) -> bool {
        let report = Report::of(setup, self.seeds);
        let compare = compare && setup.v1 < 1.0 && setup.servers <= V1_UP_TO;
        let v1 = compare.then(|| Report::of(&Setup { v1: 1.0, ..*setup }, self.seeds));
        if self.json {
            print_line(&report.json(v1.as_ref()).to_string());
        } else {
            print_line(&report.text(v1.as_ref()));
        }
        report.unfinished.is_empty()
    }
}

/// How it is called.
pub fn usage() -> String {
    let names: Vec<_> = Scenario::ALL.iter().map(|(name, _)| *name).collect();
    format!(
        "usage: npm run sim -- --scenario NAME --n N --seeds S [--v1 SHARE] [--interval SECONDS] [--skew] [--no-list]
                   [--no-v1] [--loss SHARE] [--json]
       npm run sim -- --scenario NAME … --seed K    one seed alone
       npm run sim -- --check [--json]              the figures that must hold; --slow: those at 10 000 servers;
                                                    with --scenario or --n only some of them
       npm run sim -- --fuzz [SEEDS]                random schedules of faults; --fuzz --seed K: one of them
scenarios: {}",
        names.join(" ")
    )
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{option} {text} is not understood"))
}

fn share(option: &str, text: &str) -> Result<f64, String> {
    let it: f64 = number(option, text)?;
    if (0.0..=1.0).contains(&it) { Ok(it) } else { Err(format!("{option} is a share, 0 to 1")) }
}

fn at_least(least: u64, option: &str, text: &str) -> Result<u64, String> {
    let it = number(option, text)?;
    if it < least { Err(format!("{option} is at least {least}")) } else { Ok(it) }
}

/// Prints a line. Whoever reads may stop before the end, as `head` does.
pub fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_failure_is_replayed_by_the_command_that_it_prints() {
        for setup in [
            Setup { skewed: true, v1: 0.25, list: false, ..Setup::new(Scenario::Partition, 12) },
            Setup { loss: 0.05, ..Setup::new(Scenario::Loss, 12) },
        ] {
            let report = Report::of(&setup, Seeds { first: 4, count: 0 });
            let command = report.replay(4);
            let options = parse(command.strip_prefix("npm run sim -- ").expect("its beginning")).expect(&command);
            assert_eq!(options.task, Task::Scenario { setup, compare: true });
            assert_eq!(options.seeds, Seeds { first: 4, count: 1 });
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, problem) in [
            ("--scenario nothing", "no scenario nothing"),
            ("--n 1", "--n is at least 2"),
            ("--n", "--n needs a value"),
            ("--seeds many", "--seeds many is not understood"),
            ("--v1 2", "share"),
            ("--scenario loss --loss 20", "share"),
            ("--scenario crash --loss 0.2", "for the scenario loss"),
            ("--else", "no option --else"),
        ] {
            assert!(parse(line).expect_err(line).contains(problem), "{line}");
        }
        let fuzz = |line| parse(line).map(|options| (options.task, options.seeds));
        assert_eq!(fuzz("--fuzz 7"), Ok((Task::Fuzz, Seeds { first: 0, count: 7 })));
        assert_eq!(fuzz("--fuzz --seed 7"), Ok((Task::Fuzz, Seeds { first: 7, count: 1 })));
    }
}
