//! Which entries from peers are listed, verified, called back or ignored.

use super::*;

#[test]
fn a_reported_failure_of_a_silent_server_is_listed_at_once() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(5))]);
    server.receive_v2(&reporter(), vec![failed("b", WALL + 1, 5)]);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_leave_is_listed_at_once() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(5))]);
    server.receive_v2(&reporter(), vec![offline("b", WALL + 1, 6, Reason::Left, "b")]);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_failed_server_is_listed_online_when_another_server_reports_it_online() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 5)]);
    server.receive_v2(&reporter(), vec![entry("b", ONLINE, WALL + 10, Some(WALL + 10))]);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_sender_that_is_listed_as_failed_is_sent_that_entry() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 5)]);
    let answer = server.receive_v2(&entry("b", ONLINE, WALL + 1, Some(5)), vec![]);
    assert!(answer.entries.contains(&failed("b", WALL, 5)));
}

#[test]
fn a_leave_wins_over_a_failure_that_others_report_soon_after_it() {
    let mut leaver = Server::new("b");
    leaver.receive_v2(&reporter(), vec![]);
    leaver.core.handle_leave(leaver.now);
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    server.receive_v2(&reporter(), vec![leaver.own_entry().clone()]);
    server.receive_v2(&reporter(), vec![failed("b", WALL + 20_000, WALL)]);
    let reason = server.entry_of(&url("b")).v2.and_then(|v2| v2.reason);
    assert_eq!(reason, Some(Reason::Left));
}

#[test]
fn a_drained_server_that_leaves_is_listed_as_left_also_if_it_was_contested() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.advance(1_000);
    server.core.members.contest(&url("b"), server.now);
    let drained = offline("b", WALL + 1, 6, Reason::Drained, "b");
    server.core.merge_entry(&drained, Source::Reached, &mut entries::Learned::default(), server.now);
    let left = offline("b", WALL + 2, 7, Reason::Left, "b");
    server.receive_v2(&left, vec![]);
    server.run_with_refusals("b", 10);
    let reason = server.entry_of(&url("b")).v2.and_then(|v2| v2.reason);
    assert_eq!(reason, Some(Reason::Left));
}

#[test]
fn a_reported_leave_of_a_server_that_contacted_us_recently_is_verified_first() {
    for (seconds, messages, state) in [(0, 1, ONLINE), (31, 0, OFFLINE)] {
        let mut server = Server::new("a");
        server.add_member("b", Some(5));
        server.finish_broadcasts();
        server.advance(seconds * 1_000);
        let left = offline("b", WALL + 1, 6, Reason::Left, "b");
        server.receive_v2(&reporter(), vec![left.clone()]);
        let sent = server.take_actions();
        let tells_b = |action: &&Action| match action {
            Action::Gossip { to, message, .. } => *to == url("b") && message.entries.contains(&left),
            _ => false,
        };
        assert_eq!(sent.iter().filter(tells_b).count(), messages, "{sent:?}");
        assert_eq!(server.state_of("b"), Some(state));
    }
}

#[test]
fn a_lie_about_a_living_server_works_once_and_its_repetitions_do_not() {
    let mut server = Server::new("a");
    let alive = |server: &Server, incarnation| entry("b", ONLINE, server.now.wall, Some(incarnation));
    server.receive_v1(vec![alive(&server, 5)]);
    server.advance(31_000);
    server.receive_v2(&reporter(), vec![offline("b", server.now.wall, 6, Reason::Left, "b")]);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    // It refutes the lie, and answers every later one.
    server.receive_v2(&reporter(), vec![alive(&server, server.now.wall + 1)]);
    for _ in 0..100 {
        let incarnation = server.now.wall + 2;
        server.receive_v2(&reporter(), vec![offline("b", incarnation, incarnation, Reason::Drained, "b")]);
        assert_eq!(server.state_of("b"), Some(ONLINE));
        for (id, to) in gossip_requests(&server.tick()) {
            let answer = if to == url("b") {
                Message::new_v2(alive(&server, incarnation + 1), None, Envelope::default())
            } else {
                server.empty_answer_of(&to)
            };
            server.core.handle_response(server.now, id, Ok(answer));
        }
    }
}

