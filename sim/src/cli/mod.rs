//! The command line: `npm run sim -- …`.

mod arguments;

use std::fmt::Write as _;
use std::time::Duration;

use crate::check::{self, Selection};
use crate::explore::{self, Cluster, Schedule};
use crate::output::print_line;
use crate::report::Report;
use crate::scenario::{FIGURES, FORMS, Scenario, Setup};
use crate::seeds::Seeds;
use crate::{ownership, schedule, trace};

use arguments::{Arguments, Mode};

/// The defaults: servers, seeds of a scenario, random schedules, and jobs of an owner.
const SERVERS: usize = 10;
const SEEDS: u64 = 20;
const SCHEDULES: u64 = 100;
const JOBS: u64 = 10_000;
const STATES: usize = 2_100_000;
/// The largest integer that JSON can represent exactly.
const MAX_INTEGER: u64 = 1 << 53;

/// What the simulator does.
#[derive(Clone, Debug, PartialEq)]
enum Task {
    Scenario { setup: Setup, seeds: Seeds, compare: bool },
    Check(Selection),
    Fuzz(Seeds),
    Trace(Seeds),
    Ownership(u64),
    Explore(Vec<Cluster>, usize),
    Replay(Schedule),
}

/// The parsed command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    task: Task,
    json: bool,
}

impl Options {
    /// Parses the command line.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments = Arguments::read(arguments)?;
        let mode = arguments.mode()?;
        let servers = arguments.number("--n", 2..=10_000)?;
        let scenario = arguments.value("--scenario").map(find_scenario).transpose()?;
        let task = match mode {
            Mode::Run => {
                let setup = setup(&arguments, scenario.unwrap_or(Scenario::Crash), servers.unwrap_or(SERVERS))?;
                let count = arguments.number("--seeds", 1..=MAX_INTEGER)?;
                let default = if setup.scenario == Scenario::Liar { FORMS } else { SEEDS };
                Task::Scenario { setup, seeds: seeds(&arguments, count, default)?, compare: !arguments.has("--no-v1") }
            }
            Mode::Check => Task::Check(Selection { slow: arguments.has("--slow"), scenario, servers }.validate()?),
            Mode::Fuzz => Task::Fuzz(schedules(&arguments, "--fuzz")?),
            Mode::Trace => Task::Trace(schedules(&arguments, "--trace")?),
            Mode::Ownership => {
                let is_given = arguments.value("--ownership").is_some_and(|value| !value.is_empty());
                let ticks = if is_given { arguments.number("--ownership", 1..=1_000_000)? } else { None };
                Task::Ownership(ticks.unwrap_or(JOBS))
            }
            Mode::Explore => explore(&arguments)?,
        };
        Ok(Self { task, json: arguments.has("--json") })
    }

    /// Does what was asked for and prints the results. Returns whether all is as it should be.
    pub fn run(&self) -> bool {
        match &self.task {
            Task::Scenario { setup, seeds, compare } => self.run_scenario(setup, *seeds, *compare),
            Task::Check(selection) => check::run(*selection, self.json),
            Task::Fuzz(seeds) => schedule::run_all(*seeds),
            Task::Trace(seeds) => {
                trace::run(*seeds);
                true
            }
            Task::Ownership(ticks) => {
                ownership::run(*ticks);
                true
            }
            Task::Explore(clusters, states) => explore::run(clusters, *states),
            Task::Replay(schedule) => explore::replay(schedule),
        }
    }

    fn run_scenario(&self, setup: &Setup, seeds: Seeds, compare: bool) -> bool {
        let report = Report::of(setup, seeds);
        let v1 = (compare && setup.is_comparable()).then(|| Report::of(&Setup { v1_share: 1.0, ..*setup }, seeds));
        if self.json {
            print_line(&report.json(v1.as_ref()).to_string());
        } else {
            print_line(&report.text(v1.as_ref()));
        }
        report.unfinished.is_empty()
    }
}

fn explore(arguments: &Arguments) -> Result<Task, String> {
    let states = arguments.number("--states", 1..=1_000_000_000)?.unwrap_or(STATES);
    let clusters = match arguments.value("--explore").filter(|name| !name.is_empty()) {
        Some(name) if arguments.has("--replay") => return Err(format!("--replay names its cluster: leave out {name}")),
        Some(name) => vec![Cluster::find(name).ok_or_else(|| format!("there is no cluster {name}"))?],
        None => Cluster::ALL.to_vec(),
    };
    Ok(match arguments.value("--replay") {
        Some(schedule) => Task::Replay(Schedule::parse(schedule)?),
        None => Task::Explore(clusters, states),
    })
}

fn find_scenario(name: &str) -> Result<Scenario, String> {
    Scenario::find(name).ok_or_else(|| format!("there is no scenario {name}"))
}

fn seeds(arguments: &Arguments, count: Option<u64>, default: u64) -> Result<Seeds, String> {
    Ok(match arguments.number("--seed", 0..=MAX_INTEGER)? {
        Some(first) => Seeds { first, count: 1 },
        None => Seeds { first: 0, count: count.unwrap_or(default) },
    })
}

fn schedules(arguments: &Arguments, option: &str) -> Result<Seeds, String> {
    if arguments.value(option).is_none_or(str::is_empty) {
        return seeds(arguments, None, SCHEDULES);
    }
    if arguments.has("--seed") {
        return Err(format!("{option} N and --seed exclude each other"));
    }
    seeds(arguments, arguments.number(option, 1..=MAX_INTEGER)?, SCHEDULES)
}

fn setup(arguments: &Arguments, scenario: Scenario, servers: usize) -> Result<Setup, String> {
    let default = Setup::new(scenario, servers);
    if arguments.has("--loss") && scenario != Scenario::Loss {
        return Err("--loss is for the scenario loss".into());
    }
    let setup = Setup {
        interval: arguments.number("--interval", 0.1..=3600.0)?.map_or(default.interval, Duration::from_secs_f64),
        v1_share: arguments.number("--v1", 0.0..=1.0)?.unwrap_or(default.v1_share),
        skewed: arguments.has("--skew") || default.skewed,
        master_list: !arguments.has("--no-list") && default.master_list,
        loss: arguments.number("--loss", 0.0..1.0)?.unwrap_or(default.loss),
        ..default
    };
    let (v1, v2) = setup.versions();
    if !setup.is_all_v1() && v2 < 2 {
        return Err(format!("of {} servers {v2} would run version 2: at least 2 must, or --v1 1", v1 + v2));
    }
    if scenario == Scenario::Mixed && v1 == 0 {
        return Err("the scenario mixed needs a server of version 1".into());
    }
    if matches!(scenario, Scenario::Liar | Scenario::Refute) && servers < 3 {
        let name = scenario.name();
        return Err(format!(
            "the scenario {name} needs 3 servers: the sender, the receiver and the one listed offline"
        ));
    }
    Ok(setup)
}

/// The help.
pub fn usage() -> String {
    let mut text = arguments::usage();
    text.push_str("scenarios, timed from the event unless stated otherwise:\n");
    // Writing to a string cannot fail.
    for (name, _, line) in Scenario::ALL {
        let _ = writeln!(text, "  {name:<18}{line}");
    }
    let _ = write!(
        text,
        "measurements, in every scenario:{FIGURES}\n\
         exit codes: 0; 1 if a bound or an invariant does not hold, or a run never finished; 2 if the command is wrong;\n\
         101 if a run panicked, which is a defect: the command that runs it again is printed"
    );
    text
}

#[cfg(test)]
mod tests;
