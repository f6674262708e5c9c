//! The local member: its entry, its refutations, and the checks of its base URL.

use super::*;
use crate::membership::effective_incarnation;

#[test]
fn a_server_refutes_a_false_failure_with_a_higher_incarnation_and_a_newer_stamp() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("a", OFFLINE, WALL + 5_000, Some(WALL))]);
    assert_eq!(server.own_entry().state, ONLINE);
    assert_eq!(server.incarnation(), Some(WALL + 5_001));
    assert_eq!(server.own_entry().stamp, WALL + 5_001);
}

#[test]
fn a_failure_that_a_version_1_peer_stamped_ahead_of_our_clock_is_refuted_at_once() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("a", OFFLINE, WALL + HOUR, None)]);
    assert_eq!((server.own_entry().state, server.own_entry().stamp), (ONLINE, WALL + HOUR + 1));
    // Version 1 peers compare stamps, protocol 2 peers incarnations.
    assert!(server.incarnation() > Some(WALL + HOUR));
}

#[test]
fn a_new_process_takes_a_higher_incarnation_than_peers_remember_of_the_old_one() {
    let mut server = Server::new("a");
    // Our clock was set back by an hour between the two processes.
    server.receive_v1(vec![offline("a", WALL + HOUR, WALL + HOUR, Reason::Left, "a")]);
    assert_eq!(server.incarnation(), Some(WALL + HOUR + 1));
}

#[test]
fn a_claim_further_ahead_than_others_accept_is_answered_with_our_clock() {
    let mut server = Server::new("a");
    let incarnation = server.incarnation();
    let ahead = WALL + HOUR + 1_000;
    server.receive_v1(vec![offline("a", ahead, ahead, Reason::Left, "a")]);
    assert_eq!((server.own_entry().state, server.own_entry().stamp), (ONLINE, WALL));
    assert_eq!(server.incarnation(), incarnation);
}

#[test]
fn a_clock_that_is_set_back_by_two_hours_is_shown_in_our_entry() {
    let mut server = Server::new("a");
    server.now.wall -= 2 * HOUR;
    server.receive_v1(vec![]);
    assert_eq!((server.own_entry().stamp, server.incarnation()), (server.now.wall, Some(server.now.wall)));
}

#[test]
fn a_leave_is_stamped_ahead_only_if_another_protocol_2_server_is_online() {
    for (is_v2, lead) in [(true, 70_000), (false, 0)] {
        let mut server = Server::new("a");
        if is_v2 {
            server.receive_v2(&reporter(), vec![]);
        } else {
            server.receive_v1(vec![entry("b", ONLINE, WALL, None)]);
        }
        server.core.handle_leave(server.now);
        assert!((lead..lead + 10).contains(&(server.own_entry().stamp - WALL)), "{}", server.own_entry().stamp - WALL);
    }
}

#[test]
fn a_stamp_ahead_of_the_clock_is_lowered_once_the_clock_is_set_right() {
    let mut server = Server::new("a");
    let incarnation = server.incarnation();
    server.now.wall += 72 * HOUR;
    server.receive_v1(vec![]);
    assert_eq!(server.own_entry().stamp, WALL + 72 * HOUR);
    server.now.wall = WALL + 1_000;
    server.receive_v1(vec![]);
    assert_eq!(server.own_entry().stamp, WALL + 1_000);
    assert!(server.incarnation() > incarnation);
}

#[test]
fn an_incarnation_from_a_clock_days_ahead_is_lowered_once_the_clock_is_set_right() {
    let wrong = Now { wall: WALL + 72 * HOUR, ..at(0) };
    let mut server = Server { core: Core::new(&settings("a"), wrong, 7), now: at(1), list_request: 0 };
    server.receive_v1(vec![]);
    assert_eq!(server.incarnation(), Some(WALL + 1_000));
}

#[test]
fn a_drained_server_stays_offline_and_keeps_gossiping() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.take_actions();
    server.core.handle_control(server.now, false);
    assert_eq!(gossip_requests(&server.take_actions()).len(), 1, "the drain is announced at once");
    server.receive_v1(vec![entry("a", ONLINE, server.now.wall + 5, Some(WALL))]);
    assert_eq!(server.own_entry().state, OFFLINE);
    let stamp = server.own_entry().stamp;
    assert_ne!(gossip_requests(&server.run(40)).len(), 0);
    assert_eq!(server.own_entry().stamp, stamp, "each new stamp of a drained server would be an update");
    server.now.wall += 2 * HOUR;
    server.receive_v1(vec![]);
    assert!(server.own_entry().stamp > WALL + HOUR, "its tombstone must not expire while it runs");
    server.core.handle_control(server.now, true);
    assert_eq!(server.own_entry().state, ONLINE);
    assert_eq!(server.reason(), None);
}

#[test]
fn a_control_request_for_the_present_state_changes_nothing() {
    let mut server = Server::new("a");
    server.take_actions();
    let before = server.own_entry().clone();
    server.core.handle_control(server.now, true);
    assert_eq!(server.own_entry(), &before);
    assert_eq!(server.take_actions(), []);
}

