//! Many seeds of one scenario, summed up, as text and as JSON.

use std::fmt::{self, Write as _};
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Map, Value, json};

use crate::cli::print_problem;
use crate::scenario::{Outcome, Scenario, Setup, run};

/// Above how many servers one world has the machine's memory for itself.
const ALONE_ABOVE: usize = 5_000;

/// Some seeds, the first and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seed{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

/// Calls something for each seed, on all cores; the results are in the order of the seeds. If it panics, the command that
/// runs the seed again is printed.
pub fn for_each_seed<R: Send>(
    seeds: Seeds,
    threads: usize,
    work: impl Fn(u64) -> R + Sync,
    replay: impl Fn(u64) -> String + Sync,
) -> Vec<R> {
    let next = AtomicU64::new(0);
    let results = Mutex::new(Vec::new());
    let run = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= seeds.count {
                return;
            }
            let seed = seeds.first + index;
            let result = panic::catch_unwind(AssertUnwindSafe(|| work(seed))).unwrap_or_else(|panic| {
                // Nobody waits for the seeds that are left.
                next.store(seeds.count, Ordering::Relaxed);
                print_problem(&format!("it panicked: {}", replay(seed)));
                panic::resume_unwind(panic)
            });
            // Poisoned by a panic, which goes on its way when the scope ends.
            if let Ok(mut results) = results.lock() {
                results.push((index, result));
            }
        }
    };
    if threads <= 1 {
        // The memory of a world is used again by the next one in the same thread alone, and the largest take most of it.
        run();
    } else {
        thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(run))));
    }
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many threads worlds of so many servers may have.
pub fn threads(servers: usize) -> usize {
    if servers > ALONE_ABOVE { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) }
}

/// A figure over many seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    // Ascending, each with its seed.
    figures: Vec<(f64, u64)>,
}

impl Spread {
    /// Of some figures; what never came about is infinite.
    pub fn new(figures: impl IntoIterator<Item = (f64, u64)>) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Self { figures }
    }

    /// The least figure that this share of all does not exceed.
    pub fn percentile(&self, share: f64) -> f64 {
        let index = ((self.figures.len() as f64 * share).ceil() as usize).saturating_sub(1);
        self.figures.get(index).map_or(f64::NAN, |(figure, _)| *figure)
    }

    /// The greatest.
    pub fn max(&self) -> f64 {
        self.percentile(1.0)
    }

    /// The average.
    pub fn mean(&self) -> f64 {
        self.sum() / self.figures.len() as f64
    }

    /// All together.
    pub fn sum(&self) -> f64 {
        if self.figures.is_empty() {
            return f64::NAN;
        }
        self.figures.iter().map(|(figure, _)| figure).sum()
    }

    /// The seed of the greatest.
    pub fn worst(&self) -> Option<u64> {
        self.figures.last().map(|(_, seed)| *seed)
    }

    fn json(&self) -> Value {
        json!({
            "mean": round(self.mean()),
            "p50": round(self.percentile(0.5)),
            "p95": round(self.percentile(0.95)),
            "p99": round(self.percentile(0.99)),
            "max": round(self.max()),
        })
    }
}

/// What many seeds gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Of what.
    pub setup: Setup,
    /// Of which seeds.
    pub seeds: Seeds,
    /// Seconds until every list was right.
    pub time: Spread,
    /// Seeds in which that never came about.
    pub unfinished: Vec<u64>,
    /// Entries that were wrong in the end or became so again.
    pub wrong: Spread,
    /// Bytes by server and second, sent and received.
    pub bytes: Spread,
    /// Exchanges by server from the event until all knew.
    pub pushes: Spread,
    /// What else the scenario measures.
    pub extra: Vec<(&'static str, Spread)>,
}

impl Report {
    /// Runs a scenario with each of the seeds.
    pub fn of(setup: &Setup, seeds: Seeds) -> Self {
        let replay = |seed| setup.replay(seed, false);
        let outcomes = for_each_seed(seeds, threads(setup.servers), |seed| run(setup, seed), replay);
        Self::sum_up(setup, seeds, &outcomes)
    }

