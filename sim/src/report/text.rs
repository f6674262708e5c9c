//! A report as text.

use std::fmt::Write as _;

use super::{Report, Spread};
use crate::scenario::{Form, Scenario, Setup};

/// How many seeds that never finished are listed.
const MAX_UNFINISHED: usize = 10;

impl Report {
    /// The report as text, beside that of version 1 on the same seeds.
    pub fn text(&self, v1: Option<&Self>) -> String {
        let mut text = self.heading();
        text.push_str(&self.table(v1));
        // Writing to a string cannot fail.
        if let (true, Some(seed)) = (self.unfinished.is_empty(), self.time.worst_seed()) {
            let _ = writeln!(text, "slowest: {}", self.setup.replay(seed, v1.is_some()));
        }
        if let Some(seed) = self.extra("slandered_share").and_then(Spread::worst_seed)
            && let Some(share) = self.extra("slandered_share").map(Spread::max)
        {
            let (online, form) = (100.0 * (1.0 - share), Form::of(seed));
            let _ = writeln!(text, "listed online {online:.2} % of the time at least, where {form}:");
            let _ = writeln!(text, "  {}", self.setup.replay(seed, v1.is_some()));
        }
        for seed in self.unfinished.iter().take(MAX_UNFINISHED) {
            let _ = writeln!(text, "never finished: {}", self.setup.replay(*seed, v1.is_some()));
        }
        text
    }

    fn table(&self, v1: Option<&Self>) -> String {
        let version = if self.setup.is_all_v1() { "v1" } else { "v2" };
        let head = v1.map_or(String::new(), |_| format!("{:>14}{:>9}", "v1", "v1/v2"));
        let mut text = format!("{:<28}{version:>14}{head}\n", "");
        let mut line = |name: &str, value: &dyn Fn(&Self) -> f64| {
            let (own, other) = (value(self), v1.map(value));
            let ratio = |other: f64| if own == 0.0 { f64::NAN } else { other / own };
            let other = other.map_or(String::new(), |it| format!("{:>14}{:>9}", number(it), number(ratio(it))));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<28}{:>14}{other}", number(own));
        };
        if self.setup.scenario.is_timed() {
            for (name, share) in [("p50 s", 0.5), ("p95 s", 0.95), ("p99 s", 0.99), ("max s", 1.0)] {
                line(name, &|report| report.time.percentile(share));
            }
            if (self.time.len() as u64) < self.seeds.count {
                line("seeds with a time", &|report| report.time.len() as f64);
            }
        }
        line("wrong entries", &|report| report.wrong_entries.sum());
        line("bytes/server/s", &|report| report.bytes.mean());
        line("pushes/server", &|report| report.exchanges.mean());
        for (name, _) in &self.extra {
            let median = |spread: &Spread| spread.percentile(0.5);
            line(&format!("{name} p50"), &|report| report.extra(name).map_or(f64::NAN, median));
            line(&format!("{name} max"), &|report| report.extra(name).map_or(f64::NAN, Spread::max));
        }
        text
    }

    fn heading(&self) -> String {
        let Setup { scenario, servers, interval, v1_share, skewed, master_list, loss } = self.setup;
        let mut text = format!("{}: {servers} servers", scenario.name());
        // Writing to a string cannot fail.
        if self.setup.spare() > 0 {
            let _ = write!(text, " and {} to join", self.setup.spare());
        }
        if v1_share > 0.0 {
            let _ = write!(text, ", {} of version 1", self.setup.versions().0);
        }
        let _ = write!(text, ", {} from {}, interval {} s", self.seeds, self.seeds.first, interval.as_secs_f64());
        if skewed {
            text.push_str(", skewed");
        }
        if !master_list {
            text.push_str(", without a list");
        }
        if scenario == Scenario::Loss {
            let _ = write!(text, ", loss {loss}");
        }
        text.push('\n');
        text
    }
}

fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.2}")
    } else if value.is_nan() {
        "-".into()
    } else {
        "∞".into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::seeds::Seeds;

    #[test]
    fn the_heading_names_what_differs_from_the_defaults() {
        let heading = |setup, count| Report::sum_up(&setup, Seeds { first: 3, count }, &[]).heading();
        let mixed = Setup { skewed: true, master_list: false, ..Setup::new(Scenario::Mixed, 20) };
        assert_eq!(
            heading(mixed, 5),
            "mixed: 20 servers, 10 of version 1, 5 seeds from 3, interval 30 s, skewed, without a list\n"
        );
        let join = Setup { interval: Duration::from_millis(500), ..Setup::new(Scenario::Join, 4) };
        assert_eq!(heading(join, 1), "join: 4 servers and 1 to join, 1 seed from 3, interval 0.5 s\n");
        assert!(heading(Setup::new(Scenario::Loss, 4), 1).ends_with(", loss 0.2\n"));
    }

    #[test]
    fn what_was_not_measured_is_shown_as_a_dash() {
        let report = Report::of(&Setup::new(Scenario::Refute, 3), Seeds { first: 0, count: 2 });
        let text = report.text(Some(&report));
        assert!(text.contains(&format!("p50 s{:>37}{:>14}{:>9}\n", "-", "-", "-")), "{text}");
        assert!(text.contains(&format!("wrong entries{:>29}{:>14}{:>9}\n", "0.00", "0.00", "-")), "{text}");
        assert!(!text.contains("slowest"), "{text}");
    }
}
