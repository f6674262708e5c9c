//! `Workers`: threads for blocking calls (name lookups, file accesses), so that the engine's thread never blocks.
//!
//! Not tokio's pool: it panics if the system has no thread for the first call, and a hung call occupies a thread of it
//! for ever.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::clock;

/// Most working threads.
const MAX_WORKING: usize = 8;
/// After how long a call counts as hung. Then another thread may replace it.
const HUNG_AFTER: Duration = Duration::from_secs(30);
/// Most threads, including hung ones.
const MAX_THREADS: usize = 4 * MAX_WORKING;
/// Most waiting calls. There are at most 128 exchanges at a time.
const MAX_WAITING: usize = 256;
/// How long an idle thread is kept; the last one stays.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// A pool with at least one thread. If the system has no more threads, calls wait. Threads end after the pool is
/// dropped; nobody waits for them, because they may be hung.
pub struct Workers(Arc<Pool>);

struct Pool {
    name: String,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    idle: usize,
    // Since when each busy thread works on its current call.
    busy: BTreeMap<usize, Instant>,
    threads_made: usize,
    is_closed: bool,
}

impl Workers {
    /// Starts the first thread. Fails if the system has none.
    pub fn start(name: &str) -> io::Result<Self> {
        let pool = Pool { name: name.into(), state: Mutex::default(), wake: Condvar::new() };
        let workers = Self(Arc::new(pool));
        workers.add_thread(&mut workers.0.state())?;
        Ok(workers)
    }

    /// Calls `act` on one of the threads. Skips the call if the caller no longer waits.
    pub async fn run<T: Send + 'static>(&self, act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.submit(Box::new(move || {
            if !sender.is_closed() {
                // Fails if the caller no longer waits.
                let _ = sender.send(act());
            }
        }))?;
        receiver.await.unwrap_or_else(|_| Err(io::Error::other("the call panicked")))
    }

    /// Drops a value on one of the threads, because closing a file may block.
    pub fn drop_later(&self, value: impl Send + 'static) {
        // If too many calls wait, it is dropped here.
        let _ = self.submit(Box::new(move || drop(value)));
    }

    fn submit(&self, job: Job) -> io::Result<()> {
        let mut state = self.0.state();
        if state.idle <= state.waiting.len() && state.may_grow() {
            // If the system has no thread, the call waits for an existing one.
            let _ = self.add_thread(&mut state);
        }
        if state.waiting.len() >= MAX_WAITING {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "too many name lookups or file accesses wait"));
        }
        state.waiting.push_back(job);
        drop(state);
        self.0.wake.notify_one();
        Ok(())
    }

    fn add_thread(&self, state: &mut State) -> io::Result<()> {
        let (pool, id) = (Arc::clone(&self.0), state.threads_made);
        std::thread::Builder::new().name(pool.name.clone()).spawn(move || pool.work(id))?;
        state.threads_made += 1;
        state.idle += 1;
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.wake.notify_all();
    }
}

impl State {
    fn may_grow(&self) -> bool {
        let hung = self.busy.values().filter(|since| since.elapsed() >= clock::real(HUNG_AFTER)).count();
        let threads = self.idle + self.busy.len();
        threads - hung < MAX_WORKING && threads < MAX_THREADS
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, id: usize) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                state.idle -= 1;
                state.busy.insert(id, Instant::now());
                drop(state);
                // After a panic nothing is sent, so the caller gets an error.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.state();
                state.busy.remove(&id);
                state.idle += 1;
                continue;
            }
            if state.is_closed {
                return;
            }
            let (woken, wait) = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if wait.timed_out() && state.waiting.is_empty() && state.idle > 1 {
                state.idle -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    /// Occupies a thread until the returned sender is dropped.
    fn hang(workers: &Workers) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let submitted = workers.submit(Box::new(move || {
            begun.send(()).expect("a receiver");
            let _ = released.recv();
        }));
        submitted.expect("room");
        has_begun.recv().expect("a thread takes it");
        release
    }

    #[test]
    fn a_call_that_hangs_does_not_block_others() {
        let workers = Workers::start("test").expect("a thread");
        let hung: Vec<_> = (0..MAX_WORKING - 1).map(|_| hang(&workers)).collect();
        assert_eq!(run(workers.run(|| Ok(7))).expect("it runs"), 7);
        drop(hung);
    }

    #[test]
    fn hung_calls_are_replaced_after_a_while() {
        let workers = Workers::start("test").expect("a thread");
        let hung: Vec<_> = (0..MAX_WORKING).map(|_| hang(&workers)).collect();
        let late = |wait| run(async { tokio::time::timeout(wait, workers.run(|| Ok(7))).await });
        assert!(late(Duration::from_millis(50)).is_err(), "all threads work");
        for since in workers.0.state().busy.values_mut() {
            *since -= HUNG_AFTER;
        }
        assert_eq!(late(Duration::from_secs(20)).expect("in time").expect("it runs"), 7);
        drop(hung);
    }

    #[test]
    fn calls_that_nobody_waits_for_are_not_made() {
        let workers = Workers::start("test").expect("a thread");
        let hung: Vec<_> = (0..MAX_WORKING).map(|_| hang(&workers)).collect();
        let (called, calls) = mpsc::channel();
        let act = move || called.send(()).map_err(io::Error::other);
        assert!(run(async { tokio::time::timeout(Duration::from_millis(50), workers.run(act)).await }).is_err());
        drop(hung);
        run(workers.run(|| Ok(()))).expect("it runs");
        assert!(calls.recv().is_err(), "it was dropped, not called");
    }

    #[test]
    fn the_number_of_waiting_calls_is_bounded() {
        let workers = Workers::start("test").expect("a thread");
        let hung: Vec<_> = (0..MAX_WORKING).map(|_| hang(&workers)).collect();
        for _ in 0..MAX_WAITING {
            workers.submit(Box::new(|| {})).expect("room");
        }
        let error = workers.submit(Box::new(|| {})).expect_err("no room");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(hung);
        while !workers.0.state().waiting.is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(run(workers.run(|| Ok(7))).expect("it runs"), 7);
    }

    #[test]
    fn a_call_that_panics_fails_and_ends_no_thread() {
        let workers = Workers::start("test").expect("a thread");
        for _ in 0..2 * MAX_THREADS {
            let failed: io::Result<()> = run(workers.run(|| panic!("a test panics")));
            assert!(failed.is_err());
        }
    }
}
