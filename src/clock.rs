//! Time, as two readings that must not be mixed up. This is the one file that reads a clock.

use std::sync::atomic::{AtomicU64, Ordering};
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
    // The wall time of `origin` as last given out, ms.
    epoch: AtomicU64,
}

/// By how much what the two clocks say of `origin` differs from one reading to the next, at most, ms: they are not read at
/// the same moment, and are cut to milliseconds apart. More is a step.
const JITTER: u64 = 10;

impl Clock {
    /// A clock whose monotonic reading starts at zero now.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { origin: Instant::now(), speed: 1, epoch: AtomicU64::new(0) }
    }

    /// One that goes faster than others.
    #[cfg(test)]
    pub fn fast(speed: u32) -> Self {
        Self { origin: Instant::now(), speed, epoch: AtomicU64::new(0) }
    }

    /// Both readings.
    pub fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let passed = self.origin.elapsed();
        let ahead = passed * (self.speed - 1);
        Now { mono: passed + ahead, wall: (since_epoch + ahead).as_millis() as u64 }
    }

    /// The wall time of an earlier moment, by the clock as it is now: the same each time, until that steps.
    pub fn wall(&self, at: Duration, now: Now) -> u64 {
        let epoch = now.wall.saturating_sub(now.mono.as_millis() as u64);
        let given = self.epoch.load(Ordering::Relaxed);
        let epoch = if epoch.abs_diff(given) > JITTER { epoch } else { given };
        self.epoch.store(epoch, Ordering::Relaxed);
        epoch + at.as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_moment_has_the_same_wall_time_until_the_wall_clock_steps() {
        let clock = Clock::new();
        let now = |mono, wall| Now { mono: Duration::from_micros(mono), wall };
        let at = Duration::from_millis(5);
        assert_eq!(clock.wall(at, now(10_900, 1_000_010)), 1_000_005);
        assert_eq!(
            clock.wall(at, now(11_100, 1_000_010)),
            1_000_005,
            "the one is a millisecond further, the other is not"
        );
        assert_eq!(clock.wall(at, now(12_000, 4_600_012)), 4_600_005);
    }
}
