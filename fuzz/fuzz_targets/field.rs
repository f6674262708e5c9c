//! The field `shazbot` of a message.

#![no_main]

use clustershazbot::message::Message;
use clustershazbot_fuzz::{assert_round_trip, bounded, validator};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    bounded(text.as_bytes(), || drop(Message::from_field(text, validator())));
    if let Some(Ok(message)) = Message::from_field(text, validator()) {
        assert_round_trip(&message);
    }
});
