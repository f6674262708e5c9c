//! `Output`: everything that the parts of the core produce (actions, events, timers, counters), and their random
//! numbers. Each part gets it as an argument and has no other side effects.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::action::{Action, RequestId};
use super::counters::Counters;
use super::event::Event;
use super::rate_limit::RateLimit;
use super::timer::Timers;
use crate::message::Skipped;

/// Rate limit of skipped entries of messages that are reported: burst, and per second. A peer may invent entries.
const SKIPPED: (u32, u32) = (100, 20);

/// The outputs that wait to be polled, and the state that all parts share.
#[derive(Clone, Debug)]
pub struct Output {
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    next_id: RequestId,
    skipped: RateLimit,
    /// The timers of the core.
    pub timers: Timers,
    /// Totals for status and metrics.
    pub counters: Counters,
    /// The only source of random numbers, so that a seed reproduces a run.
    pub rng: SmallRng,
}

impl Output {
    /// Empty. The seed determines every random choice.
    pub fn new(seed: u64, now: Duration) -> Self {
        Self {
            actions: VecDeque::new(),
            events: VecDeque::new(),
            next_id: 0,
            skipped: RateLimit::full(SKIPPED, now),
            timers: Timers::default(),
            counters: Counters::default(),
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// Restarts the random numbers. For simulations.
    #[cfg(any(feature = "sim", test))]
    pub fn reseed(&mut self, seed: u64) {
        self.rng = SmallRng::seed_from_u64(seed);
    }

    /// Adds an action.
    pub fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Adds an event.
    pub fn report(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Reports skipped entries. `place` returns where they were, as text.
    pub fn report_skipped(&mut self, skipped: &[Skipped], place: impl FnOnce() -> String) {
        if !skipped.is_empty() {
            self.report(Event::EntriesSkipped { entries: skipped.to_vec(), place: place() });
        }
    }

    /// Whether the rate limit allows a report of these skipped entries of a message.
    pub fn admit_skipped(&mut self, skipped: &[Skipped], now: Duration) -> bool {
        self.skipped.take(skipped.len(), now).is_ok()
    }

    /// A new id for an action.
    pub fn new_id(&mut self) -> RequestId {
        self.next_id += 1;
        self.next_id
    }

    /// A random factor for a delay.
    pub fn jitter(&mut self, range: Range<f64>) -> f64 {
        self.rng.random_range(range)
    }

    /// The next action.
    pub fn take_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next event.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether no action or event waits.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.events.is_empty()
    }
}
