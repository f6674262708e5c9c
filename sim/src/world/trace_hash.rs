//! The hash of a run: every event with its time, and every body that is sent.

use std::time::Duration;

/// An FNV-1a hash.
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl TraceHash {
    /// Adds the body of a message.
    pub fn add_body(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    /// Adds an event.
    pub fn add_event(&mut self, at: Duration, text: &str) {
        self.add_body(format!("{at:?} {text}\n").as_bytes());
    }

    /// The hash of all that was added.
    pub fn value(&self) -> u64 {
        self.0
    }
}
