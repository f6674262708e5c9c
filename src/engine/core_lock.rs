//! `CoreLock`: the only access to the core. Holds it behind a lock, catches its panics, and wakes the engine's thread.
//!
//! The lock is held while the core works (microseconds, or longer for a large message) and never across an await.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::redact::Redactor;
use crate::clock::{Clock, Now};
use crate::error::Error;
use crate::protocol::{Action, Core, Event, MemberEvent, MemberEventKind};

/// Most member events that the program gets in one call.
const MAX_EVENTS: usize = 250;

/// The pause between two parts of a long message, in which others get the core. A mutex is not fair: without a pause the
/// same thread gets it again.
pub const PAUSE: Duration = Duration::from_millis(1);

pub struct CoreLock {
    inner: Mutex<Inner>,
    pub clock: Clock,
    wake: Notify,
    stopped: AtomicBool,
    // Why the engine has failed.
    failure: OnceLock<Error>,
    redactor: Arc<Redactor>,
}

struct Inner {
    core: Core,
    // Events that are not reported yet.
    events: Vec<Event>,
    // Member events that the program has not taken yet. The program takes them later than the thread reports them, and
    // under the lock under which it reads the lists. A hung program cannot pile them up: after 5 s without a heartbeat
    // the core stops gossiping.
    member_events: Vec<MemberEvent>,
}

/// What the engine's thread must do.
pub struct Work {
    pub actions: Vec<Action>,
    pub events: Vec<Event>,
    /// The time until the next timer of the core.
    pub wait: Option<Duration>,
}

impl CoreLock {
    /// `core` creates the core.
    pub fn new(clock: Clock, redactor: Arc<Redactor>, core: impl FnOnce(Now) -> Core) -> Self {
        let core = core(clock.now());
        Self {
            inner: Mutex::new(Inner { core, events: Vec::new(), member_events: Vec::new() }),
            clock,
            wake: Notify::new(),
            stopped: AtomicBool::new(false),
            failure: OnceLock::new(),
            redactor,
        }
    }

    /// Calls `act` with the core. A panic is a bug in the core: every later call fails.
    pub fn with<R>(&self, act: impl FnOnce(&mut Core, Now) -> R) -> Result<R, Error> {
        self.with_inner(|inner, now| act(&mut inner.core, now))
    }

    /// Runs the core's timers and takes its output.
    pub fn work(&self) -> Result<Work, Error> {
        self.with_inner(|inner, now| {
            inner.core.handle_timeout(now);
            inner.collect();
            Work {
                actions: std::iter::from_fn(|| inner.core.poll_action()).collect(),
                events: std::mem::take(&mut inner.events),
                wait: inner.core.poll_timeout().map(|at| at.saturating_sub(now.mono)),
            }
        })
    }

    /// The oldest member events that the program has not taken yet.
    pub fn take_member_events(&self) -> Result<Vec<MemberEvent>, Error> {
        self.with_inner(|inner, _| {
            inner.collect();
            let rest = inner.member_events.split_off(inner.member_events.len().min(MAX_EVENTS));
            std::mem::replace(&mut inner.member_events, rest)
        })
    }

    /// Resolves when the engine's thread has something to do.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Waits for a future until [`Self::stop`] is called.
    pub async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        while !self.is_stopped() {
            tokio::select! {
                value = &mut future => return Some(value),
                () = self.woken() => {}
            }
        }
        None
    }

    /// Ends the engine's thread.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Makes every later call fail with this error. The first error wins.
    pub fn fail(&self, error: Error) {
        // A later failure is a consequence of the first.
        let _ = self.failure.set(error);
    }

    pub fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// The error for a panic. Its text may quote a peer.
    pub fn panicked(&self, panic: &(dyn Any + Send)) -> Error {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked");
        Error::Failed(self.redactor.redact(text))
    }

    fn with_inner<R>(&self, act: impl FnOnce(&mut Inner, Now) -> R) -> Result<R, Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: a call that waited for one that panicked must not get the core.
        if let Some(error) = self.failure.get() {
            return Err(error.clone());
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let before = inner.core.poll_timeout();
            let result = act(&mut inner, self.clock.now());
            let core = &inner.core;
            // The thread sleeps until `before`.
            let is_earlier = core.poll_timeout().is_some_and(|at| before.is_none_or(|before| at < before));
            (result, core.has_output() || is_earlier)
        }));
        let (result, wake) = match outcome {
            Ok((result, wake)) => (Ok(result), wake),
            Err(panic) => {
                let error = self.panicked(&*panic);
                self.fail(error.clone());
                (Err(error), true)
            }
        };
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
        result
    }
}

impl Inner {
    fn collect(&mut self) {
        while let Some(event) = self.core.poll_event() {
            if let Event::Member(event) = &event
                && event.kind != MemberEventKind::Tombstone
            {
                self.member_events.push(event.clone());
            }
            self.events.push(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::config::{Config, Environment};
    use crate::engine::shared::Shared;

    fn shared() -> Shared {
        let variables = [
            ("SHAZBOT_SECRET", "a gossip secret"),
            ("SHAZBOT_CONTROL_SECRET", "a control secret"),
            ("SHAZBOT_BASE_URL", "http://own/"),
            ("SHAZBOT_MASTER_LIST", "file:///list.json"),
        ];
        let environment: Environment = variables.map(|(name, value)| (name.into(), value.into())).into();
        let config = Config::from_environment(&environment).expect("valid");
        Shared::new(config, Box::new(|_| {}), Box::new(|_, _| {}), Clock::new(), 1)
    }

    #[test]
    fn a_call_that_waits_while_another_panics_fails_with_the_cause_and_does_not_get_the_core() {
        let shared = shared();
        let (locked, is_locked) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                shared.core.with(move |_, _| {
                    locked.send(()).expect("a receiver");
                    let _ = released.recv();
                    // Long enough for the other call to reach the lock. If it does not, the test proves less.
                    std::thread::sleep(Duration::from_millis(50));
                    panic!("a test panics with a gossip secret");
                })
            });
            is_locked.recv().expect("it holds the lock");
            let waits = scope.spawn(|| {
                drop(release);
                shared.core.with(|_, _| ())
            });
            let expected = Error::Failed("a test panics with ***".into());
            let failed: Result<(), Error> = panics.join().expect("it is caught");
            assert_eq!(failed, Err(expected.clone()));
            assert_eq!(waits.join().expect("no panic"), Err(expected.clone()));
            assert_eq!(shared.core.work().err(), Some(expected));
        });
    }

    #[test]
    fn a_start_that_is_awaited_after_the_engine_failed_rejects_with_the_reason() {
        let shared = shared();
        let lacking = Error::NoResources { reason: "no thread".into(), number: Some(11) };
        shared.finish(&Err(lacking.clone()));
        let (done, result) = mpsc::channel();
        shared.started.wait(Box::new(move |result| done.send(result).expect("a receiver")));
        assert_eq!(result.recv().expect("it is called"), Err(lacking.clone()));
        assert_eq!(shared.core.with(|_, _| ()), Err(lacking));
    }
}
