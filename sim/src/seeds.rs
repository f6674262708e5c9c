//! Runs the same work for many seeds, on all processors.

use std::fmt;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::output::print_problem;

/// Above how many servers a run gets all of the machine's memory.
const ALONE_ABOVE: usize = 5_000;

/// A range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The first seed.
    pub first: u64,
    /// How many there are.
    pub count: u64,
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seed{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

impl Seeds {
    /// Calls `work` for each seed. The results are in the order of the seeds. If a call panics, `replay` gives the
    /// command that runs its seed again, which is printed.
    pub fn map<R: Send>(
        self,
        threads: usize,
        work: impl Fn(u64) -> R + Sync,
        replay: impl Fn(u64) -> String + Sync,
    ) -> Vec<R> {
        let next = AtomicU64::new(0);
        let results = Mutex::new(Vec::new());
        let run = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= self.count {
                    return;
                }
                let seed = self.first + index;
                let result = panic::catch_unwind(AssertUnwindSafe(|| work(seed))).unwrap_or_else(|panic| {
                    // The other threads stop before the next seed.
                    next.store(self.count, Ordering::Relaxed);
                    print_problem(&format!("a run panicked: {}", replay(seed)));
                    panic::resume_unwind(panic)
                });
                // The lock is poisoned only by a panic, which continues when the scope ends.
                if let Ok(mut results) = results.lock() {
                    results.push((index, result));
                }
            }
        };
        if threads <= 1 {
            // No thread is spawned: the memory of a run is reused only by the next run in the same thread, and the
            // largest runs take most of the machine's memory.
            run();
        } else {
            thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(run))));
        }
        let mut results = results.into_inner().unwrap_or_default();
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

/// How many threads may simulate clusters of this size at the same time.
pub fn threads(servers: usize) -> usize {
    if servers > ALONE_ABOVE { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_seeds() {
        let seeds = Seeds { first: 7, count: 50 };
        assert_eq!(seeds.map(4, |seed| seed, |_| String::new()), (7..57).collect::<Vec<_>>());
    }

    #[test]
    fn a_run_that_panics_names_its_seed() {
        let named = Mutex::new(Vec::new());
        let replay = |seed| {
            named.lock().expect("no panic in here").push(seed);
            format!("seed {seed} panics on purpose")
        };
        let run = || Seeds { first: 0, count: 50 }.map(1, |seed| assert_ne!(seed, 9), replay);
        assert!(panic::catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_eq!(named.into_inner().expect("no panic in there"), [9]);
    }
}
