//! What a server keeps for its next start, should no master list answer then.

use std::time::Duration;

use super::event::{Action, Event};
use super::timer::Timer;
use super::{Core, Phase};
use crate::clock::Now;
use crate::message::{Message, State};

/// How soon a change is saved.
const SAVE_INTERVAL: Duration = Duration::from_secs(10);
/// How many servers are saved: one that answers names all others.
const MAX_SAVED: usize = 1_000;

impl Core {
    /// What was saved before this start. To be called before anything else, if at all.
    pub fn handle_saved_state(&mut self, now: Now, state: &Message) {
        self.report_skipped(&state.skipped);
        for entry in &state.entries {
            if entry.url != self.settings.base_url {
                self.seeds.add_candidate(entry, now);
            }
        }
        self.meet_seeds(now);
        self.expect_seeds(now);
    }

    /// What [`Action::SaveState`] came to.
    pub fn handle_state_saved(&mut self, saved: Result<(), String>) {
        if let Err(error) = saved {
            self.saved = None;
            self.notices.push_back(Event::StateNotSaved(error));
        }
    }

    pub(super) fn schedule_state(&mut self, now: Now) {
        if self.settings.keeps_state {
            self.timers.set(Timer::State, now.mono + SAVE_INTERVAL);
        }
    }

    pub(super) fn save_state(&mut self, now: Now) {
        self.schedule_state(now);
        let hash = self.members.digest(u64::MAX).hash;
        if self.phase != Phase::Running || self.saved == Some(hash) {
            return;
        }
        let own = &self.settings.base_url;
        let others = self.members.entries().filter(|entry| entry.state == State::Online && entry.url != *own);
        let others: Vec<_> = others.take(MAX_SAVED).cloned().collect();
        // What was saved before this start may still help the next, where nobody has answered this one.
        if !others.is_empty() {
            self.saved = Some(hash);
            self.actions.push_back(Action::SaveState(Message::new(others)));
        }
    }
}
