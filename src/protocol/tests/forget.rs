//! How leaves are forgotten.

use super::*;
use crate::clock::MAX_CLOCK_ERROR;
use crate::membership::{LEAST_LEAVE_TTL, TOMBSTONE_TTL};

fn left(name: &str, stamp: u64) -> Entry {
    offline(name, stamp, WALL, Reason::Left, name)
}

/// A server that received a leave and a failure this many ms ago.
fn server_with_old_tombstones(ms: u64) -> Server {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![left("left", WALL), failed("failed", WALL, WALL)]);
    server.now.wall += ms;
    server.run(61);
    server
}

#[test]
fn a_server_that_left_is_forgotten_long_before_one_that_failed() {
    let server = server_with_old_tombstones(LEAST_LEAVE_TTL - 62_000);
    assert_eq!((server.state_of("left"), server.state_of("failed")), (Some(OFFLINE), Some(OFFLINE)));
    let server = server_with_old_tombstones(LEAST_LEAVE_TTL);
    assert_eq!((server.state_of("left"), server.state_of("failed")), (None, Some(OFFLINE)));
}

#[test]
fn leaves_that_expire_at_the_same_moment_are_forgotten_in_turns() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), (0..5_000).map(|i| left(&format!("left{i}"), WALL)).collect());
    server.now.wall += LEAST_LEAVE_TTL;
    let known = |server: &Server| server.core.members().entries().count();
    let before = known(&server);
    server.run(60);
    assert!((1..=1_000).contains(&(before - known(&server))), "the event loop may wait for the core");
    server.run(6);
    assert_eq!(before - known(&server), 5_000);
}

#[test]
fn a_leave_that_is_forgotten_is_not_listed_again() {
    let mut server = server_with_old_tombstones(LEAST_LEAVE_TTL);
    server.receive_v2(&Entry { stamp: server.now.wall, ..reporter() }, vec![left("left", WALL)]);
    assert_eq!(server.state_of("left"), None);
}

#[test]
fn a_server_that_may_have_left_and_been_forgotten_is_listed_only_when_it_answers() {
    for clock_set_back in [0, 2 * MAX_CLOCK_ERROR] {
        let mut server = server_with_old_tombstones(LEAST_LEAVE_TTL);
        server.now.wall -= clock_set_back;
        let before_its_leave = entry("left", ONLINE, WALL - 1, Some(WALL - 1));
        server.take_actions();
        server.receive_v2(&Entry { stamp: server.now.wall, ..reporter() }, vec![before_its_leave]);
        assert_eq!(server.state_of("left"), None);
        let contacts = gossip_requests(&server.take_actions());
        assert!(contacts.iter().any(|(_, to)| *to == url("left")), "{contacts:?}");
    }
}

#[test]
fn a_server_that_sends_an_entry_older_than_a_leave_is_sent_the_leave_even_if_digests_omit_it() {
    for stale in [entry("left", ONLINE, WALL - 1, Some(WALL - 1)), failed("left", WALL - 1, WALL - 1)] {
        let mut server = server_with_old_tombstones(LEAST_LEAVE_TTL - 62_000);
        let cutoff = server.now.wall - (TOMBSTONE_TTL - 3 * HOUR);
        let digest = crate::message::Digest { hash: 1, cutoff };
        let envelope = Envelope { digest: Some(digest), requested_buckets: vec![true; 4], ..Envelope::default() };
        let sender = Entry { stamp: server.now.wall, ..reporter() };
        let answer = server.core.handle_gossip(server.now, &Message::new_v2(sender, [stale], envelope));
        assert!(answer.entries.contains(&left("left", WALL)), "{answer:?}");
    }
}
