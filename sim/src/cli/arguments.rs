//! The options of the command line: a table, and a parser that follows it.
//!
//! The table says for which mode each option is, so an option that would have no effect is an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeBounds;
use std::str::FromStr;

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Run,
    Check,
    Fuzz,
    Trace,
    Ownership,
    Explore,
}

use Mode::{Check, Explore, Fuzz, Ownership, Run, Trace};

impl Mode {
    const ALL: [(Self, &str); 6] = [
        (Run, "a scenario"),
        (Check, "--check"),
        (Fuzz, "--fuzz"),
        (Trace, "--trace"),
        (Ownership, "--ownership"),
        (Explore, "--explore"),
    ];
}

/// Each option: its name, its value, if it has one (in brackets if it is optional), its modes, and its help.
const OPTIONS: [(&str, &str, &[Mode], &str); 19] = [
    ("--check", "", &[Check], "check all targets, or those of --scenario and --n"),
    ("--slow", "", &[Check], "check those at 10 000 servers instead"),
    ("--fuzz", "[N]", &[Fuzz], "run random schedules of faults, with the seeds from 0 on; default 100"),
    ("--trace", "[N]", &[Trace], "print a hash of runs of each scenario and of N schedules; default 100"),
    ("--ownership", "[N]", &[Ownership], "count N jobs of a key's owner that are missed or run twice; default 10000"),
    (
        "--explore",
        "[NAME]",
        &[Explore],
        "try all runs of the cluster two, three, mixed (two and one of version 1), starting (three) or slow (two); default all",
    ),
    ("--states", "N", &[Explore], "until N different states were visited; default 2100000"),
    (
        "--replay",
        "RUN",
        &[Explore],
        "play one run again, as a failure prints it, such as \"two 3:lose 9:kill\", and print what happens",
    ),
    ("--scenario", "NAME", &[Run, Check], "what happens, see below; default crash"),
    ("--n", "N", &[Run, Check], "number of servers, 2 to 10 000, which need 16 GB of memory; default 10"),
    ("--seeds", "N", &[Run], "number of runs, with the seeds from 0 on; default 20"),
    ("--seed", "K", &[Run, Fuzz, Trace], "only the run with this seed"),
    ("--interval", "S", &[Run], "gossip interval in seconds, 0.1 to 3600; default 30"),
    ("--v1", "SHARE", &[Run], "share of servers that run version 1, 0 to 1; default 0, in mixed 0.5"),
    ("--skew", "", &[Run], "clocks are an hour wrong, alternately fast and slow"),
    ("--no-list", "", &[Run], "no master list once the cluster has formed; with one, version 1 never converges"),
    ("--loss", "SHARE", &[Run], "share of exchanges that the scenario loss loses, 0 to below 1; default 0.2"),
    ("--no-v1", "", &[Run], "no comparison with version 1 on the same seeds, which is made up to 300 servers"),
    ("--json", "", &[Run, Check], "print JSON: npm run --silent sim -- --json | jq"),
];
/// Options that exclude each other.
const EXCLUSIVE: [(&str, &str); 12] = [
    ("--check", "--fuzz"),
    ("--check", "--trace"),
    ("--fuzz", "--trace"),
    ("--ownership", "--check"),
    ("--ownership", "--fuzz"),
    ("--ownership", "--trace"),
    ("--seeds", "--seed"),
    ("--explore", "--check"),
    ("--explore", "--fuzz"),
    ("--explore", "--trace"),
    ("--explore", "--ownership"),
    ("--replay", "--states"),
];

/// The given options, by name.
pub struct Arguments(BTreeMap<&'static str, String>);

impl Arguments {
    /// Reads `--name value` and `--name=value`.
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
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

    /// Whether an option is given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of an option, if it is given. Empty if it has none.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of an option as a number in a range.
    pub fn number<T: FromStr + PartialOrd>(&self, name: &str, range: impl RangeBounds<T>) -> Result<Option<T>, String> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let help = OPTIONS.iter().find(|(known, ..)| *known == name).map_or("", |(.., help)| help);
        number.map(Some).ok_or_else(|| format!("{name} {text} is not valid: {help}"))
    }

    /// What there is to do. Returns an error if an option is not for it.
    pub fn mode(&self) -> Result<Mode, String> {
        if let Some((one, other)) = EXCLUSIVE.iter().find(|(one, other)| self.has(one) && self.has(other)) {
            return Err(format!("{one} and {other} exclude each other"));
        }
        let mode = if self.has("--explore") {
            Explore
        } else if self.has("--check") {
            Check
        } else if self.has("--fuzz") {
            Fuzz
        } else if self.has("--trace") {
            Trace
        } else if self.has("--ownership") {
            Ownership
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
}

/// The help about the options.
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
    text
}
