//! Whether the server may act and judge: it runs, and its program's event loop turns. After a stall of the program, or a
//! jump of the wall clock, earlier failures say nothing about other servers.

use std::time::Duration;

use crate::clock::Now;

/// After how long without a heartbeat the program counts as stalled. Longer than a garbage collection or a synchronous
/// start-up task should take, shorter than the time after which others declare a silent server failed.
const STALL: Duration = Duration::from_secs(5);
/// How far the wall clock may move against the monotonic one between two readings, ms. More is a jump: the machine may
/// have been suspended, and the time that has passed is unknown.
const CLOCK_JUMP: u64 = 5_000;

/// How far a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It takes part.
    Running,
    /// It has said that it leaves, and waits until others know.
    Leaving,
    /// It has left.
    Left,
}

/// The phase of a server, and the last sign that its program works.
#[derive(Debug)]
pub struct Lifecycle {
    phase: Phase,
    last_heartbeat: Duration,
    // Since when neither the program has stalled nor the clock has jumped.
    steady_since: Duration,
    // How far the wall clock is ahead of the monotonic one, ms.
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

    /// The program's event loop turns. Returns whether this ends a stall.
    pub fn on_heartbeat(&mut self, now: Now) -> bool {
        let has_stalled = !self.is_awake(now);
        if has_stalled {
            self.steady_since = now.mono;
        }
        self.last_heartbeat = now.mono;
        has_stalled
    }

    /// Compares the clocks with the last reading. Returns whether the wall clock has jumped.
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

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it takes part.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether its program's event loop turns: only then it may say that it is up.
    pub fn is_awake(&self, now: Now) -> bool {
        now.mono.saturating_sub(self.last_heartbeat) <= STALL
    }

    /// Whether it takes part and its program works: only then it may judge others.
    pub fn is_working(&self, now: Now) -> bool {
        self.is_running() && self.is_awake(now)
    }

    /// Whether an exchange began before the last stall or jump, so that its failure says nothing.
    pub fn is_outdated(&self, started: Duration) -> bool {
        started < self.steady_since
    }
}

fn clock_offset(now: Now) -> u64 {
    now.wall.wrapping_sub(now.mono.as_millis() as u64)
}
