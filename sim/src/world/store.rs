//! Where the master list is: a file on some web server, which takes whatever is written last, or heeds conditions.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;

use clustershazbot::message::{Entry, State};
use clustershazbot::protocol::WriteError;

/// How long a read or a write takes, ms.
const LATENCY: std::ops::RangeInclusive<u64> = 5..=100;
/// How much longer than its caller waits a slow store takes at most.
const SLOW: Duration = Duration::from_secs(20);

/// How a store fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Fine,
    /// It answers nothing but errors.
    Failing,
    /// It answers when nobody waits any more; what was written is written by then.
    Slow,
}

/// A store of a master list.
#[derive(Debug)]
pub struct Store {
    /// How it fares.
    pub condition: Condition,
    /// Who alone is served; None serves all.
    pub only: Option<usize>,
    /// Whether it refuses what was joined with a list that is no longer there.
    pub heeds_conditions: bool,
    list: Arc<Vec<Entry>>,
    version: u64,
}

/// When an access is over, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// When the caller learns of it.
    pub told: Duration,
    /// When it takes effect, if it ever does.
    pub done: Option<Duration>,
    /// Whether the caller is told that it worked.
    pub works: bool,
}

impl Store {
    /// A store that works and holds an empty list.
    pub fn new() -> Self {
        Self { condition: Condition::Fine, only: None, heeds_conditions: true, list: Arc::default(), version: 0 }
    }

    /// How a read or a write goes that begins now.
    pub fn access(&self, server: usize, now: Duration, timeout: Duration, rng: &mut SmallRng) -> Access {
        let soon = now + Duration::from_millis(rng.random_range(LATENCY));
        match self.condition {
            _ if self.only.is_some_and(|only| only != server) => Access { told: soon, done: None, works: false },
            Condition::Fine => Access { told: soon, done: Some(soon), works: true },
            Condition::Failing => Access { told: soon, done: None, works: false },
            Condition::Slow => {
                let late = now + timeout + SLOW.mul_f64(rng.random_range(0.0..1.0));
                Access { told: now + timeout, done: Some(late), works: false }
            }
        }
    }

    /// What it holds.
    pub fn read(&self) -> Vec<Entry> {
        self.list.to_vec()
    }

    /// Which of all lists that it has held it holds.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Replaces what it holds, if that is still of the version that is asked for: a master list names the online servers
    /// alone.
    pub fn write(&mut self, entries: Vec<Entry>, condition: Option<u64>) -> Result<(), WriteError> {
        if self.heeds_conditions && condition.is_some_and(|version| version != self.version) {
            return Err(WriteError::Conflict);
        }
        self.put(entries);
        Ok(())
    }

    /// The same, whatever it holds.
    pub fn put(&mut self, entries: Vec<Entry>) {
        self.list = Arc::new(entries.into_iter().filter(|entry| entry.state == State::Online).collect());
        self.version += 1;
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}
