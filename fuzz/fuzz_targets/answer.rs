//! What a peer answers.

#![no_main]

use clustershazbot::message::Message;
use clustershazbot_fuzz::{bounded, survives, validator};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    bounded(json, || {
        let _ = Message::field_of(json);
        let _ = Message::from_json(json, validator());
    });
    if let Ok(message) = Message::from_json(json, validator()) {
        survives(&message);
    }
});
