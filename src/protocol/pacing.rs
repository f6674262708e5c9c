//! How long to wait: before another try, and where many servers may do the same at the same time.

use std::time::Duration;

/// The wait before try number `attempt`: `first` doubled that often, up to `most`.
pub fn backoff(first: Duration, attempt: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << attempt.min(12)).min(most)
}

/// The factor by which a server waits longer if `servers` may act at the same time, of which `at_a_time` do no harm.
pub fn crowd_factor(servers: usize, at_a_time: usize) -> f64 {
    1.0 + servers as f64 / at_a_time as f64
}
