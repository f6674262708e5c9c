//! A peer's answer.

#![no_main]

use clustershazbot::message::Message;
use clustershazbot_fuzz::{assert_round_trip, bounded, validator};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    bounded(json, || {
        let _ = Message::field_of(json);
        let _ = Message::from_json(json, validator());
    });
    if let Ok(message) = Message::from_json(json, validator()) {
        assert_round_trip(&message);
    }
});
