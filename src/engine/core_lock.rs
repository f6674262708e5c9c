//! `CoreLock`: the one way to the core. Holds it behind a lock, catches its panics, and wakes the engine's thread.
//!
//! The lock is held as long as the core needs, microseconds up to the time for a large message, and never across an await.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Now};
use crate::error::Error;
use crate::protocol::{Action, Core, Event, MemberEvent};

/// Most member events that the program gets in one call, so that it keeps no more than it handles.
const MAX_EVENTS: usize = 250;

pub struct CoreLock {
    inner: Mutex<Inner>,
    pub clock: Clock,
    wake: Notify,
    stopped: AtomicBool,
    failed: AtomicBool,
}

struct Inner {
    core: Core,
    // Events that are not yet reported.
    events: Vec<Event>,
    // Member events that the program has not yet taken. They cannot pile up while the program hangs: after 5 s without a
    // heartbeat the core gossips with nobody, so nothing new comes in.
    member_events: Vec<MemberEvent>,
}

/// What the engine's thread has to do.
pub struct Work {
    pub actions: Vec<Action>,
    pub events: Vec<Event>,
    /// How long until the next timer of the core.
    pub wait: Option<Duration>,
}

impl CoreLock {
    /// `core` makes the core at the present moment.
    pub fn new(clock: Clock, core: impl FnOnce(Now) -> Core) -> Self {
        let core = core(clock.now());
        Self {
            inner: Mutex::new(Inner { core, events: Vec::new(), member_events: Vec::new() }),
            clock,
            wake: Notify::new(),
            stopped: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Calls `act` with the core. A panic in the core is a bug: the core is not used again, and every later call fails.
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

    /// The oldest member events that the program has not yet taken.
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

    /// Waits for a future, but not after a call of [`Self::stop`].
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

    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn with_inner<R>(&self, act: impl FnOnce(&mut Inner, Now) -> R) -> Result<R, Error> {
        if self.has_failed() {
            return Err(Error::Failed);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let before = inner.core.poll_timeout();
            let result = act(&mut inner, self.clock.now());
            let core = &inner.core;
            // The thread sleeps until `before`.
            let is_earlier = core.poll_timeout().is_some_and(|at| before.is_none_or(|before| at < before));
            (result, core.has_output() || is_earlier)
        }));
        let (result, wake) = if let Ok((result, wake)) = outcome {
            (Ok(result), wake)
        } else {
            self.fail();
            (Err(Error::Failed), true)
        };
        if wake {
            self.wake.notify_one();
        }
        result
    }
}

impl Inner {
    fn collect(&mut self) {
        while let Some(event) = self.core.poll_event() {
            if let Event::Member(event) = &event {
                self.member_events.push(event.clone());
            }
            self.events.push(event);
        }
    }
}
