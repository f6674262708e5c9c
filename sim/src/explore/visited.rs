//! The set of states that were visited, as hashes, each with the number of surprises that were left at its best visit.
//!
//! 61 bits of each hash are kept. Of 10 million states two share them with a probability of 2 in 100 000; a state with the
//! hash of another one would not be explored.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many bits hold the number of surprises that are left, plus one: an empty place is 0.
const BITS: u32 = 3;

/// The most surprises that a set can tell apart.
pub const MAX_LEFT: u8 = 6;

/// What a visit has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The state was not known.
    New,
    /// It was known, with fewer surprises left.
    Better,
    /// Nothing new can follow.
    Known,
}

/// A table with open addressing, which threads share without a lock.
pub struct Visited {
    places: Vec<AtomicU64>,
    count: AtomicUsize,
}

impl Visited {
    /// Room for this number of states: 12 to 24 bytes for each.
    pub fn new(states: usize) -> Self {
        let places = (states + states / 2).next_power_of_two().max(1024);
        Self { places: (0..places).map(|_| AtomicU64::new(0)).collect(), count: AtomicUsize::new(0) }
    }

    /// How many states are known.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Visits a state, with this number of surprises left.
    pub fn visit(&self, hash: u64, left: u8) -> Visit {
        let (tag, value) = (hash >> BITS, u64::from(left.min(MAX_LEFT)) + 1);
        let mask = self.places.len() - 1;
        let mut place = tag as usize & mask;
        loop {
            let known = self.places[place].load(Ordering::Relaxed);
            let (known_tag, known_value) = (known >> BITS, known & ((1 << BITS) - 1));
            if known != 0 && known_tag != tag {
                place = (place + 1) & mask;
            } else if known != 0 && known_value >= value {
                return Visit::Known;
            } else {
                let new = tag << BITS | value;
                let exchange = self.places[place].compare_exchange(known, new, Ordering::Relaxed, Ordering::Relaxed);
                // If another thread has changed the place, it is looked at again.
                if exchange.is_ok() && known == 0 {
                    self.count.fetch_add(1, Ordering::Relaxed);
                    return Visit::New;
                } else if exchange.is_ok() {
                    return Visit::Better;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_explored_again_only_with_more_surprises_left() {
        let visited = Visited::new(10);
        let one = 0x1234_5678_9abc_def0;
        assert_eq!(visited.visit(one, 1), Visit::New);
        assert_eq!(visited.visit(one, 1), Visit::Known);
        assert_eq!(visited.visit(one, 0), Visit::Known);
        assert_eq!(visited.visit(one, 2), Visit::Better);
        // The same place in the table.
        assert_eq!(visited.visit(one ^ 1 << 63, 0), Visit::New);
        assert_eq!(visited.len(), 2);
    }
}
