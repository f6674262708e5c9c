//! `npm run sim -- --scenario NAME --n N --seeds S`

use std::process::ExitCode;

use clustershazbot::sim::scenario::{Scenario, run};

fn main() -> ExitCode {
    let mut name = "crash".to_owned();
    let (mut servers, mut seeds) = (10, 20);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let Some(value) = arguments.next() else { return usage(&format!("{option} needs a value")) };
        match (option.as_str(), value.parse()) {
            ("--scenario", _) => name = value,
            ("--n", Ok(number)) if number >= 2 => servers = number,
            ("--seeds", Ok(number)) if number >= 1 => seeds = number,
            _ => return usage(&format!("{option} {value} is not understood")),
        }
    }
    let Some((_, scenario)) = Scenario::ALL.into_iter().find(|(known, _)| *known == name) else {
        return usage(&format!("there is no scenario {name}"));
    };
    let outcomes: Vec<_> = (0..seeds as u64).map(|seed| run(scenario, servers, seed)).collect();
    let mut known: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.until_known).collect();
    known.sort();
    let bytes = outcomes.iter().map(|outcome| outcome.bytes_per_second).sum::<f64>() / outcomes.len() as f64;
    print_line(&format!("{name}, {servers} servers, {seeds} seeds: time until all know, and bytes"));
    for (what, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)] {
        if let Some(time) = known.get(((known.len() as f64 * share).ceil() as usize).saturating_sub(1)) {
            print_line(&format!("  {what}  {:.1} s", time.as_secs_f64()));
        }
    }
    print_line(&format!("  sent {bytes:.0} bytes a second and server"));
    if known.len() < outcomes.len() {
        print_line(&format!("  {} of {seeds} did not come to rest within four hours", outcomes.len() - known.len()));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn usage(problem: &str) -> ExitCode {
    let names: Vec<_> = Scenario::ALL.iter().map(|(name, _)| *name).collect();
    print_line(&format!("{problem}\nusage: npm run sim -- --scenario {} --n N --seeds S", names.join("|")));
    ExitCode::FAILURE
}

#[allow(clippy::print_stdout, reason = "it is a command")]
fn print_line(line: &str) {
    println!("{line}");
}
