//! What is verified before it is listed: reported failures, and failed servers that claim to be online.

use super::*;

#[test]
fn a_reported_failure_of_a_server_that_contacted_us_recently_is_verified_before_it_is_listed() {
    for (answers, state) in [(true, ONLINE), (false, OFFLINE)] {
        let mut server = Server::new("a");
        server.add_member("b", Some(5));
        server.finish_broadcasts();
        server.receive_v2(&reporter(), vec![failed("b", WALL + 1, 5)]);
        assert_eq!(server.state_of("b"), Some(ONLINE));
        let sent = server.take_actions();
        let Action::Gossip { id, to, message, .. } = &sent[0] else { panic!("{sent:?}") };
        assert_eq!(*to, url("b"));
        assert!(message.entries.contains(&failed("b", WALL + 1, 5)), "the server gets the report about it");
        if answers {
            server.respond_v2(*id, &entry("b", ONLINE, WALL + 2, Some(WALL + 2)), vec![]);
        } else {
            server.fail(*id, ExchangeError::TimedOut);
            let retry = gossip_requests(&server.take_actions());
            server.fail(retry[0].0, ExchangeError::TimedOut);
        }
        assert_eq!(server.state_of("b"), Some(state));
        assert!(!server.core.verifier.has_reports());
    }
}

#[test]
fn a_reported_failure_older_than_the_last_stamp_of_the_server_is_verified_first() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(5))]);
    server.run(120);
    server.receive_v2(&reporter(), vec![entry("b", ONLINE, WALL + 100_000, Some(5))]);
    server.receive_v2(&reporter(), vec![failed("b", WALL + 50_000, 5)]);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_failed_server_is_not_listed_online_by_its_own_entry_alone() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 5)]);
    server.take_actions();
    let online = entry("b", ONLINE, WALL + 10, Some(WALL + 10));
    let answer = server.receive_v2(&online, vec![]);
    assert!(!answer.entries.contains(&failed("b", WALL, 5)), "its own entry is newer than the failure");
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    let call_back = gossip_requests(&server.take_actions());
    assert_eq!(call_back[0].1, url("b"));
    server.respond_v2(call_back[0].0, &online, vec![]);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_failed_server_that_does_not_answer_its_call_back_stays_offline() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 5)]);
    for i in 1..40 {
        let online = entry("b", ONLINE, server.now.wall, Some(WALL + i * 10));
        server.receive_v2(&online, vec![]);
        server.run_with_refusals("b", 30);
        assert_eq!(server.state_of("b"), Some(OFFLINE));
    }
}

#[test]
fn a_flood_of_reported_failures_is_verified_at_a_bounded_rate() {
    let mut server = Server::new("a");
    for i in 0..500 {
        server.add_member(&format!("s{i}"), Some(5));
    }
    server.take_actions();
    let failures = (0..500).map(|i| failed(&format!("s{i}"), WALL + 1, 5)).collect();
    server.receive_v2(&reporter(), failures);
    let sent = gossip_requests(&server.run(10)).len();
    assert!((20..60).contains(&sent), "{sent}");
}

/// A server that was sent 20 000 reports about invented servers, which have never answered it.
fn server_with_false_reports() -> Server {
    let mut server = Server::new("a");
    let names: Vec<_> = (0..20_000).map(|i| format!("s{i}")).collect();
    server.receive_v1(names.iter().map(|name| entry(name, ONLINE, WALL, Some(5))).collect());
    server.receive_v1(names.iter().map(|name| failed(name, WALL + 1, 5)).collect());
    server.take_actions();
    server
}

/// Whether `b` is sent the report that it has failed.
fn verifies_b(actions: &[Action]) -> bool {
    let is_report = |entry: &Entry| entry.url == url("b") && entry.is_failure();
    let is_verification = |action: &Action| match action {
        Action::Gossip { to, message, .. } => *to == url("b") && message.entries.iter().any(is_report),
        _ => false,
    };
    actions.iter().any(is_verification)
}

#[test]
fn reports_about_invented_servers_do_not_delay_a_true_report() {
    let mut server = server_with_false_reports();
    server.add_member("b", Some(5));
    server.receive_v1(vec![failed("b", server.now.wall + 1, 5)]);
    assert!(verifies_b(&server.run(2)));
}

#[test]
fn claims_in_invented_names_do_not_delay_the_verification_of_a_true_report() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.finish_broadcasts();
    // So old that each server is contacted before it is listed.
    let claims = (0..50).map(|i| entry(&format!("old-{i}"), ONLINE, WALL - 10 * HOUR, Some(5))).collect();
    server.receive_v2(&reporter(), claims);
    assert_eq!(gossip_requests(&server.take_actions()).len(), 6, "claims use up their rate limit");
    server.receive_v2(&reporter(), vec![failed("b", WALL + 1, 5)]);
    assert!(verifies_b(&server.take_actions()));
}

/// A server that has been verifying a report about `b` for a second.
fn server_that_verifies_b() -> (Server, RequestId) {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.finish_broadcasts();
    server.receive_v2(&reporter(), vec![failed("b", server.now.wall, 5)]);
    let verification = gossip_requests(&server.take_actions())[0].0;
    server.run(1);
    (server, verification)
}

#[test]
fn a_server_that_contacts_us_during_its_verification_is_not_listed_as_failed() {
    let (mut server, verification) = server_that_verifies_b();
    server.fail(verification, ExchangeError::TimedOut);
    server.receive_v2(&entry("b", ONLINE, server.now.wall, Some(server.now.wall)), vec![]);
    server.run_with_failures(&["b"], 1, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_report_about_a_server_that_still_contacts_us_is_verified_again_later() {
    let (mut server, verification) = server_that_verifies_b();
    // It contacts us but does not answer, so it is not listed offline yet. Then it dies.
    server.receive_v2(&entry("b", ONLINE, server.now.wall, Some(5)), vec![]);
    server.fail(verification, ExchangeError::TimedOut);
    server.run_with_failures(&["b"], 4, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    assert!(server.core.verifier.has_reports());
    server.run_with_failures(&["b"], 20, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    assert!(!server.core.verifier.has_reports());
}

#[test]
fn a_stamp_from_before_the_clock_of_a_server_was_set_back_does_not_excuse_its_silence() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.finish_broadcasts();
    server.receive_v2(&reporter(), vec![entry("b", ONLINE, WALL + 50_000, Some(5))]);
    // Its clock is set back by half an hour, and it answers.
    let contact = server.next_message(|_| true);
    assert_eq!(contact.1, url("b"));
    server.respond_v2(contact.0, &entry("b", ONLINE, WALL - 1_800_000, Some(5)), vec![]);
    server.finish_broadcasts();
    server.receive_v2(&reporter(), vec![failed("b", server.now.wall, 5)]);
    server.run_with_failures(&["b"], 12, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}
