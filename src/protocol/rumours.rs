//! Changes of state, told on at once: each server that learns of one tells the next on the ring, so that nobody is left
//! out by chance, and a few random ones, so that it is fast; once each. What is lost is made up for by digests.

use std::sync::Arc;
use std::time::Duration;

use super::event::ExchangeError;
use super::exchange::Purpose;
use super::sync::MAX_ENTRY_BYTES;
use super::timer::Timer;
use super::{Core, Phase};
use crate::clock::Now;
use crate::message::{Envelope, Message, ServerUrl};

/// How long rumours are collected before they are told on together: long enough to make one message of a storm's many.
const BATCH: Duration = Duration::from_millis(40);
/// How many random servers are told, besides the next on the ring.
const FANOUT: usize = 2;
/// How many of those that follow on the ring are tried.
pub const MAX_TRIES: u32 = 3;
/// Rumours that wait; those beyond are left to the digests.
const MAX_WAITING: usize = 5_000;

impl Core {
    /// Something has changed.
    pub(super) fn spread(&mut self, url: ServerUrl, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        // Our own word waits for nobody: as much as is known goes with it.
        let wait = if url == self.settings.base_url { Duration::ZERO } else { BATCH };
        if self.rumours.len() < MAX_WAITING {
            self.rumours.insert(url);
            self.timers.set_earlier(Timer::Rumours, now.mono + wait);
        }
    }

    /// Tells rumours on.
    pub(super) fn push_rumours(&mut self, now: Now) {
        if self.rumours.is_empty() {
            return;
        }
        let own = &self.settings.base_url;
        // Not the one that the news is about: it would not tell it on.
        let next = self.members.successors(own).find(|url| !self.rumours.contains(*url));
        let Some(next) = next.or_else(|| self.members.successors(own).next()).cloned() else {
            return self.rumours.clear();
        };
        let mut targets = vec![next];
        targets.extend(self.members.helpers(own, &mut self.rng, FANOUT, &targets));
        if let Err(later) = self.pushes.take(targets.len(), now.mono) {
            return self.timers.set(Timer::Rumours, later);
        }
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < MAX_ENTRY_BYTES
            && let Some(url) = self.rumours.pop_first()
        {
            // Our own entry is in every message.
            if let Some(member) = self.members.get(&url).filter(|_| url != self.settings.base_url) {
                bytes += member.entry.size();
                entries.push(member.entry.clone());
            }
        }
        if !self.rumours.is_empty() {
            self.timers.set(Timer::Rumours, now.mono + BATCH);
        }
        self.figures.rumours += entries.len() as u64;
        let message = Arc::new(Message::new_v2(self.own().clone(), entries, Envelope::default()));
        for (place, to) in targets.into_iter().enumerate() {
            let purpose = if place == 0 { Purpose::Ring(1) } else { Purpose::Push };
            self.send_this(to, purpose, Arc::clone(&message), false, now);
        }
    }

    /// Somebody did not take rumours: where it was the next on the ring, the one after does.
    pub(super) fn pass_on(
        &mut self,
        failed: ServerUrl,
        tries: u32,
        message: Arc<Message>,
        error: &ExchangeError,
        now: Now,
    ) {
        if let Some(instead) = self.in_place_of(&failed) {
            self.send_this(instead, Purpose::Push, message, false, now);
            return;
        }
        let next = self.members.successors(&failed).find(|url| **url != self.settings.base_url).cloned();
        if let Some(to) = next.filter(|_| tries < MAX_TRIES) {
            self.send_this(to, Purpose::Ring(tries + 1), message, false, now);
        }
        self.probe_if_refused(failed, error, now);
    }
}