/// A server that has refuted its failure, which `b` had reported.
fn server_that_refuted_its_failure() -> Server {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL)), entry("c", ONLINE, WALL, Some(WALL))]);
    server.finish_broadcasts();
    let (id, to, _) = server.next_message(|_| true);
    let from = server.entry_of(&to);
    let incarnation = server.incarnation().expect("protocol 2");
    let failure = offline("a", server.now.wall, incarnation, Reason::Failed, "b");
    server.respond_v2(id, &from, vec![failure]);
    assert_eq!(server.own_entry().state, ONLINE);
    server
}

fn take_unreachable_events(server: &mut Server) -> Vec<Event> {
    server.take_events().into_iter().filter(|event| matches!(event, Event::Unreachable { .. })).collect()
}

#[test]
fn a_server_that_nobody_contacts_after_its_refutation_reports_itself_unreachable_once() {
    let mut server = server_that_refuted_its_failure();
    server.run_with_failures(&[], 9 * 30, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), []);
    server.run_with_failures(&[], 60, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), [Event::Unreachable { url: url("a"), by: Some(url("b")) }]);
    server.run_with_failures(&[], 1_000, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), []);
    server.receive_v1(vec![]);
    assert!(server.take_events().contains(&Event::Resolved(Resolved::Unreachable)));
}

#[test]
fn a_server_that_a_peer_contacts_after_its_refutation_does_not_report_itself_unreachable() {
    let mut server = server_that_refuted_its_failure();
    server.receive_v1(vec![]);
    server.run_with_failures(&[], 1_000, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), []);
}

#[test]
fn a_server_that_nobody_answers_does_not_report_itself_unreachable() {
    let mut server = server_that_refuted_its_failure();
    server.run_with_failures(&["b", "c"], 1_000, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), []);
}

#[test]
fn a_drained_server_does_not_report_itself_unreachable() {
    let mut server = server_that_refuted_its_failure();
    server.core.handle_control(server.now, false);
    server.run_with_failures(&[], 1_000, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), []);
}

#[test]
fn a_server_is_stamped_when_its_drain_ends_not_when_it_was_drained() {
    let mut server = Server::new("a");
    server.core.handle_control(server.now, false);
    server.run(600);
    server.core.handle_control(server.now, true);
    assert_eq!(server.own_entry().stamp, server.now.wall);
}

fn take_duplicate_url_events(server: &mut Server) -> Vec<Event> {
    server.take_events().into_iter().filter(|event| matches!(event, Event::DuplicateUrl(_))).collect()
}

/// The refutation that another process with the same base URL sends.
fn entry_of_another_process(server: &Server) -> Entry {
    entry("a", ONLINE, server.now.wall, Some(effective_incarnation(server.own_entry()) + 1))
}

#[test]
fn another_process_with_our_base_url_is_reported_after_a_minute() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    let mut reported = Vec::new();
    for round in 0..20 {
        server.receive_v1(vec![entry_of_another_process(&server)]);
        server.run(30);
        reported.extend(take_duplicate_url_events(&mut server).into_iter().map(|event| (round, event)));
    }
    assert_eq!(reported.first(), Some(&(2, Event::DuplicateUrl(url("a")))));
    server.run(290);
    assert!(!server.take_events().contains(&Event::Resolved(Resolved::DuplicateUrl)));
    server.run(60);
    assert!(server.take_events().contains(&Event::Resolved(Resolved::DuplicateUrl)), "ten intervals later it is gone");
}

#[test]
fn a_server_at_a_loopback_address_reports_once_that_a_server_on_another_machine_is_online() {
    let online = |own: &str, others: &[&str]| {
        let base_url = ServerUrl::parse(own).expect(own);
        let mut server = Server::with_settings(&Settings { base_url: base_url.clone(), ..settings("a") });
        for other in others {
            let url = ServerUrl::parse(other).expect(other);
            server.receive_v1(vec![Entry { url, ..entry("b", ONLINE, WALL, Some(WALL)) }]);
        }
        let is_loopback = |event: Event| match event {
            Event::LoopbackUrl { url, other } => {
                assert_eq!(url, base_url);
                Some(other.to_string())
            }
            _ => None,
        };
        server.take_events().into_iter().filter_map(is_loopback).collect::<Vec<_>>()
    };
    for own in ["http://localhost:3000/", "http://127.0.0.1:3000/", "http://[::1]:3000/"] {
        assert_eq!(online(own, &["http://127.0.0.1:3001/", "http://b/", "http://c/"]), ["http://b/"], "{own}");
        assert!(online(own, &["http://127.0.0.1:3001/"]).is_empty(), "{own}");
    }
    assert!(online("http://a/", &["http://b/"]).is_empty());
}

