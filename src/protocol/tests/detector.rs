//! What failed exchanges say of a server, and what they do not.

use super::*;

#[test]
fn a_probe_that_began_before_fresh_news_of_the_server_calls_nobody_dead() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.core.handle_response(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    // It stamped itself a second after the probe began, by its own clock.
    server.hear(vec![entry("b", ONLINE, server.now.wall + 1_000, Some(1))]);
    let again = server.next_gossip();
    server.core.handle_response(server.now, again, Err(ExchangeError::Other("time-out".into())));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn fresh_news_that_arrives_while_a_probe_is_under_way_counts_too() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.pass_tenth();
    server.hear(vec![entry("b", ONLINE, server.now.wall, Some(1))]);
    server.core.handle_response(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    assert_eq!(server.fail_probes_of("b", 10), 0, "there is nothing to ask a second time");
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_that_goes_on_speaking_and_never_answers_is_called_dead_in_the_end() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.meet("c", Some(1));
    for round in 0..10 {
        assert!(round > 5 || server.state_of("b") == Some(ONLINE), "it is spared at first");
        for _ in 0..30 {
            server.fail_probes(&["b"], 1, &ExchangeError::Other("it answered 404".into()));
            server.hear_ours(&entry("b", ONLINE, server.now.wall, Some(1)), vec![], Envelope::default());
        }
    }
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_reaches_nobody_calls_nobody_dead_that_speaks_to_it() {
    let mut server = Server::new("a");
    for name in ["b", "c"] {
        server.meet(name, Some(1));
    }
    for _ in 0..600 {
        server.fail_probes(&["b", "c"], 1, &ExchangeError::TimedOut);
        for name in ["b", "c"] {
            server.hear_ours(&entry(name, ONLINE, server.now.wall, Some(1)), vec![], Envelope::default());
        }
    }
    assert_eq!((server.state_of("b"), server.state_of("c")), (Some(ONLINE), Some(ONLINE)));
}

#[test]
fn fresh_news_counts_of_a_server_whose_clock_has_stepped_back() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL + HOUR, Some(1))]);
    server.pass(20);
    server.hear(vec![entry("b", ONLINE, WALL + HOUR + 1, Some(1))]);
    // Its own answer says what its clock shows.
    server.core.members.on_response(&url("b"), server.now);
    let probe = server.next_gossip();
    server.core.handle_response(server.now, probe, Err(ExchangeError::TimedOut));
    server.hear(vec![entry("b", ONLINE, WALL + HOUR + 60_000, Some(1))]);
    server.fail_probes_of("b", 15);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn old_news_that_arrives_late_does_not_save_a_dead_server() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.settle();
    let probe = server.next_gossip();
    server.core.handle_response(server.now, probe, Err(ExchangeError::Other("refused".into())));
    // Stamped before the probe began, heard after.
    server.hear(vec![entry("b", ONLINE, server.now.wall - 10_000, Some(1))]);
    server.fail_probes_of("b", 15);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_answers_with_errors_has_started() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(1))]);
    server.fail_probes(&["b"], 150, &ExchangeError::SecretRejected);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_has_never_answered_is_not_called_dead_in_its_first_minute() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(1))]);
    assert!(server.fail_probes_of("b", 55) >= 2);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.fail_probes_of("b", 45);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_program_whose_event_loop_hangs_neither_stamps_refutes_probes_nor_accuses() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.pass_with(6, false);
    let stamp = server.own().stamp;
    server.core.handle_response(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    let accusation = Message::new(vec![entry("a", OFFLINE, server.now.wall, Some(WALL))]);
    let from_b = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
    server.actions();
    server.core.handle_response(server.now, from_b, Ok(accusation));
    assert_eq!(gossips(&server.pass_with(90, false)), []);
    assert_eq!((server.own().stamp, server.state_of("b")), (stamp, Some(ONLINE)));
    assert_eq!(server.own().v2.as_ref().map(|v2| v2.incarnation), Some(WALL));
    // It answers when it is back.
    server.pass(40);
    assert!(server.own().v2.as_ref().is_some_and(|v2| v2.incarnation > WALL));
}

#[test]
fn probes_from_before_a_stall_of_our_own_accuse_nobody() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let probe = server.next_gossip();
    server.core.handle_response(server.now, probe, Err(ExchangeError::Other("time-out".into())));
    let again = server.next_gossip();
    server.pass_with(20, false);
    server.core.handle_heartbeat(server.now);
    server.core.handle_response(server.now, again, Err(ExchangeError::Other("time-out".into())));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}
