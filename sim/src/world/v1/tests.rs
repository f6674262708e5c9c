//! The defects of version 1's policy that clusters of both versions meet.

use clustershazbot::message::Message;

use super::super::server::{EPOCH, settings};
use super::*;

fn at(ms: u64) -> Now {
    Now { mono: Duration::from_millis(ms), wall: EPOCH + ms }
}

pub fn url(server: usize) -> ServerUrl {
    settings(server, Duration::from_secs(30)).expect("valid").base_url
}

fn v1(server: usize) -> V1 {
    V1::new(settings(server, Duration::from_secs(30)).expect("valid"), at(0), 1)
}

pub fn entry(server: usize, state: State, stamp: u64) -> Entry {
    Entry { url: url(server), monitor: false, state, stamp: at(stamp).wall, v2: None }
}

/// Gives a server a message. Returns the entries of the answer.
fn gossip(v1: &mut V1, now: u64, entries: Vec<Entry>) -> Vec<(ServerUrl, State, u64)> {
    let answer = v1.handle_gossip(at(now), &Message::new(entries));
    answer.entries.into_iter().map(|entry| (entry.url, entry.state, entry.stamp - EPOCH)).collect()
}

#[test]
fn a_stale_online_entry_erases_a_newer_offline_one() {
    let mut it = v1(0);
    let lists = gossip(&mut it, 10, vec![entry(1, State::Online, 1), entry(1, State::Offline, 9)]);
    assert_eq!(lists, [(url(0), State::Online, 10), (url(1), State::Offline, 9)]);
    let lists = gossip(&mut it, 11, vec![entry(1, State::Online, 2)]);
    assert_eq!(lists, [(url(0), State::Online, 11), (url(1), State::Online, 2)]);
}

#[test]
fn a_drained_server_that_receives_gossip_is_in_both_lists_with_equal_stamps() {
    let mut it = v1(0);
    it.handle_control(at(5), false);
    assert_eq!(it.entry(&url(0)).map(|own| own.state), Some(State::Offline));
    assert_eq!(gossip(&mut it, 9, vec![]), [(url(0), State::Online, 9), (url(0), State::Offline, 9)]);
}

#[test]
fn a_server_listed_offline_by_a_fast_clock_is_in_both_lists_until_its_own_clock_has_caught_up() {
    let mut it = v1(0);
    let both = gossip(&mut it, 10, vec![entry(0, State::Offline, 100)]);
    assert_eq!(both, [(url(0), State::Online, 10), (url(0), State::Offline, 100)]);
    assert_eq!(gossip(&mut it, 101, vec![]), [(url(0), State::Online, 101)]);
}

#[test]
fn an_entry_stamped_in_the_future_cannot_be_moved_offline() {
    let mut it = v1(0);
    gossip(&mut it, 10, vec![entry(1, State::Online, 100)]);
    it.move_offline(&url(1), at(50));
    assert_eq!(it.entry(&url(1)).map(|it| it.state), Some(State::Online));
    it.move_offline(&url(1), at(100));
    assert_eq!(it.entry(&url(1)).map(|it| it.state), Some(State::Offline));
}
