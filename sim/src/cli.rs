//! The command line: `npm run sim -- …`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::ops::RangeBounds;
use std::process;
use std::str::FromStr;
use std::time::Duration;

use crate::check::{self, Rows};
use crate::report::{Report, Seeds};
use crate::scenario::{FIGURES, Scenario, Setup};
use crate::schedule;
use crate::trace;

/// How many servers, seeds of a scenario and schedules of faults are run where nothing is said.
const SERVERS: usize = 10;
const SEEDS: u64 = 20;
const SCHEDULES: u64 = 100;
/// What JSON can say exactly.
const MOST: u64 = 1 << 53;

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Run,
    Check,
    Fuzz,
    Trace,
}

use Mode::{Check, Fuzz, Run, Trace};

impl Mode {
    const ALL: [(Self, &str); 4] = [(Run, "a scenario"), (Check, "--check"), (Fuzz, "--fuzz"), (Trace, "--trace")];
}

/// Each option: its name, its value if it has one (in brackets where it may be left out), what it is for, and its help.
const OPTIONS: [(&str, &str, &[Mode], &str); 15] = [
    ("--check", "", &[Check], "the figures that must hold; with --scenario or --n some of them"),
    ("--slow", "", &[Check], "those at 10 000 servers instead"),
    ("--fuzz", "[N]", &[Fuzz], "random schedules of faults, with the seeds from 0 on; 100 if not given"),
    ("--trace", "[N]", &[Trace], "hashes of runs of each scenario and of N schedules; 100 if not given"),
    ("--scenario", "NAME", &[Run, Check], "what happens, see below; crash if not given"),
    ("--n", "N", &[Run, Check], "servers, 2 to 10 000, which take 16 GB of memory; 10 if not given"),
    ("--seeds", "N", &[Run], "how many runs, with the seeds from 0 on; 20 if not given"),
    ("--seed", "K", &[Run, Fuzz, Trace], "the run with this seed alone"),
    ("--interval", "S", &[Run], "gossip interval in seconds, 0.1 to 3600; 30 if not given"),
    ("--v1", "SHARE", &[Run], "of the servers that is of version 1, 0 to 1; 0 if not given, 0.5 in mixed"),
    ("--skew", "", &[Run], "clocks are an hour wrong, every other one either way"),
    ("--no-list", "", &[Run], "no master list once the cluster has come about; with one, version 1 never settles"),
    ("--loss", "SHARE", &[Run], "of exchanges that the scenario loss loses, 0 to below 1; 0.2 if not given"),
    ("--no-v1", "", &[Run], "do not run version 1 beside, as is done up to 300 servers, with the same list and seeds"),
    ("--json", "", &[Run, Check], "JSON instead of text: npm run --silent sim -- --json | jq"),
];
/// Options that exclude each other.
const EXCLUSIVE: [(&str, &str); 4] =
    [("--check", "--fuzz"), ("--check", "--trace"), ("--fuzz", "--trace"), ("--seeds", "--seed")];