#[test]
fn a_server_that_went_back_to_version_1_after_its_leave_is_listed_once_it_is_reached() {
    let mut leaver = Server::new("b");
    leaver.receive_v2(&reporter(), vec![]);
    leaver.core.handle_leave(leaver.now);
    let mut server = Server::new("a");
    server.receive_v2(leaver.own_entry(), vec![]);
    server.take_actions();
    server.advance(2_000);
    // The leave is stamped ahead, so the new process has an older stamp.
    let of_v1 = entry("b", ONLINE, server.now.wall, None);
    server.receive_v1(vec![of_v1.clone()]);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    let (id, to) = gossip_requests(&server.take_actions()).remove(0);
    assert_eq!(to, url("b"), "it is called back");
    server.core.handle_response(server.now, id, Ok(Message::new(vec![of_v1])));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn lies_that_come_faster_than_a_server_answers_do_not_win_over_its_answer() {
    let mut server = Server::new("a");
    let alive = |server: &Server, incarnation| entry("b", ONLINE, server.now.wall, Some(incarnation));
    server.receive_v1(vec![alive(&server, WALL)]);
    server.advance(31_000);
    let lie = |server: &mut Server| {
        let wall = server.now.wall;
        server.receive_v2(&reporter(), vec![offline("b", wall, wall, Reason::Left, "b")]);
    };
    lie(&mut server);
    let last_seen = server.now.wall;
    for _ in 0..10 {
        server.advance(10);
        lie(&mut server);
    }
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    // It refutes the first lie, and gets the last one in the answer.
    let answer = server.receive_v2(&alive(&server, last_seen + 1), vec![]);
    let held = answer.entries.iter().find(|entry| entry.url == url("b")).expect("what is held of it").clone();
    assert_eq!(held.stamp, server.now.wall);
    for _ in 0..10 {
        server.advance(10);
        lie(&mut server);
    }
    server.receive_v2(&alive(&server, held.stamp + 1), vec![]);
    let call_back = gossip_requests(&server.take_actions()).into_iter().rfind(|(_, to)| *to == url("b"));
    let (id, _) = call_back.expect("it is contacted");
    let answer = Message::new_v2(alive(&server, held.stamp + 1), None, Envelope::default());
    server.core.handle_response(server.now, id, Ok(answer));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_that_answers_is_listed_despite_an_entry_ahead_of_its_clock() {
    let mut server = Server::new("a");
    let ahead = WALL + 3 * HOUR;
    server.receive_v2(&reporter(), vec![offline("b", ahead, ahead, Reason::Left, "b")]);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    server.take_actions();
    let alive = entry("b", ONLINE, WALL, Some(WALL));
    server.receive_v2(&alive, vec![]);
    let (id, to) = gossip_requests(&server.take_actions()).remove(0);
    assert_eq!((server.state_of("b"), to), (Some(OFFLINE), url("b")), "it is called back");
    server.core.handle_response(server.now, id, Ok(Message::new_v2(alive, None, Envelope::default())));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_that_was_up_after_it_was_listed_offline_is_sent_that_entry() {
    for (stamped_after, is_notified) in [(true, true), (false, false)] {
        let mut server = Server::new("a");
        server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL))]);
        server.advance(31_000);
        let before = server.now.wall - 1_000;
        server.receive_v2(&reporter(), vec![offline("b", before + 2_000, before + 2_000, Reason::Left, "b")]);
        server.advance(500);
        server.finish_broadcasts();
        server.take_actions();
        let stamp = if stamped_after { server.now.wall } else { before };
        // Its refutation of an earlier lie, passed on by another server.
        server.receive_v2(&reporter(), vec![entry("b", ONLINE, stamp, Some(WALL + 1))]);
        let is_contacted = gossip_requests(&server.take_actions()).iter().any(|(_, to)| *to == url("b"));
        assert_eq!((server.state_of("b"), is_contacted), (Some(OFFLINE), is_notified));
    }
}

#[test]
fn a_new_server_is_listed_when_it_answers_and_not_when_it_only_speaks() {
    let mut server = Server::new("a");
    let new = entry("b", ONLINE, WALL, Some(WALL));
    let hello = Message::new_v2(new.clone(), vec![], Envelope::default());
    server.core.handle_gossip(server.now, &hello);
    // Nothing listens at its base URL.
    server.run_with_refusals("b", 10);
    assert_eq!(server.state_of("b"), None);
    server.core.handle_gossip(server.now, &hello);
    let (id, to, _) = server.next_message(|_| true);
    assert_eq!(to, url("b"));
    server.respond_v2(id, &new, vec![]);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_second_process_with_a_base_url_does_not_displace_the_one_that_answers_there() {
    let mut server = Server::new("a");
    let first = entry("b", ONLINE, WALL, Some(WALL));
    server.receive_v2(&first, vec![]);
    server.finish_broadcasts();
    let mut second = entry("b", ONLINE, server.now.wall, Some(server.now.wall));
    second.v2 = second.v2.map(|v2| EntryV2 { instance: 99, ..v2 });
    server.receive_v2(&second, vec![]);
    server.run_with_failures(&[], 60, &ExchangeError::TimedOut);
    assert_eq!(server.entry_of(&url("b")).instance(), first.instance());
}

/// Runs while a new server sends a message each second and its base URL fails. Returns after how many seconds it is
/// listed as failed.
fn seconds_until_failed(error: &ExchangeError, speaks_for: u64) -> Option<u64> {
    let mut server = Server::new("a");
    server.add_member("c", Some(1));
    let hello = Message::new_v2(entry("b", ONLINE, WALL, Some(WALL)), vec![], Envelope::default());
    (1..=120).find(|second| {
        if *second <= speaks_for {
            server.core.handle_gossip(server.now, &hello);
        }
        server.run_with_failures(&["b"], 1, error);
        assert_ne!(server.state_of("b"), Some(ONLINE));
        server.state_of("b") == Some(OFFLINE)
    })
}

#[test]
fn a_new_server_that_cannot_be_reached_is_listed_as_failed_after_a_while() {
    let after = |error: &ExchangeError| seconds_until_failed(error, 120).expect("it is listed");
    assert!((50..=60).contains(&after(&refused())), "it may not listen yet");
    assert!((50..=60).contains(&after(&ExchangeError::TimedOut)));
    assert!(
        (50..=60).contains(&after(&ExchangeError::Unreachable("ENOTFOUND".into()))),
        "its name may not resolve yet"
    );
    assert!((10..=20).contains(&after(&ExchangeError::Other("HTTP 404".into()))), "something else answers");
    assert_eq!(seconds_until_failed(&refused(), 5), None, "it has ended before it listened");
}

#[test]
fn a_new_process_that_cannot_be_reached_does_not_keep_the_one_before_online() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.add_member("c", Some(1));
    server.finish_broadcasts();
    server.core.handle_hint(server.now, &url("b"));
    for _ in 0..5 {
        let mut new = entry("b", ONLINE, server.now.wall, Some(WALL));
        new.v2 = new.v2.map(|v2| EntryV2 { instance: 99, ..v2 });
        server.core.handle_gossip(server.now, &Message::new_v2(new, vec![], Envelope::default()));
        server.run_with_refusals("b", 1);
    }
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}
