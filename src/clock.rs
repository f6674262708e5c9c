//! Reads the clocks. No other file does. Also scales time for tests.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An hour of wall time, ms.
pub const HOUR: u64 = 3_600_000;
/// How far the wall clock of a server may be wrong, ms, in either direction. The limits on stamps and incarnations
/// follow from it:
///
/// | Limit | Value | Reason |
/// |---|---|---|
/// | `MAX_AHEAD` | 3 × | two clocks differ by 2 ×, and an entry may be 1 × ahead of its own server's clock |
/// | `MAX_LEAD` | `MAX_AHEAD` − 2 × | with a greater lead, a server with a slow clock refuses the entry |
/// | `NEAR_EXPIRY` | 2 × + 1 h | by another clock a tombstone expires 2 × sooner |
/// | `ONLINE_TTL` | `TOMBSTONE_TTL` − 4 × | an entry expires before the tombstone that blocks it, by any two clocks |
/// | `RETURN_WINDOW` | 2 × + 1 h | an hour by any two clocks |
pub const MAX_CLOCK_ERROR: u64 = HOUR;

/// The current time. Every input of the core has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since a fixed start, for intervals and timeouts.
    pub mono: Duration,
    /// Wall time, ms since the epoch, for `lastUpdate`. May be wrong, and may jump in either direction.
    pub wall: u64,
}

/// The machine's clocks.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    speed: u32,
    // How far a fast clock was ahead of the machine's wall clock at `origin`.
    lead: Duration,
    // The last returned wall time of `origin`, ms.
    epoch: AtomicU64,
}

/// How much the wall time of `origin` may vary without a clock jump, ms: the two clocks are read one after the other
/// and rounded separately.
const JITTER: u64 = 10;

impl Clock {
    /// A clock whose monotonic time starts now at zero.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let Scale { speed, epoch } = scale();
        Self::with(speed, since_epoch().saturating_sub(epoch) * (speed - 1))
    }

    /// A clock that runs faster than the machine's.
    #[cfg(test)]
    pub fn fast(speed: u32) -> Self {
        Self::with(speed, Duration::ZERO)
    }

    fn with(speed: u32, lead: Duration) -> Self {
        Self { origin: Instant::now(), speed, lead, epoch: AtomicU64::new(0) }
    }

    /// The current time.
    pub fn now(&self) -> Now {
        let since_epoch = since_epoch();
        let passed = self.origin.elapsed();
        let ahead = self.lead + passed * (self.speed - 1);
        Now { mono: passed * self.speed, wall: (since_epoch + ahead).as_millis() as u64 }
    }

    /// The wall time of an earlier moment. Stays the same until the wall clock jumps.
    pub fn wall(&self, at: Duration, now: Now) -> u64 {
        let epoch = now.wall.saturating_sub(now.mono.as_millis() as u64);
        let given = self.epoch.load(Ordering::Relaxed);
        let epoch = if epoch.abs_diff(given) > JITTER { epoch } else { given };
        self.epoch.store(epoch, Ordering::Relaxed);
        epoch + at.as_millis() as u64
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

// How time is scaled in tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scale {
    speed: u32,
    // When the scaled clocks were right, since the Unix epoch. Processes that share it have equal clocks.
    epoch: Duration,
}

// `SHAZBOT_TEST_CLOCK`, `<speed>@<epoch in ms>`, for tests only: all clocks and waits of the process run `speed` times
// as fast since that moment. See CONTRIBUTING.md.
fn scale() -> Scale {
    static SCALE: OnceLock<Scale> = OnceLock::new();
    *SCALE.get_or_init(|| {
        let value = std::env::var("SHAZBOT_TEST_CLOCK").ok();
        value.as_deref().and_then(Scale::parse).unwrap_or(Scale { speed: 1, epoch: Duration::ZERO })
    })
}

impl Scale {
    fn parse(value: &str) -> Option<Self> {
        let (speed, epoch) = value.split_once('@')?;
        let speed = speed.parse().ok().filter(|speed| *speed > 0)?;
        Some(Self { speed, epoch: Duration::from_millis(epoch.parse().ok()?) })
    }
}

/// Converts a duration of [`Clock`] to real time. They differ only in tests that scale time. Every wait of the engine
/// uses it.
pub fn real(duration: Duration) -> Duration {
    duration / scale().speed
}

/// Waits for a duration of [`Clock`].
#[cfg(feature = "engine")]
pub fn sleep(duration: Duration) -> tokio::time::Sleep {
    tokio::time::sleep(real(duration))
}

/// Waits for a future, at most for a duration of [`Clock`].
#[cfg(feature = "engine")]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> tokio::time::Timeout<F::IntoFuture> {
    tokio::time::timeout(real(duration), future)
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
            "only one of the clocks is a millisecond further"
        );
        assert_eq!(clock.wall(at, now(12_000, 4_600_012)), 4_600_005);
    }

    #[test]
    fn scaled_clocks_that_start_at_different_times_agree() {
        let now = since_epoch();
        let started = |ago: u64| {
            let speed = 5;
            let mut clock = Clock::with(speed, Duration::from_secs(60 - ago) * (speed - 1));
            clock.origin -= Duration::from_secs(ago);
            clock.now().wall
        };
        let (first, second) = (started(50), started(1));
        assert!(first.abs_diff(second) < 1_000, "{first} {second}");
        let expected = (now + Duration::from_secs(60) * 4).as_millis() as u64;
        assert!(first.abs_diff(expected) < 1_000, "{first} {expected}");
    }

    #[test]
    fn the_scale_of_a_test_is_a_speed_and_an_epoch() {
        let scale = Scale { speed: 5, epoch: Duration::from_millis(7) };
        assert_eq!(Scale::parse("5@7"), Some(scale));
        for wrong in ["", "5", "0@7", "-1@7", "5@", "@7", "1.5@7"] {
            assert_eq!(Scale::parse(wrong), None, "{wrong}");
        }
    }
}
