//! What the exchanges that this server began have cost.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::message::Message;
use crate::protocol::ExchangeError;

/// Upper ends of the classes of durations, ms: from a neighbour on the same machine to the longest time-out.
pub const BUCKETS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/// Counters since the start.
#[derive(Clone, Copy, Default)]
pub struct Measured {
    /// How many were answered; found nobody that listened; had no answer in time; reached nothing; reached one that does not
    /// take our secret or is of another cluster; failed for another reason.
    pub ends: [u64; 6],
    /// Of those that were answered: how many of each class, and longer ones.
    pub durations: [u64; BUCKETS.len() + 1],
    /// The sum of those.
    pub took: Duration,
    /// Bytes of bodies, sent and received.
    pub bytes: [u64; 2],
}

/// Keeps them. Only the engine's thread counts, and seldom anybody reads.
#[derive(Default)]
pub struct Meter(Mutex<Measured>);

impl Meter {
    pub fn sent(&self, bytes: usize) {
        self.change(|it| it.bytes[0] += bytes as u64);
    }

    pub fn received(&self, bytes: usize) {
        self.change(|it| it.bytes[1] += bytes as u64);
    }

    pub fn ended(&self, answer: &Result<Message, ExchangeError>, took: Duration) {
        let end = match answer {
            Ok(_) => 0,
            Err(ExchangeError::Refused(_)) => 1,
            Err(ExchangeError::TimedOut) => 2,
            Err(ExchangeError::Unreachable(_)) => 3,
            Err(ExchangeError::SecretRejected | ExchangeError::WrongCluster(_)) => 4,
            Err(ExchangeError::Other(_)) => 5,
        };
        self.change(|it| {
            it.ends[end] += 1;
            if end == 0 {
                it.took += took;
                let class = BUCKETS.iter().position(|most| took <= Duration::from_millis(*most));
                it.durations[class.unwrap_or(BUCKETS.len())] += 1;
            }
        });
    }

    pub fn read(&self) -> Measured {
        self.change(|it| *it)
    }

    fn change<R>(&self, act: impl FnOnce(&mut Measured) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
