//! The timers of the core: for each kind at most one time at which it wants to be called.

use std::time::Duration;

/// What a time is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The next gossip round.
    Round,
    /// The next look for servers that should have gossiped with us.
    Silence,
    /// The next contact of a server that nobody has contacted yet.
    Startup,
    /// The next question at our own base URL, for as long as nothing proves that others find us there.
    SelfProbe,
    /// The next broadcast of updates.
    Broadcast,
    /// The next verification of reported failures.
    Verification,
    /// The next exchange of a new server whose list differs from the others'.
    CatchUp,
    /// The next contact with seeds.
    Seeds,
    /// The next read or update of a master list.
    Lists,
    /// The next lookup of a name, or question at a place that it leads to.
    Names,
    /// The next look for changes to save for the next start.
    SaveState,
    /// The next removal of what has expired.
    Expire,
    /// The next update of our own tags and readiness.
    OwnChanges,
    /// The next watch connection to open or to renew.
    Watch,
    /// The end of a leave, no matter who has heard of it.
    Leave,
}

impl Timer {
    // Timers that are due at the same time fire in this order.
    const ALL: [Self; 15] = [
        Self::Round,
        Self::Silence,
        Self::Startup,
        Self::SelfProbe,
        Self::Broadcast,
        Self::Verification,
        Self::CatchUp,
        Self::Seeds,
        Self::Lists,
        Self::Names,
        Self::SaveState,
        Self::Expire,
        Self::OwnChanges,
        Self::Watch,
        Self::Leave,
    ];
}

/// At most one monotonic time for each timer.
#[derive(Clone, Debug, Default)]
pub struct Timers([Option<Duration>; Timer::ALL.len()]);

impl Timers {
    /// Sets a timer; an earlier setting is forgotten.
    pub fn set(&mut self, timer: Timer, at: Duration) {
        self.0[timer as usize] = Some(at);
    }

    /// Sets a timer unless it is set to an earlier time.
    pub fn set_earlier(&mut self, timer: Timer, at: Duration) {
        if self.0[timer as usize].is_none_or(|set| at < set) {
            self.set(timer, at);
        }
    }

    /// Whether a timer is set.
    pub fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// Stops a timer.
    pub fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// Stops all timers.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The earliest time.
    pub fn next(&self) -> Option<Duration> {
        self.0.iter().flatten().min().copied()
    }

    /// Stops one timer that is due, and returns it.
    pub fn take_due(&mut self, now: Duration) -> Option<Timer> {
        let timer = Timer::ALL.into_iter().find(|timer| self.0[*timer as usize].is_some_and(|at| at <= now))?;
        self.0[timer as usize] = None;
        Some(timer)
    }
}