    fn sum_up(setup: &Setup, seeds: Seeds, outcomes: &[Outcome]) -> Self {
        let spread = |figure: &dyn Fn(&Outcome) -> Option<f64>| {
            Spread::new(outcomes.iter().zip(seeds.first..).filter_map(|(it, seed)| Some((figure(it)?, seed))))
        };
        let time = spread(&|outcome| outcome.known);
        let names = outcomes.first().map(|outcome| outcome.extra.iter().map(|(name, _)| *name)).into_iter().flatten();
        let figures =
            |name| spread(&|outcome| outcome.extra.iter().find(|(it, _)| *it == name).map(|(_, figure)| *figure));
        Self {
            setup: *setup,
            seeds,
            unfinished: time.figures.iter().filter(|(it, _)| it.is_infinite()).map(|(_, seed)| *seed).collect(),
            time,
            wrong: spread(&|outcome| outcome.wrong.map(|wrong| wrong as f64)),
            bytes: spread(&|outcome| Some(outcome.bytes_per_second)),
            pushes: spread(&|outcome| outcome.pushes),
            extra: names.map(|name| (name, figures(name))).collect(),
        }
    }

    /// A figure that only this scenario has.
    pub fn extra(&self, name: &str) -> Option<&Spread> {
        self.extra.iter().find(|(it, _)| *it == name).map(|(_, spread)| spread)
    }

    /// All of it, as one object.
    pub fn json(&self, v1: Option<&Self>) -> Value {
        let extra: Map<_, _> = self.extra.iter().map(|(name, it)| ((*name).to_owned(), it.json())).collect();
        let mut object = json!({
            "scenario": self.setup.scenario.name(),
            "n": self.setup.servers,
            "firstSeed": self.seeds.first,
            "seeds": self.seeds.count,
            "interval": self.setup.interval.as_secs_f64(),
            "v1Share": self.setup.v1,
            "skewed": self.setup.skewed,
            "masterList": self.setup.list,
            "lossShare": (self.setup.scenario == Scenario::Loss).then_some(self.setup.loss),
            "seconds": self.time.worst().map(|_| self.time.json()),
            "slowestSeed": self.time.worst(),
            "unfinished": self.unfinished,
            "wrongEntries": self.wrong.sum(),
            "bytesPerServerAndSecond": round(self.bytes.mean()),
            "pushesPerServer": self.pushes.json(),
            "extra": extra,
        });
        if let Some(v1) = v1 {
            object["v1"] = v1.json(None);
            object["ratio"] = json!({
                "p50": round(v1.time.percentile(0.5) / self.time.percentile(0.5)),
                "p95": round(v1.time.percentile(0.95) / self.time.percentile(0.95)),
                "bytes": round(v1.bytes.mean() / self.bytes.mean()),
            });
        }
        object
    }

    /// All of it, for people.
    pub fn text(&self, v1: Option<&Self>) -> String {
        let mut text = self.head();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<28}{:>14}{}",
            "",
            if self.setup.v1 < 1.0 { "ours" } else { "v1" },
            v1.map_or(String::new(), |_| format!("{:>14}{:>9}", "v1", "v1/ours"))
        );
        let mut line = |name: &str, of: &dyn Fn(&Self) -> f64| {
            let (ours, theirs) = (of(self), v1.map(of));
            let ratio = |it: f64| if ours == 0.0 { f64::NAN } else { it / ours };
            let theirs = theirs.map_or(String::new(), |it| format!("{:>14}{:>9}", figure(it), figure(ratio(it))));
            let _ = writeln!(text, "{name:<28}{:>14}{theirs}", figure(ours));
        };
        if self.setup.scenario.is_timed() {
            for (name, share) in [("p50 s", 0.5), ("p95 s", 0.95), ("p99 s", 0.99), ("max s", 1.0)] {
                line(name, &|it| it.time.percentile(share));
            }
            if (self.time.figures.len() as u64) < self.seeds.count {
                line("seeds with a time", &|it| it.time.figures.len() as f64);
            }
        }
        line("wrong entries", &|it| it.wrong.sum());
        line("bytes/server/s", &|it| it.bytes.mean());
        line("pushes/server", &|it| it.pushes.mean());
        for (name, _) in &self.extra {
            line(&format!("{name} p50"), &|it| it.extra(name).map_or(f64::NAN, |spread| spread.percentile(0.5)));
            line(&format!("{name} max"), &|it| it.extra(name).map_or(f64::NAN, Spread::max));
        }
        if let (true, Some(seed)) = (self.unfinished.is_empty(), self.time.worst()) {
            let _ = writeln!(text, "slowest: {}", self.setup.replay(seed, v1.is_some()));
        }
        for seed in self.unfinished.iter().take(10) {
            let _ = writeln!(text, "never came about: {}", self.setup.replay(*seed, v1.is_some()));
        }
        text
    }

    fn head(&self) -> String {
        let Setup { scenario, servers, interval, v1, skewed, list, loss } = self.setup;
        let mut text = format!("{}: {servers} servers", scenario.name());
        // Writing to a string cannot fail.
        if self.setup.spare() > 0 {
            let _ = write!(text, " and {} to join", self.setup.spare());
        }
        if v1 > 0.0 {
            let _ = write!(text, ", {} of version 1", self.setup.kinds().0);
        }
        let _ = write!(text, ", {} from {}, interval {} s", self.seeds, self.seeds.first, interval.as_secs_f64());
        if skewed {
            text.push_str(", skewed");
        }
        if !list {
            text.push_str(", without a list");
        }
        if scenario == Scenario::Loss {
            let _ = write!(text, ", loss {loss}");
        }
        text.push('\n');
        text
    }
}

