//! `ExchangeStats`: counts the exchanges that this server started, their durations and bytes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::message::Message;
use crate::protocol::ExchangeError;

/// Upper bounds of the duration histogram, ms: from a peer on the same machine to the longest timeout.
pub const DURATION_BOUNDS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/// Totals since the start.
#[derive(Clone, Copy, Default)]
pub struct ExchangeTotals {
    /// Exchanges by outcome: answered; connection refused; timed out; unreachable; rejected because of the secret or
    /// the cluster; failed for another reason.
    pub outcomes: [u64; 6],
    /// Answered exchanges by duration: one count for each bound, and one for longer exchanges.
    pub durations: [u64; DURATION_BOUNDS.len() + 1],
    /// The sum of the durations of answered exchanges.
    pub total_duration: Duration,
    /// Bytes of bodies: sent and received.
    pub bytes: [u64; 2],
}

/// Collects the totals.
#[derive(Default)]
pub struct ExchangeStats(Mutex<ExchangeTotals>);

impl ExchangeStats {
    pub fn sent(&self, bytes: usize) {
        self.with(|totals| totals.bytes[0] += bytes as u64);
    }

    pub fn received(&self, bytes: usize) {
        self.with(|totals| totals.bytes[1] += bytes as u64);
    }

    pub fn ended(&self, answer: &Result<Message, ExchangeError>, duration: Duration) {
        let outcome = match answer {
            Ok(_) => 0,
            Err(ExchangeError::Refused(_)) => 1,
            Err(ExchangeError::TimedOut | ExchangeError::NoAnswer(_)) => 2,
            Err(ExchangeError::Unreachable(_) | ExchangeError::NotReady(_)) => 3,
            Err(ExchangeError::SecretRejected | ExchangeError::WrongCluster(_)) => 4,
            Err(ExchangeError::Other(_) | ExchangeError::Local(_) | ExchangeError::Busy) => 5,
        };
        self.with(|totals| {
            totals.outcomes[outcome] += 1;
            if answer.is_ok() {
                totals.total_duration += duration;
                let index = DURATION_BOUNDS.iter().position(|bound| duration <= Duration::from_millis(*bound));
                totals.durations[index.unwrap_or(DURATION_BOUNDS.len())] += 1;
            }
        });
    }

    pub fn totals(&self) -> ExchangeTotals {
        self.with(|totals| *totals)
    }

    fn with<R>(&self, act: impl FnOnce(&mut ExchangeTotals) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
