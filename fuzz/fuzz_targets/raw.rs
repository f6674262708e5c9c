//! Entries as JavaScript passes them, one per line: `<flags> <lastUpdate> <baseUrl> <shazbot>`. The flags are those of
//! `src/binding/packed.rs`.

#![no_main]

use clustershazbot::message::{Message, RawEntry, State};
use clustershazbot_fuzz::{assert_round_trip, bounded, validator};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    bounded(text.as_bytes(), || drop(Message::from_raw(text.split('\n').map(entry), validator())));
    assert_round_trip(&Message::from_raw(text.split('\n').map(entry), validator()).expect("few enough"));
});

fn entry(line: &str) -> (State, RawEntry<'_>) {
    let mut parts = line.splitn(4, ' ');
    let flags: u8 = parts.next().and_then(|flags| flags.parse().ok()).unwrap_or_default();
    let has = |bit| flags & bit != 0;
    let entry = RawEntry {
        stamp: parts.next().and_then(|stamp| stamp.parse().ok()),
        url: parts.next().filter(|_| has(4)),
        monitor: has(8).then_some(has(1)),
        v2: parts.next().filter(|_| has(16)),
    };
    (if has(2) { State::Offline } else { State::Online }, entry)
}
