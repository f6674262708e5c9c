//! `--check`: runs scenarios and compares their measurements with the targets.

mod measure;
mod targets;

use std::collections::BTreeSet;

use clustershazbot::clock::Clock;
use serde_json::{Value, json};

use crate::output::print_line;
use crate::report::{Report, Spread};
use crate::scenario::{INTERVAL, Scenario, Setup};
use crate::seeds::Seeds;

use targets::{Bound, Target, slow_targets, targets};

/// Which targets are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those at 10 000 servers instead of all others.
    pub slow: bool,
    /// Only those of one scenario.
    pub scenario: Option<Scenario>,
    /// Only those with this number of servers.
    pub servers: Option<usize>,
}

impl Selection {
    /// Returns an error that lists the targets, if none is selected.
    pub fn validate(self) -> Result<Self, String> {
        if !self.targets().is_empty() {
            return Ok(self);
        }
        let all = Self { slow: self.slow, ..Self::default() }.targets();
        let available = Scenario::ALL.iter().filter_map(|(name, scenario, _)| {
            let setups = all.iter().map(|target| target.setup).filter(|setup| setup.scenario == *scenario);
            let sizes: BTreeSet<_> = setups.map(|setup| setup.servers).collect();
            let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
            (!sizes.is_empty()).then(|| format!("{name} {}", sizes.join(" ")))
        });
        let available: Vec<_> = available.collect();
        Err(format!("no target matches: by scenario and --n there are {}", available.join(", ")))
    }

    fn targets(self) -> Vec<Target> {
        let mut targets = if self.slow { slow_targets() } else { targets() };
        targets.retain(|target| self.contains(&target.setup));
        targets
    }

    fn contains(self, setup: &Setup) -> bool {
        self.scenario.is_none_or(|scenario| scenario == setup.scenario)
            && self.servers.is_none_or(|servers| servers == setup.servers)
    }
}

/// Checks the targets and prints each measurement. Returns whether all bounds hold.
pub fn run(selection: Selection, as_json: bool) -> bool {
    let (mut missed, mut objects) = (Vec::new(), Vec::new());
    for target in selection.targets() {
        let clock = Clock::new();
        let seeds = Seeds { first: 0, count: target.seeds };
        let report = Report::of(&target.setup, seeds);
        let results: Vec<_> = target.bounds.iter().map(|bound| compare(*bound, &target.setup, &report)).collect();
        if as_json {
            let mut object = report.json(None);
            object["figures"] = results.iter().map(|result| result.json.clone()).collect();
            objects.push(object);
        } else {
            for result in &results {
                print_line(&result.line);
            }
            print_line(&format!("     {:.1} s on this machine", clock.now().mono.as_secs_f64()));
        }
        missed.extend(results.into_iter().filter_map(|result| result.missed));
    }
    if as_json {
        print_line(&json!({ "rows": objects, "missed": missed }).to_string());
    } else if missed.is_empty() {
        print_line("all bounds hold");
    } else {
        print_line(&format!("{} missed:\n{}", missed.len(), missed.join("\n")));
    }
    missed.is_empty()
}

/// A measurement compared with its bound.
struct Comparison {
    line: String,
    json: Value,
    /// The line with the command that runs the worst seed again, if the bound does not hold.
    missed: Option<String>,
}

fn compare((measure, bound): Bound, setup: &Setup, report: &Report) -> Comparison {
    let value = measure.of(report);
    let holds = value <= bound;
    let (mark, name) = (if holds { "ok  " } else { "MISS" }, measure.name());
    let line = format!("{mark} {:<38}{name:<28}{value:>10.2}  ≤ {bound}", describe(setup, report.seeds));
    let missed = (!holds).then(|| {
        let worst = measure.spread(report).and_then(Spread::worst_seed);
        let replay = worst.map_or(String::new(), |seed| format!("\n       {}", setup.replay(seed, false)));
        format!("{line}{replay}")
    });
    let json = json!({ "figure": name, "value": value, "bound": bound, "holds": holds });
    Comparison { line, json, missed }
}

fn describe(setup: &Setup, seeds: Seeds) -> String {
    let interval = match setup.interval {
        INTERVAL => String::new(),
        other => format!(" every {} s", other.as_secs()),
    };
    let skewed = if setup.skewed { " ±1 h" } else { "" };
    let mixed = if setup.v1_share > 0.0 && setup.scenario != Scenario::Mixed { " v1" } else { "" };
    format!("{} n={}{interval}{skewed}{mixed}, {seeds}", setup.scenario.name(), setup.servers)
}
