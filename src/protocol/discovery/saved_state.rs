//! `SavedState`: saves online servers for the next start, in case no master list can be read then.

use std::time::Duration;

use crate::clock::Now;
use crate::membership::Members;
use crate::message::{Message, State};
use crate::protocol::action::Action;
use crate::protocol::output::Output;
use crate::protocol::timer::Timer;

/// How soon a change is saved.
const SAVE_INTERVAL: Duration = Duration::from_secs(10);
/// Most saved servers. One that answers lists all others.
const MAX_SAVED: usize = 1_000;

/// Whether saving is enabled, and what was saved last.
#[derive(Clone, Debug)]
pub struct SavedState {
    is_enabled: bool,
    // The digest of the list at the last save.
    saved: Option<u64>,
}

impl SavedState {
    /// Nothing saved yet.
    pub fn new(is_enabled: bool) -> Self {
        Self { is_enabled, saved: None }
    }

    /// Sets the timer of the next check.
    pub fn schedule(&self, now: Now, out: &mut Output) {
        if self.is_enabled {
            out.timers.set(Timer::SaveState, now.mono + SAVE_INTERVAL);
        }
    }

    /// Saves the online servers if the list has changed. Never saves an empty list: if nobody has answered this
    /// process, the state of an earlier one may still help the next start.
    pub fn save(&mut self, members: &Members, out: &mut Output) {
        let hash = members.online_hash();
        if self.saved == Some(hash) {
            return;
        }
        let local = members.local_url();
        let others = members.entries().filter(|entry| entry.state == State::Online && entry.url != *local);
        let others: Vec<_> = others.take(MAX_SAVED).cloned().collect();
        if !others.is_empty() {
            self.saved = Some(hash);
            out.act(Action::SaveState(Box::new(Message::new(others))));
        }
    }

    /// The last save failed: saves again at the next check.
    pub fn on_failed(&mut self) {
        self.saved = None;
    }
}
