//! The canonical form of a process, as a hash: two processes with the same one behave the same from now on.
//!
//! It is made of the derived `Debug` text of the process, so a field that is added to any part of the core becomes part of
//! the state without a change here. Two things are treated differently:
//!
//! - Numbers of exchanges and watches ([`IDS`]) count in the order in which they appear, because a process that has sent one
//!   message more behaves the same.
//! - Fields that decide nothing ([`IGNORED`]) are left out.
//!
//! Times stay as they are. A run is a few intervals long, and the timers of a server have different periods, so that a state
//! hardly ever comes again at a later time.

use std::fmt::{self, Debug, Write as _};
use std::hash::{DefaultHasher, Hasher as _};

/// Fields that two states may differ in and still count as the same: counters, texts and times for people, numbers that only
/// count, and what follows from other fields. Random numbers begin anew before each input. `admission` limits messages to
/// hundreds a second, and `last_failure` when a failure is logged again: neither matters in runs with a few messages.
pub const IGNORED: [&str; 8] =
    ["counters", "revision", "last_failure", "changed_at", "rng", "next_id", "groups", "admission"];
/// Fields whose numbers, the first in each value or each key, name exchanges and watches.
pub const IDS: [&str; 5] = ["under_way", "contacts", "exchanges", "opening", "open"];

/// The hash of a process, and the numbers of its exchanges and watches in the order of their appearance.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint {
    pub hash: u64,
    ids: Vec<u64>,
}

impl Fingerprint {
    /// The fingerprint of something that prints all that decides how it behaves.
    pub fn of(it: &impl Debug) -> Self {
        let mut text = Text::default();
        // What is lost here would be lost from the state.
        write!(text, "{it:?}").expect("the first number in each value of these fields is an id");
        Self { hash: hash(text.kept.as_bytes()), ids: text.ids }
    }

    /// The canonical number of an exchange or a watch. None if the process does not wait for it any more.
    pub fn id(&self, id: u64) -> Option<usize> {
        self.ids.iter().position(|it| *it == id)
    }
}

/// A hash that is the same in each run.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

// Reads the pieces that derived `Debug` writes one by one: names of fields, brackets, separators, numbers.
#[derive(Default)]
struct Text {
    kept: String,
    ids: Vec<u64>,
    depth: u32,
    // The depth of the field that is left out.
    ignored: Option<u32>,
    // The field with ids that is being read: its depth, and whether an id may come now.
    of_ids: Option<(u32, bool)>,
}

impl Text {
    fn on_bracket(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                b'{' | b'(' | b'[' => self.depth += 1,
                b'}' | b')' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.end_fields(self.depth + 1);
                }
                b',' => {
                    self.end_fields(self.depth);
                    // The next key of a map.
                    let inside = self.depth;
                    self.expect_id(|depth| depth + 1 == inside);
                }
                _ => {}
            }
        }
    }

    fn expect_id(&mut self, is_expected: impl Fn(u32) -> bool) {
        if let Some((depth, may_come)) = &mut self.of_ids {
            *may_come = is_expected(*depth);
        }
    }

    fn end_fields(&mut self, depth: u32) {
        self.ignored.take_if(|it| *it >= depth);
        self.of_ids.take_if(|(it, _)| *it >= depth);
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let first = piece.bytes().next().unwrap_or_default();
        if matches!(first, b'{' | b'}' | b'(' | b')' | b'[' | b']' | b',' | b' ') {
            self.on_bracket(piece);
        }
        if self.ignored.is_some() {
            return Ok(());
        }
        if IGNORED.contains(&piece) {
            self.ignored = Some(self.depth);
        } else if IDS.contains(&piece) {
            self.of_ids = Some((self.depth, true));
        } else if let Some((_, may_come @ true)) = &mut self.of_ids
            && first.is_ascii_digit()
        {
            *may_come = false;
            let id = piece.parse().map_err(|_| fmt::Error)?;
            let place = self.ids.iter().position(|it| *it == id).unwrap_or_else(|| {
                self.ids.push(id);
                self.ids.len() - 1
            });
            return write!(self.kept, "#{place}");
        } else if first.is_ascii_alphabetic() && piece != "Some" {
            // The name of a type or of a field: what follows is not an id.
            self.expect_id(|_| false);
        }
        self.kept.push_str(piece);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "it is only printed")]
    struct Sample {
        under_way: BTreeMap<u64, (u32, &'static str)>,
        counters: (u32, Vec<u32>),
        open: Option<(u64, u32)>,
        last: u32,
    }

    fn sample(first: u64, counted: u32, value: u32, last: u32) -> Fingerprint {
        let under_way = BTreeMap::from([(first, (value, "a")), (first + 5, (2, "b"))]);
        Fingerprint::of(&Sample { under_way, counters: (counted, vec![counted]), open: Some((first + 5, 1)), last })
    }

    #[test]
    fn numbers_of_exchanges_and_counters_make_no_difference_and_all_else_does() {
        let one = sample(7, 1, 3, 4);
        assert_eq!((one.id(7), one.id(12), one.id(8)), (Some(0), Some(1), None));
        assert_eq!(sample(70, 2, 3, 4).hash, one.hash);
        assert_ne!(sample(7, 1, 30, 4).hash, one.hash);
        assert_ne!(sample(7, 1, 3, 40).hash, one.hash);
    }
}
