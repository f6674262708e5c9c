//! The store of the master list: a web server with one file, with or without conditional writes.

use std::sync::Arc;
use std::time::Duration;

use clustershazbot::message::{Entry, ServerUrl, State};
use clustershazbot::protocol::WriteError;
use rand::RngExt;
use rand::rngs::SmallRng;

use super::server::EPOCH;

/// How long a read or a write takes, in ms.
const LATENCY: std::ops::RangeInclusive<u64> = 5..=100;
/// How long at most after the client's timeout a slow store answers.
const SLOW: Duration = Duration::from_secs(20);
/// How long before the run a list was written that exists from the start, in ms. It is older than any clock of the run,
/// since clocks are up to an hour slow.
const INITIAL_LIST_AGE: u64 = 2 * 3_600_000;

/// How well the store works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It answers at once.
    Up,
    /// It answers every request with an error.
    Failing,
    /// It answers after its client's timeout. A write has taken effect by then.
    Slow,
}

/// Which servers the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// All of them.
    All,
    /// Only this one. The others see errors.
    Only(usize),
    /// None of them.
    None,
}

/// The store of a master list.
#[derive(Debug)]
pub struct ListStore {
    /// How well it works.
    pub availability: Availability,
    /// Which servers it answers.
    pub clients: Clients,
    /// Whether it rejects a write that is based on an outdated revision.
    pub supports_conditions: bool,
    entries: Arc<Vec<Entry>>,
    revision: u64,
}

/// When a read or a write ends, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// When the client receives the answer, or gives up.
    pub answered_at: Duration,
    /// When the write takes effect, if it ever does.
    pub applied_at: Option<Duration>,
    /// Whether the client is told that it worked.
    pub succeeds: bool,
}

impl ListStore {
    /// A store that works and holds an empty list.
    pub fn new() -> Self {
        Self {
            availability: Availability::Up,
            clients: Clients::All,
            supports_conditions: true,
            entries: Arc::default(),
            revision: 0,
        }
    }

    /// Serves one server, if only some are served.
    pub fn admit(&mut self, server: usize) {
        if self.clients != Clients::All {
            self.clients = Clients::Only(server);
        }
    }

    fn serves(&self, server: usize) -> bool {
        match self.clients {
            Clients::All => true,
            Clients::Only(only) => only == server,
            Clients::None => false,
        }
    }

    /// Decides how a read or a write goes that begins now.
    pub fn access(&self, server: usize, now: Duration, timeout: Duration, rng: &mut SmallRng) -> Access {
        let soon = now + Duration::from_millis(rng.random_range(LATENCY));
        match self.availability {
            _ if !self.serves(server) => Access { answered_at: soon, applied_at: None, succeeds: false },
            Availability::Up => Access { answered_at: soon, applied_at: Some(soon), succeeds: true },
            Availability::Failing => Access { answered_at: soon, applied_at: None, succeeds: false },
            Availability::Slow => {
                let late = now + timeout + SLOW.mul_f64(rng.random_range(0.0..1.0));
                Access { answered_at: now + timeout, applied_at: Some(late), succeeds: false }
            }
        }
    }

    /// The entries of the list.
    pub fn read(&self) -> Vec<Entry> {
        self.entries.to_vec()
    }

    /// The number of writes so far.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Replaces the list. With `if_revision`, only if the list is still at that revision.
    pub fn write(&mut self, entries: Vec<Entry>, if_revision: Option<u64>) -> Result<(), WriteError> {
        if self.supports_conditions && if_revision.is_some_and(|revision| revision != self.revision) {
            return Err(WriteError::Conflict);
        }
        self.replace(entries);
        Ok(())
    }

    /// Replaces the list unconditionally. A master list names online servers only.
    pub fn replace(&mut self, entries: Vec<Entry>) {
        self.entries = Arc::new(entries.into_iter().filter(|entry| entry.state == State::Online).collect());
        self.revision += 1;
    }

    /// Replaces the list by one that was written before the run began and names these servers.
    pub fn fill<'a>(&mut self, urls: impl IntoIterator<Item = &'a ServerUrl>) {
        let stamp = EPOCH - INITIAL_LIST_AGE;
        let entry = |url: &ServerUrl| Entry { url: url.clone(), monitor: false, state: State::Online, stamp, v2: None };
        self.replace(urls.into_iter().map(entry).collect());
    }
}
