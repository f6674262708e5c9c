//! Delays: exponential backoff, and a factor that spreads the actions of many servers.

use std::time::Duration;

/// The delay before retry number `attempt`: `first` doubled `attempt` times, at most `most`.
pub fn backoff(first: Duration, attempt: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << attempt.min(12)).min(most)
}

/// How much longer to wait if `servers` may act at the same time and `at_a_time` of them do no harm.
pub fn crowd_factor(servers: usize, at_a_time: usize) -> f64 {
    1.0 + servers as f64 / at_a_time as f64
}