fn figure(it: f64) -> String {
    if it.is_finite() {
        format!("{it:.2}")
    } else if it.is_nan() {
        "-".into()
    } else {
        "∞".into()
    }
}

// To thousandths; what never came about is null.
fn round(figure: f64) -> Value {
    json!((figure * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_percentile_is_the_least_figure_that_so_many_do_not_exceed() {
        let spread = Spread::new((1..=100).rev().map(|it| (f64::from(it), 0)));
        assert_eq!([0.5, 0.99, 1.0].map(|share| spread.percentile(share).to_string()), ["50", "99", "100"]);
        assert_eq!(Spread::new([(f64::INFINITY, 8), (1.0, 7)]).json()["max"], Value::Null);
        assert_eq!(Spread::new([(f64::INFINITY, 8), (1.0, 7)]).worst(), Some(8));
    }

    #[test]
    fn results_are_in_the_order_of_the_seeds() {
        let seeds = Seeds { first: 7, count: 50 };
        assert_eq!(for_each_seed(seeds, 4, |seed| seed, |_| String::new()), (7..57).collect::<Vec<_>>());
    }

    #[test]
    fn a_run_that_panics_names_its_seed() {
        let named = Mutex::new(Vec::new());
        let replay = |seed| {
            named.lock().expect("no panic in here").push(seed);
            format!("seed {seed} panics to be seen")
        };
        let run = || for_each_seed(Seeds { first: 0, count: 50 }, 1, |seed| assert_ne!(seed, 9), replay);
        assert!(panic::catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_eq!(named.into_inner().expect("no panic in there"), [9]);
    }

    #[test]
    fn the_head_says_what_is_not_as_usual() {
        let head = |setup, count| Report::sum_up(&setup, Seeds { first: 3, count }, &[]).head();
        let mixed = Setup { skewed: true, list: false, ..Setup::new(Scenario::Mixed, 20) };
        assert_eq!(
            head(mixed, 5),
            "mixed: 20 servers, 10 of version 1, 5 seeds from 3, interval 30 s, skewed, without a list\n"
        );
        let join = Setup { interval: Duration::from_millis(500), ..Setup::new(Scenario::Join, 4) };
        assert_eq!(head(join, 1), "join: 4 servers and 1 to join, 1 seed from 3, interval 0.5 s\n");
        assert!(head(Setup::new(Scenario::Loss, 4), 1).ends_with(", loss 0.2\n"));
    }

    #[test]
    fn what_was_not_measured_is_no_figure() {
        let report = Report::of(&Setup::new(Scenario::Refute, 3), Seeds { first: 0, count: 2 });
        let text = report.text(Some(&report));
        assert!(text.contains(&format!("p50 s{:>37}{:>14}{:>9}\n", "-", "-", "-")), "{text}");
        assert!(text.contains(&format!("wrong entries{:>29}{:>14}{:>9}\n", "0.00", "0.00", "-")), "{text}");
        assert!(!text.contains("slowest"), "{text}");
        assert_eq!(report.json(None)["seconds"], Value::Null);
    }
}
