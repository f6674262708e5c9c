//! A token bucket. Limits how many messages of a kind are sent or handled, whatever happens in the cluster.

use std::time::Duration;

/// Allows `burst` at once, then `rate` per second.
#[derive(Clone, Debug)]
pub struct RateLimit {
    burst: f64,
    rate: f64,
    tokens: f64,
    at: Duration,
}

impl RateLimit {
    /// A full bucket.
    pub fn full((burst, rate): (u32, u32), now: Duration) -> Self {
        let burst = f64::from(burst);
        Self { burst, rate: f64::from(rate), tokens: burst, at: now }
    }

    /// Whether the bucket is full. A sender with a full bucket needs none of its own.
    pub fn is_full(&self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens + passed * self.rate >= self.burst
    }

    /// Whether at least half of it was left after the last [`Self::take`].
    pub fn is_half_full(&self) -> bool {
        self.tokens >= self.burst / 2.0
    }

    /// A half-full bucket: when all servers start at once, each has little to send.
    pub fn half_full(limit: (u32, u32), now: Duration) -> Self {
        let full = Self::full(limit, now);
        Self { tokens: full.burst / 2.0, ..full }
    }

    /// Takes `count` tokens. The error is the time when enough will be available.
    pub fn take(&mut self, count: usize, now: Duration) -> Result<(), Duration> {
        self.check(count, now)?;
        self.tokens -= count as f64;
        Ok(())
    }

    /// Whether `count` tokens are available. The error is the time when they will be.
    pub fn check(&mut self, count: usize, now: Duration) -> Result<(), Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        (self.tokens, self.at) = ((self.tokens + passed * self.rate).min(self.burst), now);
        let missing = count as f64 - self.tokens;
        if missing > 0.0 {
            // One millisecond more, because rounding could otherwise wake us too early again and again.
            return Err(now + Duration::from_secs_f64(missing / self.rate) + Duration::from_millis(1));
        }
        Ok(())
    }
}
