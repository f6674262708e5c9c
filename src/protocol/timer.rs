//! The timers of the core: at most one deadline of each kind.

use std::time::Duration;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Gossip round.
    Round,
    /// Check for predecessors that should have contacted us.
    Silence,
    /// Contact by a starting server that nobody has contacted yet.
    Startup,
    /// Self-probe, while nothing proves that others reach us.
    SelfProbe,
    /// Broadcast of updates.
    Broadcast,
    /// Verification of reported failures.
    Verification,
    /// Exchange of a new server whose list differs from the others'.
    CatchUp,
    /// Contact with seeds.
    Seeds,
    /// Read or update of a master list.
    Lists,
    /// DNS lookup, or question at a place.
    Names,
    /// Check for changes to save for the next start.
    SaveState,
    /// Removal of expired entries.
    Expire,
    /// Broadcast of our own tags and readiness.
    OwnChanges,
    /// Opening or renewal of a watch.
    Watch,
    /// Time limit of a leave.
    Leave,
}

impl Timer {
    // The order in which timers fire that are due at the same time.
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

/// The deadline of each timer, monotonic.
#[derive(Clone, Debug, Default)]
pub struct Timers([Option<Duration>; Timer::ALL.len()]);

impl Timers {
    /// Sets a timer, replacing its deadline.
    pub fn set(&mut self, timer: Timer, at: Duration) {
        self.0[timer as usize] = Some(at);
    }

    /// Sets a timer unless it has an earlier deadline.
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

    /// The earliest deadline.
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
