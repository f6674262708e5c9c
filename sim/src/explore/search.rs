//! The search: all runs of a cluster with at most N surprises, on all processors.
//!
//! A run without surprises takes its usual course: each event in the order of time. At each of its events each surprise is
//! tried, and the run that follows is explored in the same way with one surprise less. A run ends at a state that was
//! visited before with as many surprises left, or [`CALM_FOR`] intervals after the last moment for a surprise.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clustershazbot::membership::effective_incarnation;
use clustershazbot::message::{Entry, State as Listed};

use super::canonical::hash;
use super::schedule::{Cluster, Schedule};
use super::state::{Node, State};
use super::surprise::Surprise;
use super::visited::{Visit, Visited};
use crate::seeds::threads;
use crate::world::{Version, Violation};

/// For how many intervals surprises may come, at least for how long, and for how many intervals more the run goes on. A second
/// surprise may then come after a process has been suspended, or started again late.
const SURPRISES_FOR: u32 = 3;
const LEAST_TIME: Duration = Duration::from_secs(12);
const CALM_FOR: u32 = 2;
/// One state in this many is continued without surprises.
const SAMPLE: u64 = 512;
/// After how many intervals without surprises all lists must be right.
const RIGHT_WITHIN: u32 = 10;
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
    /// States after which all lists became right.
    pub healed: AtomicUsize,
}

/// When the surprises of a run end, and when the run does.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    surprises: Duration,
    run: Duration,
}

impl Ends {
    fn of(start: &State) -> Self {
        let surprises = start.now + (start.interval * SURPRISES_FOR).max(LEAST_TIME);
        Self { surprises, run: surprises + start.interval * CALM_FOR }
    }
}

/// How far a search came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The limit came in the run without surprises.
    Nothing,
    /// Of so many first surprises all continuations were tried, of all that there are.
    First(usize, usize),
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
    ends: Ends,
}

impl<'a> Search<'a> {
    /// A search that stops when this number of states is visited.
    pub fn new(cluster: Cluster, visited: &'a Visited, progress: &'a Progress, limit: usize) -> Self {
        let stops = AtomicBool::new(false);
        Self { cluster, visited, progress, limit, stops, failure: Mutex::default(), ends: Ends::default() }
    }

