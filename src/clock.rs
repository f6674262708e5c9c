//! Time, as two readings that must not be mixed up. This is the one file that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment: what every input of the core carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since some fixed start. Never steps: every interval and time-out is measured with it.
    pub mono: Duration,
    /// Wall time, ms since the epoch: what `lastUpdate` is made of. May be wrong, and may step either way.
    pub wall: u64,
}

/// The machine's clocks.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    // How much faster than others it goes.
    speed: u32,
}

impl Clock {
    /// A clock whose monotonic reading starts at zero now.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { origin: Instant::now(), speed: 1 }
    }

    /// One that goes faster than others.
    #[cfg(test)]
    pub fn fast(speed: u32) -> Self {
        Self { origin: Instant::now(), speed }
    }

    /// Both readings.
    pub fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let passed = self.origin.elapsed();
        let ahead = passed * (self.speed - 1);
        Now { mono: passed + ahead, wall: (since_epoch + ahead).as_millis() as u64 }
    }
}
