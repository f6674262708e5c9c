//! A server is the authority on itself.

use super::*;
use crate::membership::effective_incarnation;

#[test]
fn a_false_death_is_refuted_by_a_higher_incarnation_and_a_newer_stamp() {
    let mut server = Server::new("a");
    server.hear(vec![entry("a", OFFLINE, WALL + 5_000, Some(WALL))]);
    assert_eq!(server.own().state, ONLINE);
    assert_eq!(server.own().v2.as_ref().map(|v2| v2.incarnation), Some(WALL + 5_001));
    assert_eq!(server.own().stamp, WALL + 5_001);
}

#[test]
fn a_death_that_a_v1_peer_stamped_ahead_of_our_clock_is_refuted_at_once() {
    let mut server = Server::new("a");
    server.hear(vec![entry("a", OFFLINE, WALL + HOUR, None)]);
    assert_eq!((server.own().state, server.own().stamp), (ONLINE, WALL + HOUR + 1));
    // By the stamp for v1 peers, and by the incarnation for ours.
    assert!(server.own().v2.as_ref().is_some_and(|v2| v2.incarnation > WALL + HOUR));
}

#[test]
fn a_new_process_rises_above_what_peers_remember_of_the_old_one() {
    let mut server = Server::new("a");
    // Our clock was set back by an hour between the two.
    let mut before = entry("a", OFFLINE, WALL + HOUR, Some(WALL + HOUR));
    before.v2 = before.v2.map(|v2| EntryV2 { reason: Some(Reason::Left), author: Some(url("a")), ..v2 });
    server.hear(vec![before]);
    assert_eq!(server.own().v2.as_ref().map(|v2| v2.incarnation), Some(WALL + HOUR + 1));
}

#[test]
fn a_stamp_stuck_ahead_drops_back_when_the_clock_is_set_right() {
    let mut server = Server::new("a");
    let incarnation = server.own().v2.as_ref().map(|v2| v2.incarnation);
    server.now.wall += 72 * HOUR;
    server.hear(vec![]);
    assert_eq!(server.own().stamp, WALL + 72 * HOUR);
    server.now.wall = WALL + 1_000;
    server.hear(vec![]);
    assert_eq!(server.own().stamp, WALL + 1_000);
    assert!(server.own().v2.as_ref().map(|v2| v2.incarnation) > incarnation);
}

#[test]
fn an_incarnation_born_while_the_clock_was_days_ahead_drops_back_too() {
    let wrong = Now { wall: WALL + 72 * HOUR, ..at(0) };
    let mut server = Server { core: Core::new(&settings("a"), wrong, 7), now: at(1), sync: 0 };
    server.hear(vec![]);
    assert_eq!(server.own().v2.as_ref().map(|v2| v2.incarnation), Some(WALL + 1_000));
}

#[test]
fn a_drained_server_stays_offline_and_goes_on_gossiping() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.actions();
    server.core.handle_control(server.now, false);
    assert_eq!(gossips(&server.actions()).len(), 1, "the others are told at once");
    server.hear(vec![entry("a", ONLINE, server.now.wall + 5, Some(WALL))]);
    assert_eq!(server.own().state, OFFLINE);
    let stamp = server.own().stamp;
    assert_ne!(gossips(&server.pass(40)).len(), 0);
    assert_eq!(server.own().stamp, stamp, "every stamp of it would be news");
    server.now.wall += 2 * HOUR;
    server.hear(vec![]);
    assert!(server.own().stamp > WALL + HOUR, "its tombstone does not expire while it runs");
    server.core.handle_control(server.now, true);
    assert_eq!(server.own().state, ONLINE);
    assert_eq!(server.own().v2.as_ref().and_then(|v2| v2.reason), None);
}

#[test]
fn control_for_the_state_that_is_there_changes_nothing() {
    let mut server = Server::new("a");
    server.actions();
    let before = server.own().clone();
    server.core.handle_control(server.now, true);
    assert_eq!(server.own(), &before);
    assert_eq!(server.actions(), []);
}

fn death_of(server: &Server) -> Entry {
    let incarnation = server.own().v2.as_ref().map(|v2| v2.incarnation);
    let mut death = entry("a", OFFLINE, server.now.wall, incarnation);
    death.v2 = death.v2.map(|v2| EntryV2 { reason: Some(Reason::Failed), author: Some(url("b")), ..v2 });
    death
}

/// A server that b has called dead, which it has answered.
fn called_dead() -> Server {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(WALL)), entry("c", ONLINE, WALL, Some(WALL))]);
    server.settle();
    let (id, to, _) = server.sent_until(|_| true);
    let from = server.core.members().get(&to).expect("known").entry.clone();
    server.answered(id, &from, vec![death_of(&server)], Envelope::default());
    assert_eq!(server.own().state, ONLINE);
    server
}

fn doubts(server: &mut Server) -> Vec<Event> {
    server.notices().into_iter().filter(|notice| matches!(notice, Event::Unreachable { .. })).collect()
}

#[test]
fn a_server_called_dead_to_which_nobody_has_spoken_since_doubts_its_base_url_once() {
    let mut server = called_dead();
    server.fail_probes(&[], 9 * 30, &ExchangeError::TimedOut);
    assert_eq!(doubts(&mut server), []);
    server.fail_probes(&[], 60, &ExchangeError::TimedOut);
    assert_eq!(doubts(&mut server), [Event::Unreachable { url: url("a"), by: Some(url("b")) }]);
    server.fail_probes(&[], 1_000, &ExchangeError::TimedOut);
    assert_eq!(doubts(&mut server), []);
}

