//! `Lifecycle`: whether this server may act and judge others: in the phase `Running` (then `Leaving`, then `Left`), and
//! while its program's event loop turns. Failures from before a stall or a jump of the wall clock say nothing about
//! other servers.

use std::time::Duration;

use crate::clock::Now;

/// How long without a heartbeat counts as a stall: longer than a garbage collection or a synchronous start-up task
/// takes, shorter than the time after which others declare a silent server failed.
const STALL: Duration = Duration::from_secs(5);
/// How late a timer may be. If it is later, the thread that reads answers was stopped, and probes may have failed for that.
pub const STALL_OF_TIMERS: Duration = Duration::from_secs(1);
/// How far the wall clock may move against the monotonic one between two readings, ms. More is a jump: the machine may
/// have been suspended for an unknown time.
const CLOCK_JUMP: u64 = 5_000;

/// The phase of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Takes part.
    Running,
    /// Has announced its leave and waits until others know.
    Leaving,
    /// Has left.
    Left,
}

/// The phase of this server, and when its program last proved that it works.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    phase: Phase,
    last_heartbeat: Duration,
    // Since when there was no stall and no clock jump.
    steady_since: Duration,
    // Wall clock minus monotonic clock, ms.
    clock_offset: u64,
}

impl Lifecycle {
    /// A server that starts now.
    pub fn new(now: Now) -> Self {
        Self {
            phase: Phase::Running,
            last_heartbeat: now.mono,
            steady_since: now.mono,
            clock_offset: clock_offset(now),
        }
    }

    /// The event loop turned. Returns whether this ends a stall.
    pub fn on_heartbeat(&mut self, now: Now) -> bool {
        let has_stalled = !self.is_awake(now);
        if has_stalled {
            self.steady_since = now.mono;
        }
        self.last_heartbeat = now.mono;
        has_stalled
    }

    /// A timer is this late. Returns whether this is a stall.
    pub fn on_late_timer(&mut self, late: Duration, now: Now) -> bool {
        let has_stalled = late >= STALL_OF_TIMERS;
        if has_stalled {
            self.steady_since = now.mono;
        }
        has_stalled
    }

    /// Compares the clocks with the last reading. Returns whether the wall clock jumped.
    pub fn check_clocks(&mut self, now: Now) -> bool {
        let offset = clock_offset(now);
        let moved = offset.wrapping_sub(self.clock_offset).cast_signed().unsigned_abs();
        self.clock_offset = offset;
        let has_jumped = moved > CLOCK_JUMP;
        if has_jumped {
            self.steady_since = now.mono;
        }
        has_jumped
    }

    /// Begins the leave.
    pub fn leave(&mut self) {
        self.phase = Phase::Leaving;
    }

    /// Ends the leave.
    pub fn finish_leave(&mut self) {
        self.phase = Phase::Left;
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the phase is [`Phase::Running`].
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether the event loop turns. Otherwise this server must not claim to be up.
    pub fn is_awake(&self, now: Now) -> bool {
        now.mono.saturating_sub(self.last_heartbeat) <= STALL
    }

    /// Whether it is running and awake. Otherwise it must not judge others.
    pub fn is_working(&self, now: Now) -> bool {
        self.is_running() && self.is_awake(now)
    }

    /// Whether an exchange began before the last stall or jump. Its failure does not count.
    pub fn is_outdated(&self, started: Duration) -> bool {
        started < self.steady_since
    }
}

fn clock_offset(now: Now) -> u64 {
    now.wall.wrapping_sub(now.mono.as_millis() as u64)
}
