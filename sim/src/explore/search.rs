//! The search: all runs of a cluster with at most N surprises, on all processors.
//!
//! A run without surprises takes its usual course: each event in the order of time. At each of its events each surprise is
//! tried, and the run that follows is explored in the same way with one surprise less. A run ends at a state that was
//! visited before with as many surprises left, or [`CALM_FOR`] intervals after the last moment for a surprise.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clustershazbot::message::State as Listed;

use super::canonical::hash;
use super::schedule::{Cluster, Schedule};
use super::state::State;
use super::surprise::Surprise;
use super::visited::{Visit, Visited};
use crate::seeds::threads;
use crate::world::{Version, Violation};

/// For how many intervals surprises may come, and for how many more the run goes on.
const SURPRISES_FOR: u32 = 3;
const CALM_FOR: u32 = 2;
/// After how many intervals more all lists must be right, and of how many runs one is tried.
const RIGHT_WITHIN: u32 = 10;
const HEALS: u64 = 4;
/// More events than this in a run would never end.
const MAX_STEPS: u32 = 5_000;

/// A run that violates an invariant.
#[derive(Debug)]
pub struct Failure {
    pub schedule: Schedule,
    pub violation: Violation,
}

/// What a search has done.
#[derive(Debug, Default)]
pub struct Progress {
    /// Runs that went on to their end.
    pub ends: AtomicUsize,
    /// Ends after which all lists became right.
    pub healed: AtomicUsize,
}

/// The search of one cluster.
pub struct Search<'a> {
    cluster: Cluster,
    visited: &'a Visited,
    progress: &'a Progress,
    // How many states are visited at most.
    limit: usize,
    stops: AtomicBool,
    failure: Mutex<Option<Failure>>,
    end_of_surprises: Duration,
    end: Duration,
}

impl<'a> Search<'a> {
    /// A search that stops when this number of states is visited.
    pub fn new(cluster: Cluster, visited: &'a Visited, progress: &'a Progress, limit: usize) -> Self {
        let stops = AtomicBool::new(false);
        let (end_of_surprises, end) = (Duration::ZERO, Duration::ZERO);
        Self { cluster, visited, progress, limit, stops, failure: Mutex::default(), end_of_surprises, end }
    }