/// The options that are given, by their names.
struct Given(BTreeMap<&'static str, String>);

impl Given {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.peekable();
        let mut given = BTreeMap::new();
        while let Some(argument) = arguments.next() {
            let (name, value) =
                argument.split_once('=').map_or((&*argument, None), |(name, value)| (name, Some(value.to_owned())));
            let option = OPTIONS.iter().find(|(known, ..)| *known == name);
            let &(name, wants, ..) = option.ok_or_else(|| format!("there is no option {name}"))?;
            let value = value.or_else(|| arguments.next_if(|next| !wants.is_empty() && !next.starts_with("--")));
            if value.is_some() && wants.is_empty() {
                return Err(format!("{name} takes no value"));
            }
            if value.is_none() && !wants.is_empty() && !wants.starts_with('[') {
                return Err(format!("{name} needs a value"));
            }
            if given.insert(name, value.unwrap_or_default()).is_some() {
                return Err(format!("{name} is given twice"));
            }
        }
        Ok(Self(given))
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn number<T: FromStr + PartialOrd>(&self, name: &str, range: impl RangeBounds<T>) -> Result<Option<T>, String> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let help = OPTIONS.iter().find(|(known, ..)| *known == name).map_or("", |(.., help)| help);
        number.map(Some).ok_or_else(|| format!("{name} {text} is not possible: {help}"))
    }

    /// What there is to do. An error names an option that is not for it.
    fn mode(&self) -> Result<Mode, String> {
        if let Some((one, other)) = EXCLUSIVE.iter().find(|(one, other)| self.has(one) && self.has(other)) {
            return Err(format!("{one} does not go with {other}"));
        }
        let mode = if self.has("--check") {
            Check
        } else if self.has("--fuzz") {
            Fuzz
        } else if self.has("--trace") {
            Trace
        } else {
            Run
        };
        for (name, _, modes, _) in OPTIONS.iter().filter(|(name, ..)| self.has(name)) {
            if !modes.contains(&mode) {
                let named: Vec<_> =
                    Mode::ALL.iter().filter(|(it, _)| modes.contains(it)).map(|(_, name)| *name).collect();
                return Err(format!("{name} is for {}", named.join(" or ")));
            }
        }
        Ok(mode)
    }

    fn scenario(&self) -> Result<Option<Scenario>, String> {
        let find = |name: &String| Scenario::find(name).ok_or_else(|| format!("there is no scenario {name}"));
        self.0.get("--scenario").map(find).transpose()
    }

    fn seeds(&self, count: Option<u64>, default: u64) -> Result<Seeds, String> {
        Ok(match self.number("--seed", 0..=MOST)? {
            Some(first) => Seeds { first, count: 1 },
            None => Seeds { first: 0, count: count.unwrap_or(default) },
        })
    }

    fn schedules(&self, option: &str) -> Result<Seeds, String> {
        if self.0[option].is_empty() {
            return self.seeds(None, SCHEDULES);
        }
        if self.has("--seed") {
            return Err(format!("{option} N does not go with --seed"));
        }
        self.seeds(self.number(option, 1..=MOST)?, SCHEDULES)
    }

    fn setup(&self, servers: Option<usize>) -> Result<Setup, String> {
        let setup = Setup::new(self.scenario()?.unwrap_or(Scenario::Crash), servers.unwrap_or(SERVERS));
        if self.has("--loss") && setup.scenario != Scenario::Loss {
            return Err("--loss is for the scenario loss".into());
        }
        let setup = Setup {
            interval: self.number("--interval", 0.1..=3600.0)?.map_or(setup.interval, Duration::from_secs_f64),
            v1: self.number("--v1", 0.0..=1.0)?.unwrap_or(setup.v1),
            skewed: self.has("--skew") || setup.skewed,
            list: !self.has("--no-list") && setup.list,
            loss: self.number("--loss", 0.0..1.0)?.unwrap_or(setup.loss),
            ..setup
        };
        let (v1, ours) = setup.kinds();
        if setup.v1 < 1.0 && ours < 2 {
            return Err(format!("of {} servers {ours} would be of ours: 2 at least, or --v1 1", v1 + ours));
        }
        if setup.scenario == Scenario::Mixed && v1 == 0 {
            return Err("the scenario mixed needs a server of version 1".into());
        }
        if setup.scenario == Scenario::Liar && setup.servers < 3 {
            return Err("the scenario liar needs 3 servers: who lies, of whom, to whom".into());
        }
        if setup.scenario == Scenario::Refute && setup.servers < 3 {
            return Err("the scenario refute needs 3 servers: who says it, of whom, to whom".into());
        }
        Ok(setup)
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Scenario { setup: Setup, seeds: Seeds, compare: bool },
    Check(Rows),
    Fuzz(Seeds),
    Trace(Seeds),
}

/// The command line, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    task: Task,
    json: bool,
}

impl Options {
    /// Reads the command line; an error says what is wrong with it.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let given = Given::read(arguments)?;
        let mode = given.mode()?;
        let servers = given.number("--n", 2..=10_000)?;
        let task = match mode {
            Run => Task::Scenario {
                setup: given.setup(servers)?,
                seeds: given.seeds(given.number("--seeds", 1..=MOST)?, SEEDS)?,
                compare: !given.has("--no-v1"),
            },
            Check => Task::Check(Rows { slow: given.has("--slow"), scenario: given.scenario()?, servers }.some()?),
            Fuzz => Task::Fuzz(given.schedules("--fuzz")?),
            Trace => Task::Trace(given.schedules("--trace")?),
        };
        Ok(Self { task, json: given.has("--json") })
    }

    /// Does what is asked for and prints it; returns whether all is as it should be.
    pub fn run(&self) -> bool {
        match self.task {
            Task::Scenario { setup, seeds, compare } => self.run_scenario(&setup, seeds, compare),
            Task::Check(rows) => check::run(rows, self.json, print_line),
            Task::Fuzz(seeds) => schedule::run_all(seeds, print_line),
            Task::Trace(seeds) => {
                trace::run(seeds, print_line);
                true
            }
        }
    }

    fn run_scenario(&self, setup: &Setup, seeds: Seeds, compare: bool) -> bool {
        let report = Report::of(setup, seeds);
        let v1 = (compare && setup.is_comparable()).then(|| Report::of(&Setup { v1: 1.0, ..*setup }, seeds));
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
    let mut text = String::from("usage:");
    // Writing to a string cannot fail.
    for (mode, own) in Mode::ALL {
        text.push_str("\n  npm run sim --");
        for (name, value, ..) in OPTIONS.iter().filter(|(_, _, modes, _)| modes.contains(&mode)) {
            let option = format!("{name} {value}");
            let option = option.trim_end();
            let _ = if *name == own { write!(text, " {option}") } else { write!(text, " [{option}]") };
        }
    }
    text.push_str("\noptions:\n");
    for (name, value, _, help) in OPTIONS {
        let _ = writeln!(text, "  {:<18}{help}", format!("{name} {value}"));
    }
    text.push_str("scenarios, timed from what happens unless said:\n");
    for (name, _, line) in Scenario::ALL {
        let _ = writeln!(text, "  {name:<18}{line}");
    }
    let _ = write!(
        text,
        "figures, of every scenario:{FIGURES}\n\
         exit codes: 0; 1 if a figure or an invariant does not hold, or a run never came about; 2 if the command is wrong;\n\
         101 if a run panicked, which is a defect: the command that runs it again is printed"
    );
    text
}

