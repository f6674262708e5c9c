//! What a peer answers.

#![no_main]

use clustershazbot::message::Message;
use clustershazbot_fuzz::{bounded, edge, survives};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    bounded(json, || {
        let _ = Message::text_of(json);
        let _ = Message::from_json(json, edge());
    });
    if let Ok(message) = Message::from_json(json, edge()) {
        survives(&message);
    }
});
