//! The clusters that are explored, and schedules: what happens in a run, as text that can be played again.

use std::fmt;
use std::time::Duration;

use super::state::{Node, State};
use super::surprise::Surprise;
use crate::world::{Version, Violation};

/// The gossip interval: short, so that timeouts are as long as the interval and much happens at the same time. And the default
/// interval, at which watches and timeouts are shorter than it.
const INTERVAL: Duration = Duration::from_secs(2);
const LONG_INTERVAL: Duration = Duration::from_secs(30);
/// For how long the servers of a cluster run before the exploration begins. They look for what has expired once a minute: that
/// is part of it.
const SETTLED_AFTER: Duration = Duration::from_secs(59);
const LONG_SETTLED_AFTER: Duration = Duration::from_secs(329);

/// A cluster that is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// Two servers that know each other.
    Two,
    /// Three servers that know each other.
    Three,
    /// Two servers and one of version 1 that know each other.
    Mixed,
    /// Three servers that start.
    Starting,
    /// Two servers that know each other, at the default interval.
    Slow,
}

impl Cluster {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Two, Self::Three, Self::Mixed, Self::Starting, Self::Slow];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Two => "two",
            Self::Three => "three",
            Self::Mixed => "mixed",
            Self::Starting => "starting",
            Self::Slow => "slow",
        }
    }

    /// The cluster with a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The state from which the exploration begins.
    pub fn start(self) -> Result<State, Violation> {
        let versions: &[_] = match self {
            Self::Two | Self::Slow => &[Version::V2; 2],
            Self::Three | Self::Starting => &[Version::V2; 3],
            Self::Mixed => &[Version::V2, Version::V2, Version::V1],
        };
        let (interval, settled) = match self {
            Self::Two | Self::Three | Self::Mixed => (INTERVAL, SETTLED_AFTER),
            Self::Starting => (INTERVAL, Duration::ZERO),
            Self::Slow => (LONG_INTERVAL, LONG_SETTLED_AFTER),
        };
        let state = State::new(versions, interval);
        let mut state =
            state.ok_or(Violation { invariant: "valid settings", at: Duration::ZERO, details: String::new() })?;
        while state.next_event().is_some_and(|event| event.at < settled) {
            state.step()?;
        }
        state.now = settled;
        if self != Self::Starting {
            let know = |by: &Node| state.nodes().iter().all(|it| by.server.entry(it.server.url()).is_some());
            assert!(state.nodes().iter().all(|node| know(node)), "the servers of {} know each other", self.name());
        }
        Ok(state)
    }
}

/// What happens in a run: surprises, each before the event with this number. All else goes its usual course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub cluster: Cluster,
    pub surprises: Vec<(u32, Surprise)>,
}

impl Schedule {
    /// The usual course.
    pub fn empty(cluster: Cluster) -> Self {
        Self { cluster, surprises: Vec::new() }
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let cluster = Cluster::find(name).ok_or_else(|| format!("there is no cluster {name:?}"))?;
        let surprise = |word: &str| {
            let (step, name) = word.split_once(':')?;
            Some((step.parse().ok()?, Surprise::parse(name)?))
        };
        let read = |word: &str| surprise(word).ok_or_else(|| format!("{word:?} is not a step of a schedule"));
        let surprises: Vec<(u32, Surprise)> = words.map(read).collect::<Result<_, _>>()?;
        if !surprises.is_sorted_by_key(|(step, _)| step) {
            return Err(String::from("the steps of a schedule must ascend"));
        }
        Ok(Self { cluster, surprises })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cluster.name())?;
        self.surprises.iter().try_for_each(|(step, surprise)| write!(f, " {step}:{surprise}"))
    }
}