    /// Explores all runs with at most this number of surprises. Returns whether it has finished, or the run that fails.
    pub fn run(mut self, surprises: u8) -> Result<bool, Box<Failure>> {
        let failure = |violation| Box::new(Failure { schedule: Schedule::empty(self.cluster), violation });
        let start = self.cluster.start().map_err(failure)?;
        self.end_of_surprises = start.now + start.interval * SURPRISES_FOR;
        self.end = self.end_of_surprises + start.interval * CALM_FOR;
        let mut first = Vec::new();
        let followed = self.follow(start.clone(), 0, surprises, |state, step, surprise| {
            first.push((state.clone(), step, surprise));
            Ok(())
        });
        followed.map_err(failure)?;
        // If the limit ends the search, what it has tried is spread over all runs.
        first.sort_by_key(|(_, step, surprise)| hash(format!("{step}:{surprise}").as_bytes()));
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..threads(0) {
                scope.spawn(|| {
                    while let Some((state, step, surprise)) = first.get(next.fetch_add(1, Ordering::Relaxed))
                        && !self.stops()
                    {
                        let mut schedule = Vec::new();
                        if let Err(violation) = self.branch(state, *step, *surprise, surprises, &mut schedule) {
                            self.stops.store(true, Ordering::Relaxed);
                            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                            failure.get_or_insert(self.failure(&schedule, violation));
                        }
                    }
                });
            }
        });
        let is_complete = !self.stops();
        match self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure.into()),
            None => Ok(is_complete),
        }
    }

    fn failure(&self, surprises: &[(u32, Surprise)], violation: Violation) -> Failure {
        Failure { schedule: Schedule { cluster: self.cluster, surprises: surprises.to_vec() }, violation }
    }

    fn stops(&self) -> bool {
        self.stops.load(Ordering::Relaxed) || self.visited.len() >= self.limit
    }

    // Tries a surprise, and explores what follows. If that fails, the schedule is how.
    fn branch(
        &self,
        state: &State,
        step: u32,
        surprise: Surprise,
        left: u8,
        schedule: &mut Vec<(u32, Surprise)>,
    ) -> Result<(), Violation> {
        let mut state = state.clone();
        schedule.push((step, surprise));
        let left = left - 1;
        let is_possible = state.next_event().map_or(Ok(false), |event| state.surprise(&event, surprise))?;
        if is_possible && self.visited.visit(state.fingerprint(), left) != Visit::Known {
            self.follow(state, step, left, |state, step, next| self.branch(state, step, next, left, schedule))?;
        }
        schedule.pop();
        Ok(())
    }

    // Follows the usual course from a state, and calls `branch` with each surprise at each event.
    fn follow(
        &self,
        mut state: State,
        mut step: u32,
        left: u8,
        mut branch: impl FnMut(&State, u32, Surprise) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        while let Some(event) = state.next_event().filter(|event| event.at < self.end) {
            if left > 0 && event.at < self.end_of_surprises {
                for surprise in state.surprises(&event) {
                    branch(&state, step, surprise)?;
                }
            }
            if self.stops() {
                return Ok(());
            }
            state.handle(event)?;
            step += 1;
            if step > MAX_STEPS {
                return Err(Violation { invariant: "no spinning", at: state.now, details: format!("{step} events") });
            }
            if self.visited.visit(state.fingerprint(), left) == Visit::Known {
                return Ok(());
            }
        }
        self.progress.ends.fetch_add(1, Ordering::Relaxed);
        if state.fingerprint().is_multiple_of(HEALS) {
            heal(&mut state)?;
            self.progress.healed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Plays a schedule from the state in which its cluster begins, until all lists are right.
pub fn follow_schedule(state: &mut State, surprises: &[(u32, Surprise)]) -> Result<(), Violation> {
    let end = state.now + state.interval * (SURPRISES_FOR + CALM_FOR);
    let mut surprises = surprises.iter().peekable();
    for step in 0..MAX_STEPS {
        while let Some((_, surprise)) = surprises.next_if(|(at, _)| *at == step) {
            let is_possible = state.next_event().map_or(Ok(false), |event| state.surprise(&event, *surprise))?;
            if !is_possible {
                let details = format!("{step}:{surprise} cannot happen there");
                return Err(Violation { invariant: "a schedule that fits", at: state.now, details });
            }
        }
        let Some(event) = state.next_event().filter(|event| event.at < end) else { break };
        state.handle(event)?;
    }
    heal(state)
}

// Lets a cluster go its usual course, and checks that all lists are right in the end.
fn heal(state: &mut State) -> Result<(), Violation> {
    let mut wrong = None;
    // A server draws whether it contacts one that is listed offline: it may have bad luck for once.
    for luck in [1, 1 << 20] {
        let mut healing = state.clone();
        healing.luck = luck;
        let end = state.now + state.interval * RIGHT_WITHIN;
        while healing.next_event().is_some_and(|event| event.at < end) {
            healing.step()?;
        }
        healing.now = end;
        wrong = wrong_list(&healing);
        if wrong.is_none() || luck > 1 {
            *state = healing;
            break;
        }
    }
    wrong.map_or(Ok(()), Err)
}

fn wrong_list(state: &State) -> Option<Violation> {
    let nodes = state.nodes();
    let v2 = || nodes.iter().enumerate().filter(|(_, node)| node.server.version == Version::V2);
    for (observer, observing) in v2().filter(|(_, node)| node.server.is_up()) {
        let process = observing.server.process.as_ref()?;
        for (subject, node) in v2() {
            let expected = if node.server.is_available() { Listed::Online } else { Listed::Offline };
            let found = process.state(node.server.url());
            if found != expected {
                let details = format!("server {observer} lists {subject} as {found:?}, which is {expected:?}");
                return Some(Violation { invariant: "all lists become right", at: state.now, details });
            }
        }
    }
    None
}
