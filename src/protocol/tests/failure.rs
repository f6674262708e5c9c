//! Causes of failures, the time in a state, and the events that the program gets.

use super::detector::server_with_suspect;
use super::*;

/// Whether an event of this kind is about a server.
fn is_about(event: &Event, name: &str, wanted: MemberEventKind) -> bool {
    matches!(event, Event::Member(MemberEvent { kind, entry, .. }) if *kind == wanted && entry.url == url(name))
}

/// The failure in the last event of this kind about a server.
fn failure_in_event(events: &[Event], name: &str, kind: MemberEventKind) -> Option<Failure> {
    events.iter().rev().find(|event| is_about(event, name, kind)).and_then(|event| match event {
        Event::Member(event) => event.failure.clone(),
        _ => None,
    })
}

fn last_code(server: &Server, name: &str) -> Option<FailureCode> {
    let member = server.core.members().get(&url(name)).expect("listed");
    member.last_failure().map(|last| last.failure.code)
}

fn seconds_in_state(server: &Server, name: &str) -> u64 {
    let member = server.core.members().get(&url(name)).expect("listed");
    server.now.mono.saturating_sub(server.core.changed_at(member)).as_secs()
}

/// Runs while we cannot reach one server but everybody else can. Returns the events.
fn run_cut_off_from(server: &mut Server, name: &str, seconds: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..seconds * 10 {
        for action in server.tick() {
            let Action::Gossip { id, to, message, .. } = action else { continue };
            if to == url(name) {
                server.fail(id, ExchangeError::TimedOut);
                continue;
            }
            server.respond(id, server.empty_answer_of(&to));
            let requests = message.envelope.as_ref().map(|it| it.probe_requests.clone()).unwrap_or_default();
            if !requests.is_empty() {
                let helper = server.entry_of(&to);
                let report = Envelope { probe_successes: requests, ..Envelope::default() };
                server.receive_v2_with(&helper, vec![], report);
            }
        }
        events.extend(server.take_events());
    }
    events
}

#[test]
fn a_failure_is_remembered_until_the_server_answers() {
    let mut server = server_with_suspect(3, ExchangeError::NoAnswer(Duration::from_secs(5)));
    let member = server.core.members().get(&url("b")).expect("listed");
    let last = member.last_failure().expect("it failed");
    assert_eq!(last.failure, Failure::new("SHAZBOT_NO_ANSWER", "connected, no answer in 5 s"));
    assert_eq!(last.at, server.now.mono);
    let next = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
    server.fail(next, ExchangeError::Other(Failure { code: FailureCode::Http(404), text: "ü".repeat(500) }));
    assert_eq!(last_code(&server, "b"), Some(FailureCode::Http(404)), "the last one counts");
    let member = server.core.members().get(&url("b")).expect("listed");
    assert_eq!(member.last_failure().map(|last| last.failure.text.chars().count()), Some(200));
    let next = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
    server.respond(next, server.empty_answer_of(&url("b")));
    assert_eq!(last_code(&server, "b"), None);
}

#[test]
fn a_suspicion_and_a_failure_that_we_declare_name_the_cause() {
    let mut server = server_with_suspect(3, refused());
    let refused = Some(Failure::new("ECONNREFUSED", "refused"));
    assert_eq!(failure_in_event(&server.take_events(), "b", MemberEventKind::Suspect), refused);
    server.run_with_refusals("b", 3);
    assert_eq!(failure_in_event(&server.take_events(), "b", MemberEventKind::Offline), refused);
}

#[test]
fn another_server_at_the_base_url_and_a_host_that_vanished_are_causes_too() {
    let mut server = server_with_suspect(3, refused());
    let retry = server.core.send(Request::new(url("b"), Purpose::SuspectRetry), server.now);
    server.respond_v2(retry, &entry("c", ONLINE, WALL, Some(1)), vec![]);
    assert_eq!(last_code(&server, "b"), Some(FailureCode::Named("SHAZBOT_ANOTHER_SERVER")));
    server.add_member("d", Some(1));
    // A watch ends eleven seconds after the last acknowledged packet.
    server.run(12);
    server.take_events();
    server.core.on_vanished(&url("d"), server.now);
    let failure = failure_in_event(&server.take_events(), "d", MemberEventKind::Suspect).expect("a cause");
    assert_eq!(failure.code, FailureCode::Named("ETIMEDOUT"));
}

