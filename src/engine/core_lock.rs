//! `CoreLock`: the only access to the core. Holds it behind a lock, catches its panics, and wakes the engine's thread.
//!
//! The lock is held while the core works (microseconds, or longer for a large message) and never across an await.

use std::any::Any;
use std::collections::VecDeque;
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
/// Most events that the engine's thread reports before it carries out the next actions: each takes up to 50 µs.
const MAX_REPORTED: usize = 100;
/// Most events that wait to be reported. Further ones that only make a log record, or that are repeated while their cause
/// lasts, are dropped and counted.
const MAX_WAITING: usize = 5_000;
/// While the program has not taken this many member events, incoming messages are refused. Twice the largest cluster.
const MAX_UNTAKEN: usize = 50_000;

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
    // What the engine's thread reports next.
    reports: Reports,
    // Member events that the program has not taken yet. The program takes them later than the thread reports them, and
    // under the lock under which it reads the lists. A hung program cannot pile them up: after 5 s without a heartbeat
    // the core stops gossiping.
    member_events: VecDeque<MemberEvent>,
}

/// Events for the engine's thread to report.
#[derive(Debug, Default)]
pub struct Reports {
    pub events: VecDeque<Event>,
    /// How many events were dropped because too many waited.
    pub dropped: u64,
    /// The first round is over.
    pub has_started: bool,
    /// The leave is over.
    pub has_left: bool,
}

/// What the engine's thread must do.
pub struct Work {
    pub actions: Vec<Action>,
    pub reports: Reports,
    /// Whether more events wait.
    pub has_more: bool,
    /// The time until the next timer of the core.
    pub wait: Option<Duration>,
}

impl CoreLock {
    /// `core` creates the core.
    pub fn new(clock: Clock, redactor: Arc<Redactor>, core: impl FnOnce(Now) -> Core) -> Self {
        let core = core(clock.now());
        Self {
            inner: Mutex::new(Inner { core, reports: Reports::default(), member_events: VecDeque::new() }),
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
            let reports = inner.reports.take(MAX_REPORTED);
            Work {
                actions: std::iter::from_fn(|| inner.core.poll_action()).collect(),
                reports,
                has_more: !inner.reports.events.is_empty(),
                wait: inner.core.poll_timeout().map(|at| at.saturating_sub(now.mono)),
            }
        })
    }

    /// The oldest member events that the program has not taken yet.
    pub fn take_member_events(&self) -> Result<Vec<MemberEvent>, Error> {
        self.with_inner(|inner, _| {
            let count = inner.member_events.len().min(MAX_EVENTS);
            inner.member_events.drain(..count).collect()
        })
    }

    /// Fails while the program has too many member events to take: a peer can cause them faster than listeners handle
    /// them.
    pub fn admit_events(&self) -> Result<(), Error> {
        let untaken = self.with_inner(|inner, _| inner.member_events.len())?;
        if untaken < MAX_UNTAKEN { Ok(()) } else { Err(Error::Overloaded) }
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
            inner.collect();
            // The thread sleeps until `before`.
            let is_earlier = inner.core.poll_timeout().is_some_and(|at| before.is_none_or(|before| at < before));
            (result, inner.core.has_output() || !inner.reports.is_empty() || is_earlier)
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
    // Takes the events of the core, so that they are bounded here.
    fn collect(&mut self) {
        while let Some(event) = self.core.poll_event() {
            if let Event::Member(event) = &event
                && event.kind != MemberEventKind::Tombstone
            {
                self.member_events.push_back(event.clone());
            }
            self.reports.add(event);
        }
    }
}

impl Reports {
    fn add(&mut self, event: Event) {
        match event {
            Event::Started => self.has_started = true,
            Event::Left => self.has_left = true,
            event if self.events.len() >= MAX_WAITING && may_be_dropped(&event) => self.dropped += 1,
            event => self.events.push_back(event),
        }
    }

    fn take(&mut self, most: usize) -> Self {
        let rest = self.events.split_off(self.events.len().min(most));
        std::mem::replace(self, Self { events: rest, ..Self::default() })
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.has_started && !self.has_left
    }
}

// The others occur once for each cause.
fn may_be_dropped(event: &Event) -> bool {
    match event {
        Event::Member(_)
        | Event::ExchangeFailed(..)
        | Event::PlaceFailed(..)
        | Event::ListWritten { .. }
        | Event::ListFailed(_)
        | Event::EntriesSkipped { .. }
        | Event::Full => true,
        Event::Started
        | Event::Left
        | Event::Alone(_)
        | Event::Isolated
        | Event::ListUnusable { .. }
        | Event::StateNotSaved(_)
        | Event::Unreachable { .. }
        | Event::SelfProbeFailed(..)
        | Event::DuplicateUrl(_)
        | Event::LoopbackUrl { .. }
        | Event::Resolved(_)
        | Event::ClockWrong => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::config::{Config, Environment};
    use crate::engine::shared::Shared;
    use crate::message::{Entry, State};
    use crate::server_url::ServerUrl;

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
    fn a_flood_of_events_is_bounded_and_counted_and_delays_no_warning_and_no_end() {
        let mut reports = Reports::default();
        for _ in 0..MAX_WAITING + 1_000 {
            reports.add(Event::ListFailed("failed".into()));
        }
        reports.add(Event::ClockWrong);
        reports.add(Event::Left);
        let first = reports.take(MAX_REPORTED);
        assert_eq!((first.events.len(), first.dropped, first.has_left), (MAX_REPORTED, 1_000, true));
        assert_eq!((reports.dropped, reports.has_left), (0, false), "each is told once");
        assert_eq!(reports.take(usize::MAX).events.back(), Some(&Event::ClockWrong));
        assert!(reports.is_empty());
    }

    #[test]
    fn messages_are_refused_while_the_program_has_too_many_events_to_handle() {
        let shared = shared();
        let url = ServerUrl::parse("http://other/").expect("valid");
        let entry = Entry { url, monitor: false, state: State::Online, stamp: 0, v2: None };
        let event = MemberEvent { kind: MemberEventKind::Online, entry, failure: None, at: 0, known_after: 0 };
        shared.core.inner.lock().expect("a lock").member_events.extend(std::iter::repeat_n(event, MAX_UNTAKEN));
        assert_eq!(shared.core.admit_events(), Err(Error::Overloaded));
        assert_eq!(shared.core.take_member_events().expect("events").len(), MAX_EVENTS);
        assert_eq!(shared.core.admit_events(), Ok(()));
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
