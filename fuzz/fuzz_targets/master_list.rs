//! The document of a master list.

#![no_main]

use clustershazbot::message::{Message, State};
use clustershazbot_fuzz::{assert_round_trip, bounded, validator};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    bounded(json, || drop(Message::from_master_list(json, validator())));
    if let Ok(mut list) = Message::from_master_list(json, validator()) {
        assert_round_trip(&list);
        let written = Message::from_master_list(&list.to_master_list(), validator()).expect("written by us");
        list.entries.retain(|entry| entry.state == State::Online);
        assert_eq!(written.entries, list.entries);
    }
});
