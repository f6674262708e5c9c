//! Tests of the membership list, and helpers for all tests of the core.

use std::time::Duration;

use super::*;
use crate::clock::HOUR;
use crate::message::{EntryV2, Extensions};

pub(crate) const WALL: u64 = 1_800_000_000_000;

pub(crate) fn at(seconds: u64) -> Now {
    Now { mono: Duration::from_secs(seconds), wall: WALL + seconds * 1000 }
}

pub(crate) fn url(name: &str) -> ServerUrl {
    ServerUrl::parse(&format!("http://{name}/")).expect(name)
}

pub(crate) fn entry(name: &str, state: State, stamp: u64, incarnation: Option<u64>) -> Entry {
    let v2 = incarnation.map(|incarnation| EntryV2 {
        incarnation,
        instance: 1,
        reason: None,
        author: None,
        extensions: Extensions::default(),
    });
    Entry { url: url(name), monitor: false, state, stamp, v2 }
}

#[test]
fn an_entry_older_than_a_failure_does_not_list_the_server_online() {
    let mut members = Members::new(url("own"));
    members.merge(entry("a", State::Online, WALL, Some(WALL)), at(0));
    members.mark_failed(&url("a"), at(10).mono, at(10));
    // A version 1 peer put it back into the master list with a new stamp and the same incarnation.
    members.merge(entry("a", State::Online, WALL + HOUR, Some(WALL)), at(11));
    // A tool removed the incarnation from the entry.
    members.merge(entry("a", State::Online, WALL + 9_000, None), at(11));
    assert_eq!(members.state(&url("a")), Some(State::Offline));
    // The server refutes the failure with a higher incarnation.
    members.merge(entry("a", State::Online, WALL + 1, Some(WALL + HOUR)), at(12));
    assert_eq!(members.state(&url("a")), Some(State::Online));
}

#[test]
fn an_online_entry_older_than_20_hours_is_ignored() {
    let mut members = Members::new(url("own"));
    assert_eq!(members.merge(entry("a", State::Online, WALL - 20 * HOUR - 1, None), at(0)), Change::None);
    assert_eq!(members.merge(entry("a", State::Online, WALL - 20 * HOUR, None), at(0)), Change::Online);
}

#[test]
fn a_tombstone_expires_after_24_hours_and_is_not_listed_again() {
    let mut members = Members::new(url("own"));
    let tombstone = entry("a", State::Offline, WALL, Some(5));
    members.merge(tombstone.clone(), at(0));
    members.expire(at(24 * 3600));
    assert!(members.get(&url("a")).is_some());
    members.expire(at(24 * 3600 + 1));
    assert!(members.get(&url("a")).is_none());
    assert_eq!(members.merge(tombstone, at(24 * 3600 + 1)), Change::None);
}

#[test]
fn a_failure_is_stamped_by_the_clock_of_the_failed_server() {
    // Its clock is an hour slow.
    for (incarnation, expected) in [(Some(5), 8_000), (None, 10_000)] {
        let mut members = Members::new(url("own"));
        members.merge(entry("a", State::Online, WALL - HOUR, incarnation), at(0));
        members.mark_failed(&url("a"), at(8).mono, at(10));
        assert_eq!(members.get(&url("a")).expect("listed").entry.stamp, WALL - HOUR + expected);
    }
}

#[test]
fn entries_listed_while_our_clock_was_ahead_are_removed_once_it_is_right() {
    let mut members = Members::new(url("own"));
    let days = 3 * 24 * HOUR;
    let wrong = Now { wall: WALL + days, ..at(0) };
    members.merge(entry("a", State::Online, WALL + days, Some(WALL + days)), wrong);
    members.merge(entry("b", State::Online, WALL + days, None), wrong);
    assert_eq!(members.expire(at(1)).0.len(), 2);
    assert_eq!(members.entries().count(), 0);
}

#[test]
fn the_list_does_not_grow_beyond_its_limit() {
    let mut members = Members::new(url("own"));
    for i in 0..=MAX_SERVERS {
        members.merge(entry(&format!("s{i}"), State::Online, WALL, None), at(0));
    }
    assert_eq!(members.entries().count(), MAX_SERVERS);
    assert_eq!(members.merge(entry("s0", State::Online, WALL + 1, None), at(1)), Change::Refreshed);
}
