//! What the core produces: actions to carry out, events to report, timers, counters. Each part of the protocol is handed
//! one, and has no other effect. The random numbers are here too, so that a seed repeats a run.

use std::collections::VecDeque;
use std::ops::Range;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::action::{Action, RequestId};
use super::counters::Counters;
use super::event::Event;
use super::timer::Timers;
use crate::message::Skipped;

/// Actions and events that wait to be taken, and what all parts share.
#[derive(Debug)]
pub struct Output {
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    next_id: RequestId,
    /// When the core wants to be called.
    pub timers: Timers,
    /// What has happened how often.
    pub counters: Counters,
    /// All random choices come from here.
    pub rng: SmallRng,
}

impl Output {
    /// Nothing yet. `seed` decides every random choice.
    pub fn new(seed: u64) -> Self {
        Self {
            actions: VecDeque::new(),
            events: VecDeque::new(),
            next_id: 0,
            timers: Timers::default(),
            counters: Counters::default(),
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// Asks for something to be carried out.
    pub fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Reports something.
    pub fn report(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Reports entries that were not acceptable. `place` says in words where they stood.
    pub fn report_skipped(&mut self, skipped: &[Skipped], place: impl FnOnce() -> String) {
        if !skipped.is_empty() {
            self.report(Event::EntriesSkipped { entries: skipped.to_vec(), place: place() });
        }
    }

    /// A new number for an action whose outcome is given back.
    pub fn new_id(&mut self) -> RequestId {
        self.next_id += 1;
        self.next_id
    }

    /// A random factor for a wait.
    pub fn jitter(&mut self, range: Range<f64>) -> f64 {
        self.rng.random_range(range)
    }

    /// Takes the next action.
    pub fn take_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes the next event.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.events.is_empty()
    }
}
