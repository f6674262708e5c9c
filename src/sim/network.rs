//! What lies between two servers.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// How long a message takes, ms.
const LATENCY: std::ops::RangeInclusive<u64> = 1..=50;

/// A rule on who reaches whom.
pub type Cut = Box<dyn Fn(usize, usize) -> bool>;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It arrives after this time.
    After(Duration),
    /// It does not arrive, and nobody is told.
    Lost,
}

/// A network.
pub struct Network {
    /// Whether nothing gets from one server to another.
    pub cut: Option<Cut>,
    rng: SmallRng,
}

impl Network {
    /// A network without faults: 1 to 50 ms from anywhere to anywhere.
    pub fn new(seed: u64) -> Self {
        Self { cut: None, rng: SmallRng::seed_from_u64(seed) }
    }

    /// What becomes of a message that is sent now.
    pub fn passage(&mut self, from: usize, to: usize) -> Passage {
        let latency = Duration::from_millis(self.rng.random_range(LATENCY));
        if self.cut.as_ref().is_some_and(|cut| cut(from, to)) { Passage::Lost } else { Passage::After(latency) }
    }
}
