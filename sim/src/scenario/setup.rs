//! The parameters of a run: the scenario, and the cluster that it happens to.

use std::fmt::Write as _;
use std::time::Duration;

use super::catalogue::Scenario;

/// The default gossip interval.
pub const INTERVAL: Duration = Duration::from_secs(30);
/// The share of exchanges that the scenario loss loses by default.
const LOSS: f64 = 0.2;
/// How many servers crash in the scenario crash-loop.
const CRASHES: usize = 5;
/// Up to how many servers version 1's policy is run for comparison.
const V1_UP_TO: usize = 300;

/// The parameters of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// What happens.
    pub scenario: Scenario,
    /// How many servers the cluster has. A server that joins is not included.
    pub servers: usize,
    /// The gossip interval.
    pub interval: Duration,
    /// The share of servers that run version 1.
    pub v1_share: f64,
    /// Whether clocks are an hour wrong, alternately fast and slow.
    pub skewed: bool,
    /// Whether there is a master list once the cluster has formed. Until then there always is.
    pub master_list: bool,
    /// The share of exchanges that [`Scenario::Loss`] loses.
    pub loss: f64,
}

impl Setup {
    /// A cluster of version 2 at the default interval, or what the scenario needs.
    pub fn new(scenario: Scenario, servers: usize) -> Self {
        let v1_share = if scenario == Scenario::Mixed { 0.5 } else { 0.0 };
        let (skewed, master_list) = (scenario == Scenario::Skew, scenario != Scenario::Partition);
        Self { scenario, servers, interval: INTERVAL, v1_share, skewed, master_list, loss: LOSS }
    }

    /// How many servers can join, in addition to those of the cluster.
    pub fn spare(&self) -> usize {
        match self.scenario {
            Scenario::Join | Scenario::LateListen | Scenario::Unreachable => 1,
            Scenario::Churn => self.servers.div_ceil(4),
            Scenario::CrashLoop => CRASHES,
            Scenario::Deploy => self.servers * super::deploy::DEPLOYMENTS,
            _ => 0,
        }
    }

    /// How many servers run version 1 and how many version 2, including those that can join.
    pub fn versions(&self) -> (usize, usize) {
        let total = self.servers + self.spare();
        let v1 = (total as f64 * self.v1_share).round() as usize;
        (v1, total - v1)
    }

    /// Whether all servers run version 1.
    pub fn is_all_v1(&self) -> bool {
        self.v1_share >= 1.0
    }

    /// Whether version 1's policy can be run for comparison.
    pub fn is_comparable(&self) -> bool {
        !self.is_all_v1() && self.servers <= V1_UP_TO
    }

    /// The command that runs one seed again, with or without the comparison with version 1.
    pub fn replay(&self, seed: u64, compare: bool) -> String {
        let Self { scenario, servers, interval, v1_share, skewed, master_list, loss } = *self;
        let default = Self::new(scenario, servers);
        let mut command = format!("npm run sim -- --scenario {} --n {servers} --seed {seed}", scenario.name());
        // Writing to a string cannot fail.
        if interval != default.interval {
            let _ = write!(command, " --interval {}", interval.as_secs_f64());
        }
        if (v1_share - default.v1_share).abs() > f64::EPSILON {
            let _ = write!(command, " --v1 {v1_share}");
        }
        if skewed != default.skewed {
            command.push_str(" --skew");
        }
        if master_list != default.master_list {
            command.push_str(" --no-list");
        }
        if (loss - default.loss).abs() > f64::EPSILON {
            let _ = write!(command, " --loss {loss}");
        }
        if !compare && self.is_comparable() {
            command.push_str(" --no-v1");
        }
        command
    }
}