#[test]
fn a_server_called_dead_to_which_somebody_has_spoken_since_does_not_doubt_its_base_url() {
    let mut server = called_dead();
    server.hear(vec![]);
    server.fail_probes(&[], 1_000, &ExchangeError::TimedOut);
    assert_eq!(doubts(&mut server), []);
}

#[test]
fn a_server_called_dead_whom_nobody_answers_does_not_doubt_its_base_url() {
    let mut server = called_dead();
    server.fail_probes(&["b", "c"], 1_000, &ExchangeError::TimedOut);
    assert_eq!(doubts(&mut server), []);
}

#[test]
fn a_drained_server_to_which_nobody_speaks_does_not_doubt_its_base_url() {
    let mut server = called_dead();
    server.core.handle_control(server.now, false);
    server.fail_probes(&[], 1_000, &ExchangeError::TimedOut);
    assert_eq!(doubts(&mut server), []);
}

#[test]
fn whoever_was_listed_by_a_clock_that_was_ahead_is_told_offline_until_it_is_met_anew() {
    let mut server = Server::new("a");
    server.now.wall += 72 * HOUR;
    server.hear(vec![entry("b", ONLINE, WALL + 72 * HOUR, None)]);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.notices();
    server.now.wall = WALL;
    server.pass(120);
    assert_eq!(server.state_of("b"), None);
    let told = server.notices().into_iter().filter_map(|notice| match notice {
        Event::Member(event) if event.entry.url == url("b") => Some(event.kind),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [MemberEventKind::Offline]);
}

#[test]
fn a_server_that_is_taken_back_is_stamped_then_and_not_when_it_was_drained() {
    let mut server = Server::new("a");
    server.core.handle_control(server.now, false);
    server.pass(600);
    server.core.handle_control(server.now, true);
    assert_eq!(server.own().stamp, server.now.wall);
}

fn rivals(server: &mut Server) -> Vec<Event> {
    server.notices().into_iter().filter(|notice| matches!(notice, Event::DuplicateUrl(_))).collect()
}

/// What another process says under the same base URL: that it lives, above what we have said.
fn rival_of(server: &Server) -> Entry {
    entry("a", ONLINE, server.now.wall, Some(effective_incarnation(server.own()) + 1))
}

#[test]
fn another_process_with_our_base_url_is_told_of_once() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    let mut told = Vec::new();
    for round in 0..20 {
        server.hear(vec![rival_of(&server)]);
        server.pass(30);
        told.extend(rivals(&mut server).into_iter().map(|notice| (round, notice)));
    }
    assert_eq!(told, [(5, Event::DuplicateUrl(url("a")))]);
}

#[test]
fn another_process_with_our_base_url_is_found_where_nobody_else_is() {
    let mut server = Server::new("a");
    let mut told = 0;
    for _ in 0..20 {
        for (id, to) in gossips(&server.pass(30)) {
            assert_eq!(to, url("a"));
            let answer = Message::new_v2(rival_of(&server), vec![], Envelope::default());
            server.core.handle_response(server.now, id, Ok(answer));
        }
        told += rivals(&mut server).len();
    }
    assert_eq!(told, 1);
    assert_eq!(server.core.detector.last_response(), at(0).mono, "nobody else has answered");
}

#[test]
fn a_server_that_knows_none_but_of_version_1_asks_itself_once_at_a_time_and_one_of_ours_ends_that() {
    let mut server = Server::new("a");
    server.hear(vec![entry("old", ONLINE, WALL, None)]);
    let asked = |server: &mut Server| {
        let sent = gossips(&server.pass(100));
        sent.into_iter().filter(|(_, to)| *to == url("a")).map(|(id, _)| id).collect::<Vec<_>>()
    };
    let [first] = asked(&mut server)[..] else { panic!("not once") };
    server.core.handle_response(server.now, first, Ok(Message::default()));
    let [second] = asked(&mut server)[..] else { panic!("not once") };
    server.core.handle_response(server.now, second, Ok(Message::default()));
    server.meet("b", Some(1));
    assert!(asked(&mut server).is_empty());
}

#[test]
fn what_a_server_says_to_itself_is_nobody_elses_word() {
    let mut server = Server::new("a");
    let mirror = Message::new_v2(server.own().clone(), vec![], Envelope::default());
    let answer = server.core.handle_gossip(server.now, &mirror);
    assert_eq!(answer.entries, [server.own().clone()]);
    assert_eq!(server.core.out.counters.last_inbound, None);
}

#[test]
fn a_server_that_cannot_reach_itself_says_nothing_of_it() {
    let mut server = Server::new("a");
    server.notices();
    for (id, _) in gossips(&server.pass(100)) {
        server.core.handle_response(server.now, id, Err(ExchangeError::TimedOut));
    }
    assert_eq!(server.notices(), []);
    assert_eq!(server.own().state, ONLINE);
}

#[test]
fn what_is_left_of_an_earlier_process_is_no_other_process() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    let before = entry("a", ONLINE, WALL + HOUR, Some(WALL + HOUR));
    for _ in 0..20 {
        server.hear(vec![before.clone()]);
        server.pass(30);
    }
    assert_eq!(rivals(&mut server), []);
}

#[test]
fn two_restarts_without_a_gap_are_no_other_process() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    for _ in 0..2 {
        for _ in 0..3 {
            server.hear(vec![rival_of(&server)]);
            server.pass(30);
        }
        server.pass(3_600);
    }
    assert_eq!(rivals(&mut server), []);
}

#[test]
fn an_earlier_process_that_ends_within_five_intervals_is_no_other_process() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(WALL))]);
    for _ in 0..5 {
        server.hear(vec![rival_of(&server)]);
        server.pass(30);
    }
    server.pass(600);
    assert_eq!(rivals(&mut server), []);
}