/// Prints a line. Whoever reads may stop before the end, as `head` does.
pub fn print_line(line: &str) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            print_problem(&format!("the output cannot be written: {error}"));
            process::exit(1);
        }
        Ok(()) | Err(_) => {}
    }
}

/// Says what is wrong.
pub fn print_problem(problem: &str) {
    let _ = writeln!(io::stderr(), "{problem}");
}

/// Shows on a terminal how far it is, in place of what was shown before.
pub fn show_progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    fn task(line: &str) -> Task {
        parse(line).expect(line).task
    }

    #[test]
    fn a_failure_is_replayed_by_the_command_that_it_prints() {
        for setup in [
            Setup { skewed: true, v1: 0.25, list: false, ..Setup::new(Scenario::Partition, 12) },
            Setup { loss: 0.05, interval: Duration::from_millis(2500), ..Setup::new(Scenario::Loss, 12) },
        ] {
            for compare in [true, false] {
                let command = setup.replay(4, compare);
                let line = command.strip_prefix("npm run sim -- ").expect("its beginning");
                assert_eq!(task(line), Task::Scenario { setup, seeds: Seeds { first: 4, count: 1 }, compare });
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, problem) in [
            ("--scenario nothing", "no scenario nothing"),
            ("--n 1", "--n 1 is not possible"),
            ("--n 20000", "16 GB"),
            ("--n", "--n needs a value"),
            ("--n --json", "--n needs a value"),
            ("--n=", "not possible"),
            ("--seeds many", "--seeds many is not possible"),
            ("--seeds 0", "not possible"),
            ("--fuzz 0", "not possible"),
            ("--v1 2", "0 to 1"),
            ("--v1 NaN", "0 to 1"),
            ("--interval 0.05", "0.1 to 3600"),
            ("--scenario loss --loss 1", "below 1"),
            ("--scenario crash --loss 0.2", "for the scenario loss"),
            ("--else", "no option --else"),
            ("--json=yes", "--json takes no value"),
            ("5", "no option 5"),
        ] {
            assert!(parse(line).expect_err(line).contains(problem), "{line}");
        }
    }

    #[test]
    fn an_option_that_would_do_nothing_is_an_error() {
        for (line, problem) in [
            ("--check --seeds 5", "--seeds is for a scenario"),
            ("--check --v1=1", "--v1 is for a scenario"),
            ("--fuzz --n 5", "--n is for a scenario or --check"),
            ("--fuzz --json", "--json is for a scenario or --check"),
            ("--slow", "--slow is for --check"),
            ("--check --fuzz", "--check does not go with --fuzz"),
            ("--seed 1 --seeds 2", "--seeds does not go with --seed"),
            ("--fuzz 5 --seed 5", "--fuzz N does not go with --seed"),
            ("--n 5 --n 6", "--n is given twice"),
            ("--check --n 7", "crash 10 12 100 1000"),
            ("--check --slow --scenario hang", "idle 10000"),
        ] {
            let found = parse(line).expect_err(line);
            assert!(found.contains(problem), "{line}: {found}");
        }
    }

    #[test]
    fn a_cluster_in_which_there_is_nothing_to_measure_is_an_error() {
        for (line, problem) in [
            ("--scenario crash --n 5 --v1 0.9", "of 5 servers 0 would be of ours"),
            ("--scenario mixed --n 2", "of ours"),
            ("--scenario mixed --v1 0", "needs a server of version 1"),
            ("--scenario refute --n 2", "needs 3 servers"),
        ] {
            let found = parse(line).expect_err(line);
            assert!(found.contains(problem), "{line}: {found}");
        }
        for (name, ..) in Scenario::ALL {
            let least = if matches!(*name, "refute" | "mixed" | "liar") { 4 } else { 2 };
            let line = format!("--scenario {name} --n {least} --seeds 1 --no-v1");
            let Task::Scenario { setup, seeds, .. } = task(&line) else { panic!("{line}") };
            assert_eq!(Report::of(&setup, seeds).unfinished, [0_u64; 0], "{line}");
        }
    }

    #[test]
    fn an_option_has_its_value_after_a_space_or_an_equals_sign() {
        assert_eq!(parse("--n=7 --json --v1=0.5"), parse("--v1 0.5 --n 7 --json"));
        assert_eq!(task("--fuzz 7"), Task::Fuzz(Seeds { first: 0, count: 7 }));
        assert_eq!(task("--fuzz=7"), task("--fuzz 7"));
        assert_eq!(task("--fuzz --seed 7"), Task::Fuzz(Seeds { first: 7, count: 1 }));
        assert_eq!(task("--fuzz"), Task::Fuzz(Seeds { first: 0, count: SCHEDULES }));
        let rows = Rows { slow: true, scenario: Some(Scenario::Crash), servers: Some(10_000) };
        assert_eq!(task("--check --slow --scenario crash --n 10000"), Task::Check(rows));
    }
}
