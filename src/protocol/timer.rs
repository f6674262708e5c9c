//! When the core wants to be called next.

use std::time::Duration;

/// What a moment is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The next round of gossip.
    Round,
    /// The next look for servers that should have spoken to us.
    Silence,
    /// The next telling on of rumours.
    Rumours,
    /// The next try of servers that somebody calls dead.
    Checks,
    /// The next exchange of a new server with others that list something else.
    CatchUp,
    /// The next try of seeds.
    Seeds,
    /// The next read or update of a master list.
    List,
    /// The next look for what the state file lacks.
    State,
    /// The next look for what has expired.
    Expire,
    /// The moment at which a leave is over, whoever has heard of it.
    Leave,
}

impl Timer {
    const ALL: [Self; 10] = [
        Self::Round,
        Self::Silence,
        Self::Rumours,
        Self::Checks,
        Self::CatchUp,
        Self::Seeds,
        Self::List,
        Self::State,
        Self::Expire,
        Self::Leave,
    ];
}

/// At most one moment for each timer, as monotonic time.
#[derive(Clone, Debug, Default)]
pub struct Timers([Option<Duration>; Timer::ALL.len()]);

impl Timers {
    /// Sets a timer, in place of what it was set to.
    pub fn set(&mut self, timer: Timer, at: Duration) {
        self.0[timer as usize] = Some(at);
    }

    /// Sets a timer, unless it is set to an earlier moment. Returns whether it did.
    pub fn set_earlier(&mut self, timer: Timer, at: Duration) -> bool {
        let is_earlier = self.0[timer as usize].is_none_or(|set| at < set);
        if is_earlier {
            self.set(timer, at);
        }
        is_earlier
    }

    /// Whether a timer is set.
    pub fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// Stops every timer.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The earliest moment.
    pub fn next(&self) -> Option<Duration> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes a timer that is due.
    pub fn take_due(&mut self, now: Duration) -> Option<Timer> {
        let timer = Timer::ALL.into_iter().find(|timer| self.0[*timer as usize].is_some_and(|at| at <= now))?;
        self.0[timer as usize] = None;
        Some(timer)
    }
}