#[test]
fn a_failure_that_others_report_has_no_cause_of_ours_and_one_that_left_has_none() {
    let mut server = Server::new("a");
    for name in ["b", "c"] {
        server.add_member(name, Some(1));
    }
    server.run(40);
    let leaving = server.core.send(Request::new(url("c"), Purpose::Contact), server.now);
    server.fail(leaving, refused());
    let wall = server.now.wall;
    server.receive_v2(&reporter(), vec![failed("b", wall, 1), offline("c", wall, 2, Reason::Left, "c")]);
    let events = server.take_events();
    for name in ["b", "c"] {
        assert!(events.iter().any(|event| is_about(event, name, MemberEventKind::Offline)), "{name}");
        assert_eq!(failure_in_event(&events, name, MemberEventKind::Offline), None, "{name}");
    }
}

#[test]
fn the_time_in_a_state_begins_with_each_change_of_state_or_reason_and_with_a_suspicion() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.run_with_failures(&[], 40, &refused());
    assert_eq!(seconds_in_state(&server, "b"), 40);
    let restarted =
        EntryV2 { instance: 9, incarnation: 5, ..entry("b", ONLINE, WALL, Some(5)).v2.expect("protocol 2") };
    let restarted = Entry { v2: Some(restarted), ..entry("b", ONLINE, server.now.wall, Some(5)) };
    server.receive_v2(&restarted, vec![]);
    assert_eq!(seconds_in_state(&server, "b"), 40, "it was online before and after");
    let probe = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    server.core.members.on_response(&url("b"), None, server.now);
    server.advance(400);
    server.fail(probe, refused());
    assert!(server.core.is_suspect(&url("b")));
    assert_eq!(seconds_in_state(&server, "b"), 0);
    server.run_with_refusals("b", 10);
    assert!((8..=10).contains(&seconds_in_state(&server, "b")), "it failed within two seconds");
    // A leave is stamped ahead.
    server.receive_v2(&reporter(), vec![offline("b", server.now.wall + 70_000, 7, Reason::Left, "b")]);
    server.run(36);
    assert_eq!(seconds_in_state(&server, "b"), 36);
}

#[test]
fn a_server_that_only_we_do_not_reach_is_reported_as_suspect_once_in_ten_intervals() {
    let mut server = server_with_suspect(5, ExchangeError::TimedOut);
    let mut events = server.take_events();
    events.extend(run_cut_off_from(&mut server, "b", 25 * 30));
    assert_eq!(server.state_of("b"), Some(ONLINE));
    let reports = events.iter().filter(|event| is_about(event, "b", MemberEventKind::Suspect)).count();
    assert_eq!(reports, 3, "of {} suspicions", server.core.counters().suspicions);
    assert!(server.core.counters().suspicions > 20);
}

#[test]
fn a_server_that_has_answered_meanwhile_is_reported_as_suspect_again() {
    let mut server = server_with_suspect(5, ExchangeError::TimedOut);
    for _ in 0..2 {
        assert!(server.take_events().iter().any(|event| is_about(event, "b", MemberEventKind::Suspect)));
        server.run_with_failures(&[], 1, &ExchangeError::TimedOut);
        let contact = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
        server.respond(contact, server.empty_answer_of(&url("b")));
        let probe = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
        server.advance(1);
        server.fail(probe, refused());
    }
}

#[test]
fn a_server_that_was_never_listed_online_here_is_a_tombstone_and_comes_online_later() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 1)]);
    let events = server.take_events();
    assert!(events.iter().any(|event| is_about(event, "b", MemberEventKind::Tombstone)));
    assert!(!events.iter().any(|event| is_about(event, "b", MemberEventKind::Offline)));
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    let contact = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
    server.respond_v2(contact, &entry("b", ONLINE, WALL + 9, Some(WALL + 9)), vec![]);
    assert!(server.take_events().iter().any(|event| is_about(event, "b", MemberEventKind::Online)));
    server.receive_v2(&reporter(), vec![offline("b", WALL + 20, WALL + 20, Reason::Drained, "b")]);
    server.run_with_refusals("b", 30);
    assert!(server.take_events().iter().any(|event| is_about(event, "b", MemberEventKind::Offline)));
}

#[test]
fn a_killed_server_that_first_resets_a_connection_is_listed_offline_within_a_second() {
    let mut server = server_with_suspect(0, ExchangeError::Other("connection reset".into()));
    server.run_with_refusals("b", 1);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}
