//! The measurements of a scenario over many seeds.

mod spread;
mod text;

use serde_json::{Map, Value, json};

use crate::scenario::{self, Outcome, Scenario, Setup};
use crate::seeds::{Seeds, threads};

pub use spread::Spread;
use spread::round;

/// The measurements of a scenario over many seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The parameters of the runs.
    pub setup: Setup,
    /// The seeds.
    pub seeds: Seeds,
    /// Seconds until every list was right.
    pub time: Spread,
    /// Seeds for which that never happened.
    pub unfinished: Vec<u64>,
    /// Entries that were wrong at the end, or became wrong again.
    pub wrong_entries: Spread,
    /// Bytes sent and received per server and second.
    pub bytes: Spread,
    /// Exchanges per server from the event until every list was right.
    pub exchanges: Spread,
    /// What only this scenario measures, by name.
    pub extra: Vec<(&'static str, Spread)>,
}

impl Report {
    /// Runs a scenario with each of the seeds.
    pub fn of(setup: &Setup, seeds: Seeds) -> Self {
        let replay = |seed| setup.replay(seed, false);
        let outcomes = seeds.map(threads(setup.servers), |seed| scenario::run(setup, seed), replay);
        Self::sum_up(setup, seeds, &outcomes)
    }

    fn sum_up(setup: &Setup, seeds: Seeds, outcomes: &[Outcome]) -> Self {
        let spread = |value: &dyn Fn(&Outcome) -> Option<f64>| {
            let values = outcomes.iter().zip(seeds.first..);
            Spread::new(values.filter_map(|(outcome, seed)| Some((value(outcome)?, seed))))
        };
        let extra = |name: &str, outcome: &Outcome| {
            outcome.extra.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
        };
        let names = outcomes.first().into_iter().flat_map(|outcome| outcome.extra.iter().map(|(name, _)| *name));
        let time = spread(&|outcome| outcome.seconds);
        Self {
            setup: *setup,
            seeds,
            unfinished: time.infinite_seeds(),
            time,
            wrong_entries: spread(&|outcome| outcome.wrong_entries.map(|wrong| wrong as f64)),
            bytes: spread(&|outcome| Some(outcome.bytes_per_second)),
            exchanges: spread(&|outcome| outcome.exchanges_per_server),
            extra: names.map(|name| (name, spread(&|outcome| extra(name, outcome)))).collect(),
        }
    }

    /// A measurement that only this scenario has.
    pub fn extra(&self, name: &str) -> Option<&Spread> {
        self.extra.iter().find(|(other, _)| *other == name).map(|(_, spread)| spread)
    }

    /// The report as an object, with that of version 1 on the same seeds.
    pub fn json(&self, v1: Option<&Self>) -> Value {
        let extra: Map<_, _> = self.extra.iter().map(|(name, spread)| ((*name).to_owned(), spread.json())).collect();
        let mut object = json!({
            "scenario": self.setup.scenario.name(),
            "n": self.setup.servers,
            "firstSeed": self.seeds.first,
            "seeds": self.seeds.count,
            "interval": self.setup.interval.as_secs_f64(),
            "v1Share": self.setup.v1_share,
            "skewed": self.setup.skewed,
            "masterList": self.setup.master_list,
            "lossShare": (self.setup.scenario == Scenario::Loss).then_some(self.setup.loss),
            "seconds": self.time.worst_seed().map(|_| self.time.json()),
            "slowestSeed": self.time.worst_seed(),
            "unfinished": self.unfinished,
            "wrongEntries": self.wrong_entries.sum(),
            "bytesPerServerAndSecond": round(self.bytes.mean()),
            "pushesPerServer": self.exchanges.json(),
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_seed_measured_is_null() {
        let report = Report::of(&Setup::new(Scenario::Refute, 3), Seeds { first: 0, count: 2 });
        assert_eq!(report.json(None)["seconds"], Value::Null);
    }
}
