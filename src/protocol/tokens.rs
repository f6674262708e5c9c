//! A bound on how many messages of a kind a server begins, whatever happens to the cluster or comes from a peer.

use std::time::Duration;

/// So many at once, and so many a second after that.
#[derive(Debug)]
pub struct RateLimit {
    burst: f64,
    rate: f64,
    level: f64,
    at: Duration,
}

impl RateLimit {
    /// Half full: when all servers start at once, each has more to hear than to say.
    pub fn new((burst, rate): (u32, u32), now: Duration) -> Self {
        let burst = f64::from(burst);
        Self { burst, rate: f64::from(rate), level: burst / 2.0, at: now }
    }

    /// Takes so many, if they are there; else says when they will be.
    pub fn take(&mut self, count: usize, now: Duration) -> Result<(), Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        (self.level, self.at) = ((self.level + passed * self.rate).min(self.burst), now);
        let missing = count as f64 - self.level;
        if missing > 0.0 {
            // A millisecond more, or rounding would wake us too early for ever.
            return Err(now + Duration::from_secs_f64(missing / self.rate) + Duration::from_millis(1));
        }
        self.level -= count as f64;
        Ok(())
    }
}