    /// Explores all runs with at most this number of surprises. Returns how far it came, or the run that fails.
    pub fn run(mut self, surprises: u8) -> Result<Tried, Box<Failure>> {
        let failure = |violation| Box::new(Failure { schedule: Schedule::empty(self.cluster), violation });
        let start = self.cluster.start().map_err(failure)?;
        self.ends = Ends::of(&start);
        let mut first = Vec::new();
        let followed = self.follow(start.clone(), 0, surprises, |state, step, surprise| {
            first.push((state.clone(), step, surprise));
            Ok(())
        });
        followed.map_err(failure)?;
        let is_cut = self.stops();
        // If the limit ends the search, what it has tried is spread over all runs.
        first.sort_by_key(|(_, step, surprise)| hash(format!("{step}:{surprise}").as_bytes()));
        let (next, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
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
                        tried.fetch_add(usize::from(!self.stops()), Ordering::Relaxed);
                    }
                });
            }
        });
        match self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure.into()),
            None if is_cut => Ok(Tried::Nothing),
            None => Ok(Tried::First(tried.into_inner(), first.len())),
        }
    }

    fn failure(&self, surprises: &[(u32, Surprise)], violation: Violation) -> Failure {
        Failure { schedule: Schedule { cluster: self.cluster, surprises: surprises.to_vec() }, violation }
    }

    fn stops(&self) -> bool {
        self.stops.load(Ordering::Relaxed) || self.visited.len() >= self.limit
    }

    fn visit(&self, state: &mut State, left: u8) -> Visit {
        self.visited.visit(state.fingerprint() ^ hash(self.cluster.name().as_bytes()), left)
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
        if surprise == Surprise::Calm {
            heal(&mut state)?;
            self.progress.healed.fetch_add(1, Ordering::Relaxed);
            schedule.pop();
            return Ok(());
        }
        let left = left - 1;
        let is_possible = state.next_event().map_or(Ok(false), |event| state.surprise(&event, surprise))?;
        if is_possible && self.visit(&mut state, left) != Visit::Known {
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
        while let Some(event) = state.next_event().filter(|event| event.at < self.ends.run) {
            if state.fingerprint().is_multiple_of(SAMPLE) {
                branch(&state, step, Surprise::Calm)?;
            }
            if left > 0 && event.at < self.ends.surprises {
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
                return Err(spinning(&state));
            }
            if self.visit(&mut state, left) == Visit::Known {
                return Ok(());
            }
        }
        self.progress.ends.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Plays a schedule from the state in which its cluster begins, until all lists are right.
pub fn follow_schedule(state: &mut State, surprises: &[(u32, Surprise)]) -> Result<(), Violation> {
    let ends = Ends::of(state);
    let mut surprises = surprises.iter().peekable();
    for step in 0..MAX_STEPS {
        state.steps = step;
        while let Some((_, surprise)) = surprises.next_if(|(at, _)| *at == step) {
            if *surprise == Surprise::Calm {
                return heal(state);
            }
            let is_possible = state.next_event().map_or(Ok(false), |event| state.surprise(&event, *surprise))?;
            if !is_possible {
                let event = state.next_event().map_or_else(|| "nothing".into(), |event| event.kind.to_string());
                let details = format!("{step}:{surprise} cannot happen when {event}");
                return Err(Violation { invariant: "a schedule that fits", at: state.now, details });
            }
        }
        let Some(event) = state.next_event().filter(|event| event.at < ends.run) else { break };
        state.handle(event)?;
    }
    if let Some((step, surprise)) = surprises.next() {
        let details = format!("the run ends before {step}:{surprise}");
        return Err(Violation { invariant: "a schedule that fits", at: state.now, details });
    }
    heal(state)
}

// Lets a cluster go its usual course, and checks that all lists are right in the end.
fn heal(state: &mut State) -> Result<(), Violation> {
    let end = state.end_of_faults() + state.interval * RIGHT_WITHIN;
    // Without surprises a server draws other random numbers each time: the same ones might never let it contact another.
    state.seed_offset = 1 << 20;
    state.note(|_| "no more surprises".into());
    for _ in 0..MAX_STEPS {
        if state.next_event().is_none_or(|event| event.at >= end) {
            state.now = end;
            return wrong_list(state).map_or(Ok(()), Err);
        }
        state.steps += 1;
        state.step()?;
    }
    Err(spinning(state))
}

fn spinning(state: &State) -> Violation {
    Violation { invariant: "no spinning", at: state.now, details: format!("over {MAX_STEPS} events") }
}

// What a server of version 2 lists wrongly, or differently from another one.
pub fn wrong_list(state: &State) -> Option<Violation> {
    let violation = |details| Some(Violation { invariant: "all lists become right", at: state.now, details });
    let observers = state.nodes().iter().enumerate().filter(|(_, node)| node.server.version == Version::V2);
    let observers = observers.filter(|(_, node)| node.server.is_up());
    // Version 1 forgets its drain when another server lists it online, and knows only stamps, by its own clock.
    let is_judged = |node: &Node| {
        node.server.version == Version::V2 || (node.server.intended == Listed::Online && !node.has_stepped)
    };
    for (subject, node) in state.nodes().iter().enumerate().filter(|(_, node)| is_judged(node)) {
        let expected = if node.server.is_available() { Listed::Online } else { Listed::Offline };
        let mut first: Option<(usize, &Entry)> = None;
        for (observer, observing) in observers.clone() {
            let found = observing.server.process.as_ref().and_then(|process| process.entry(node.server.url()));
            let listed = found.map_or(Listed::Offline, |entry| entry.state);
            if listed != expected {
                return violation(format!("server {observer} lists {subject} as {listed:?}, which is {expected:?}"));
            }
            // The stamps of a version 1 server are news from moment to moment.
            let Some(found) = found.filter(|entry| entry.v2.is_some()) else { continue };
            let version = |entry: &Entry| (entry.instance(), effective_incarnation(entry));
            if let Some((other, it)) = first.filter(|(_, it)| version(it) != version(found)) {
                return violation(format!("servers {other} and {observer} list {subject} as {it:?} and {found:?}"));
            }
            first = Some((observer, found));
        }
    }
    None
}