#[test]
fn a_server_that_knows_no_other_finds_another_process_with_its_base_url() {
    let mut server = Server::new("a");
    let mut reported = 0;
    for _ in 0..20 {
        for (id, to) in gossip_requests(&server.run(30)) {
            assert_eq!(to, url("a"));
            let answer = Message::new_v2(entry_of_another_process(&server), vec![], Envelope::default());
            server.respond(id, answer);
        }
        reported += take_duplicate_url_events(&mut server).len();
    }
    assert_ne!(reported, 0);
    assert_eq!(server.core.detector.last_response(), at(0).mono, "the other process does not count as a peer");
}

#[test]
fn a_server_probes_itself_twice_a_round_until_it_knows_a_server_of_protocol_2() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("old", ONLINE, WALL, None)]);
    let self_probes = |server: &mut Server| {
        let sent = gossip_requests(&server.run(100));
        sent.into_iter().filter(|(_, to)| *to == url("a")).map(|(id, _)| id).collect::<Vec<_>>()
    };
    // Behind a load balancer, the second self-probe may reach the other process.
    for _ in 0..2 {
        let [first, second] = self_probes(&mut server)[..] else { panic!("not exactly two") };
        server.respond(first, Message::default());
        server.respond(second, Message::default());
    }
    server.add_member("b", Some(1));
    assert!(self_probes(&mut server).is_empty());
}

#[test]
fn a_message_from_itself_does_not_count_as_a_message_from_a_peer() {
    let mut server = Server::new("a");
    let own = Message::new_v2(server.own_entry().clone(), vec![], Envelope::default());
    let answer = server.core.handle_gossip(server.now, &own);
    assert_eq!(answer.entries, [server.own_entry().clone()]);
    assert_eq!(server.core.out.counters.last_inbound, None);
}

#[test]
fn a_stale_entry_of_an_earlier_process_is_not_reported_as_another_process() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    let stale = entry("a", ONLINE, WALL + HOUR, Some(WALL + HOUR));
    for _ in 0..20 {
        server.receive_v1(vec![stale.clone()]);
        server.run(30);
    }
    assert_eq!(take_duplicate_url_events(&mut server), []);
}

#[test]
fn two_restarts_without_a_gap_are_not_reported_as_another_process() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    for _ in 0..2 {
        for _ in 0..2 {
            server.receive_v1(vec![entry_of_another_process(&server)]);
            server.run(30);
        }
        server.run(3_600);
    }
    assert_eq!(take_duplicate_url_events(&mut server), []);
}

#[test]
fn an_earlier_process_that_ends_within_a_minute_is_not_reported_as_another_process() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    for _ in 0..6 {
        server.receive_v1(vec![entry_of_another_process(&server)]);
        server.run(10);
    }
    server.run(600);
    assert_eq!(take_duplicate_url_events(&mut server), []);
}

#[test]
fn a_row_of_restarts_that_each_overlap_with_the_next_is_not_reported_as_another_process() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    for _ in 0..3 {
        for _ in 0..4 {
            server.receive_v1(vec![entry_of_another_process(&server)]);
            server.run(10);
        }
        server.run(60);
    }
    assert_eq!(take_duplicate_url_events(&mut server), []);
}

#[test]
fn another_process_that_the_others_list_instead_is_reported_though_its_entry_does_not_win() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.finish_broadcasts();
    let v2 = server.own_entry().v2.clone().map(|v2| EntryV2 { instance: 99, incarnation: 1, ..v2 });
    let mut events = |advances: bool| {
        let other = Entry { v2: v2.clone(), ..server.own_entry().clone() };
        for i in 0..8 {
            let stamp = other.stamp + if advances { i } else { 0 };
            let (id, to, _) = server.next_message(|_| true);
            let answerer = server.entry_of(&to).clone();
            server.respond_v2(id, &answerer, vec![Entry { stamp, ..other.clone() }]);
        }
        take_duplicate_url_events(&mut server)
    };
    assert_eq!(events(false), [], "an earlier process has ended, and its entry stays as it is");
    assert_eq!(events(true).first(), Some(&Event::DuplicateUrl(url("a"))));
}

#[test]
fn a_process_learns_in_each_answer_that_another_one_is_listed_at_its_base_url() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    let listed = server.entry_of(&url("b")).clone();
    let v2 = listed.v2.clone().map(|v2| EntryV2 { instance: 99, incarnation: WALL, ..v2 });
    let second = Entry { v2, ..listed.clone() };
    let answer = server.core.handle_gossip(server.now, &Message::new_v2(second, vec![], Envelope::default()));
    assert!(answer.entries.iter().any(|it| it.url == url("b") && it.instance() == listed.instance()));
}

#[test]
fn a_new_server_that_others_answer_and_nobody_contacts_reports_itself_unreachable() {
    let mut server = Server::new("a");
    server.add_member("b", Some(WALL));
    server.core.local = LocalMember::new(&url("a"), Duration::from_secs(30), server.now);
    server.run_with_failures(&[], 9 * 30, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), []);
    server.run_with_failures(&[], 60, &ExchangeError::TimedOut);
    assert_eq!(take_unreachable_events(&mut server), [Event::Unreachable { url: url("a"), by: None }]);
}
