//! Watches: which servers are watched, and what follows when a watch ends.

use super::detector::server_with_suspect;
use super::*;
use crate::message::ProbeTicket;

/// The watches that these actions open.
fn opened(actions: &[Action]) -> Vec<(RequestId, ServerUrl)> {
    let open = |action: &Action| match action {
        Action::OpenWatch { id, to } => Some((*id, to.clone())),
        _ => None,
    };
    actions.iter().filter_map(open).collect()
}

/// The watches that these actions close.
fn closed(actions: &[Action]) -> Vec<RequestId> {
    let close = |action: &Action| match action {
        Action::CloseWatch { id } => Some(*id),
        _ => None,
    };
    actions.iter().filter_map(close).collect()
}

/// A server with these protocol 2 members, and the watches that it opens.
fn server_with(members: usize) -> (Server, Vec<(RequestId, ServerUrl)>) {
    let mut server = Server::new("a");
    for i in 0..members {
        server.add_member(&format!("s{i}"), Some(1));
    }
    // `put` sets no timer for watches; an answer would.
    server.core.out.timers.set(Timer::Watch, server.now.mono);
    let watches = opened(&server.tick());
    (server, watches)
}

/// Waits for the next watch, while every exchange succeeds. Returns the seconds until it opened.
fn next_watch(server: &mut Server, limit: u64) -> Option<(RequestId, f64)> {
    for tick in 1..=limit * 10 {
        let actions = server.tick();
        for (id, to) in gossip_requests(&actions) {
            server.respond(id, server.empty_answer_of(&to));
        }
        if let Some((id, _)) = opened(&actions).pop() {
            return Some((id, tick as f64 / 10.0));
        }
    }
    None
}

fn end(server: &mut Server, id: RequestId, end: WatchEnd) -> Vec<Action> {
    server.take_actions();
    server.core.handle_watch_ended(server.now, id, end);
    server.take_actions()
}

fn report(tickets: Vec<ProbeTicket>) -> Envelope {
    Envelope { probe_failures: tickets, ..Envelope::default() }
}

#[test]
fn the_two_servers_that_follow_on_the_ring_are_watched() {
    let (server, watches) = server_with(20);
    let targets: BTreeSet<_> = watches.into_iter().map(|(_, to)| to).collect();
    let expected: BTreeSet<_> = server.core.members.successors().take(2).cloned().collect();
    assert_eq!(targets, expected);
}

#[test]
fn version_1_servers_up_to_the_second_successor_are_watched_but_at_most_sixteen() {
    for (version_1, expected) in [(3, 3), (40, 16)] {
        let mut server = Server::new("a");
        for i in 0..version_1 {
            server.add_member(&format!("old{i}"), None);
        }
        // Without a protocol 2 server among them, all would come before the next one.
        server.core.out.timers.set(Timer::Watch, server.now.mono);
        assert_eq!(opened(&server.tick()).len(), expected, "of {version_1}");
    }
}

#[test]
fn a_server_that_never_answered_is_not_watched() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(1))]);
    let actions = server.run(2);
    assert!(opened(&actions).is_empty());
    let (id, to) = gossip_requests(&server.run(40)).pop().expect("a round probes it");
    server.respond(id, server.empty_answer_of(&to));
    assert_eq!(opened(&server.tick()).len(), 1, "it is watched once it has answered");
}

#[test]
fn servers_that_never_answered_do_not_displace_watched_ones() {
    let mut server = Server::new("a");
    let invented = (0..40).map(|i| entry(&format!("invented{i}"), ONLINE, WALL, Some(1))).collect();
    server.receive_v2(&reporter(), invented);
    for i in 0..3 {
        server.add_member(&format!("s{i}"), Some(1));
    }
    server.core.out.timers.set(Timer::Watch, server.now.mono);
    let watched = opened(&server.tick());
    assert!(watched.len() == 2 && watched.iter().all(|(_, to)| to.as_str().contains("//s")), "{watched:?}");
}

#[test]
fn a_protocol_2_server_is_watched_behind_many_version_1_servers() {
    let mut server = Server::new("a");
    for i in 0..40 {
        server.add_member(&format!("old{i}"), None);
    }
    for i in 0..2 {
        server.add_member(&format!("s{i}"), Some(1));
    }
    server.core.out.timers.set(Timer::Watch, server.now.mono);
    let watched = opened(&server.tick());
    assert_eq!(watched.iter().filter(|(_, to)| to.as_str().contains("//s")).count(), 2);
}

#[test]
fn a_watch_is_replaced_within_fifteen_seconds_and_closed_only_after_the_next_one_is_open() {
    let (mut server, watches) = server_with(1);
    server.core.handle_watch_opened(server.now, watches[0].0);
    let (next, seconds) = next_watch(&mut server, 20).expect("it is replaced");
    assert!((13.0..=15.1).contains(&seconds), "{seconds}");
    assert!(closed(&server.take_actions()).is_empty());
    server.core.handle_watch_opened(server.now, next);
    assert_eq!(closed(&server.take_actions()), [watches[0].0]);
    assert_eq!(server.core.open_watches(), 1);
}

#[test]
fn the_watch_after_one_that_was_closed_is_renewed_sooner() {
    let (mut server, watches) = server_with(1);
    server.core.handle_watch_opened(server.now, watches[0].0);
    assert!(next_watch(&mut server, 5).is_none());
    end(&mut server, watches[0].0, WatchEnd::Closed);
    let (second, after) = next_watch(&mut server, 5).expect("another one");
    assert!((0.9..=1.2).contains(&after), "{after}");
    server.core.handle_watch_opened(server.now, second);
    let (_, seconds) = next_watch(&mut server, 5).expect("it is replaced before it is closed");
    assert!((3.0..5.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_server_whose_watches_close_at_once_three_times_is_not_watched_for_an_hour() {
    let (mut server, watches) = server_with(1);
    let mut id = watches[0].0;
    for round in 0..3 {
        server.core.handle_watch_opened(server.now, id);
        assert!(next_watch(&mut server, 1).is_none());
        end(&mut server, id, WatchEnd::Closed);
        if round < 2 {
            id = next_watch(&mut server, 5).expect("it is tried again").0;
        }
    }
    let (_, seconds) = next_watch(&mut server, 4_000).expect("after an hour");
    assert!(seconds > 3_590.0, "{seconds}");
}

#[test]
fn a_new_process_is_watched_although_the_watches_of_the_one_before_closed_at_once() {
    let (mut server, watches) = server_with(1);
    let mut id = watches[0].0;
    for round in 0..3 {
        server.core.handle_watch_opened(server.now, id);
        end(&mut server, id, WatchEnd::Closed);
        if round < 2 {
            id = next_watch(&mut server, 5).expect("it is tried again").0;
        }
    }
    let mut restarted = entry("s0", ONLINE, server.now.wall, Some(server.now.wall));
    restarted.v2 = restarted.v2.map(|v2| EntryV2 { instance: 99, ..v2 });
    server.receive_v2(&reporter(), vec![restarted]);
    assert!(next_watch(&mut server, 5).is_some());
}

#[test]
fn attempts_to_open_a_watch_back_off() {
    let (mut server, watches) = server_with(1);
    let (mut id, mut waits) = (watches[0].0, Vec::new());
    for _ in 0..4 {
        end(&mut server, id, WatchEnd::NotOpened);
        let (next, after) = next_watch(&mut server, 60).expect("it is tried again");
        waits.push(after.round() as u64);
        id = next;
    }
    assert_eq!(waits, [5, 10, 20, 40]);
}

#[test]
fn the_end_of_a_watch_starts_a_probe_on_a_new_connection_and_lists_nobody_offline() {
    for how in [WatchEnd::Closed, WatchEnd::NotOpened] {
        let (mut server, watches) = server_with(5);
        let (id, to) = watches[0].clone();
        if how == WatchEnd::Closed {
            server.core.handle_watch_opened(server.now, id);
        }
        let actions = end(&mut server, id, how);
        let probe =
            |action: &Action| matches!(action, Action::Gossip { to: it, new_connection: true, .. } if *it == to);
        assert_eq!(actions.iter().filter(|action| probe(action)).count(), 1, "{how:?}");
        assert_eq!(server.core.members.state(&to), Some(ONLINE), "{how:?}");
        assert!(!server.core.is_suspect(&to), "{how:?}");
    }
}

#[test]
fn a_watch_that_this_machine_cannot_open_or_that_leads_to_a_proxy_is_not_a_hint() {
    for how in [WatchEnd::Local, WatchEnd::Unsupported] {
        let (mut server, watches) = server_with(1);
        assert!(gossip_requests(&end(&mut server, watches[0].0, how)).is_empty(), "{how:?}");
    }
}

#[test]
fn a_host_that_vanished_is_suspected_at_once_and_eight_helpers_are_asked() {
    let (mut server, watches) = server_with(20);
    let (id, to) = watches[0].clone();
    server.core.handle_watch_opened(server.now, id);
    server.run_with_failures(&[], 8, &ExchangeError::TimedOut);
    let sent = gossip_requests(&end(&mut server, id, WatchEnd::Vanished));
    assert_eq!((sent.len(), sent.iter().filter(|(_, it)| *it == to).count()), (9, 1));
    assert_eq!(server.core.members.state(&to), Some(ONLINE));
    assert!(server.core.is_suspect(&to));
}

#[test]
fn a_host_that_answered_while_its_watch_fell_silent_is_not_suspected() {
    let (mut server, watches) = server_with(5);
    let (id, to) = watches[0].clone();
    server.core.handle_watch_opened(server.now, id);
    server.run_with_failures(&[], 8, &ExchangeError::TimedOut);
    let probe = server.core.send(Request::new(to.clone(), Purpose::Probe), server.now);
    server.respond(probe, server.empty_answer_of(&to));
    server.run_with_failures(&[], 2, &ExchangeError::TimedOut);
    end(&mut server, id, WatchEnd::Vanished);
    assert!(!server.core.is_suspect(&to));
}

#[test]
fn many_closed_watches_cause_a_bounded_number_of_probes() {
    let mut server = Server::new("a");
    for i in 0..16 {
        server.add_member(&format!("old{i}"), None);
    }
    server.core.out.timers.set(Timer::Watch, server.now.mono);
    let watches = opened(&server.tick());
    for (id, _) in &watches {
        server.core.handle_watch_opened(server.now, *id);
    }
    server.take_actions();
    for (id, _) in watches {
        server.core.handle_watch_ended(server.now, id, WatchEnd::Closed);
    }
    assert_eq!(gossip_requests(&server.take_actions()).len(), 6);
}

#[test]
fn a_refused_exchange_of_any_kind_starts_a_probe() {
    let (mut server, _) = server_with(5);
    let contact = server.core.send(Request::new(url("s0"), Purpose::Contact), server.now);
    server.take_actions();
    server.fail(contact, refused());
    assert_eq!(gossip_requests(&server.take_actions()).len(), 1);
    let contact = server.core.send(Request::new(url("s1"), Purpose::Contact), server.now);
    server.take_actions();
    server.fail(contact, ExchangeError::TimedOut);
    assert!(gossip_requests(&server.take_actions()).is_empty(), "a lost message is not a hint");
}

#[test]
fn a_leave_closes_all_watches_and_notifies_the_watchers() {
    let (mut server, watches) = server_with(100);
    server.core.handle_watch_opened(server.now, watches[0].0);
    server.take_actions();
    let before: Vec<_> = server.core.members.predecessors().take(2).cloned().collect();
    server.core.handle_leave(server.now);
    let actions = server.take_actions();
    let ids: BTreeSet<_> = watches.iter().map(|(id, _)| *id).collect();
    assert_eq!(closed(&actions).into_iter().collect::<BTreeSet<_>>(), ids);
    let receivers: Vec<_> = gossip_requests(&actions).into_iter().map(|(_, to)| to).collect();
    assert!(before.iter().all(|watcher| receivers.contains(watcher)));
    assert!(opened(&server.run(20)).is_empty(), "and none is opened any more");
}

#[test]
fn a_watch_of_a_server_that_is_listed_offline_is_closed() {
    let (mut server, watches) = server_with(1);
    server.core.handle_watch_opened(server.now, watches[0].0);
    let left = offline("s0", WALL + 60_000, 1, Reason::Left, "s0");
    server.receive_v2(&left, vec![]);
    assert_eq!(closed(&server.run(1)), [watches[0].0]);
}

/// A server that has asked three helpers about `b`, after its retry was refused too. Returns the request and the
/// helpers.
fn with_three_helpers() -> (Server, Vec<(Entry, ProbeTicket)>) {
    let mut server = server_with_suspect(3, refused());
    let (mut asked, mut retry) = (Vec::new(), None);
    for action in server.take_actions() {
        if let Action::Gossip { id, to, message, .. } = action {
            match message.envelope.as_ref().and_then(|envelope| envelope.probe_requests.first()) {
                Some(ticket) => asked.push((server.entry_of(&to), ticket.clone())),
                None if to == url("b") => retry = Some(id),
                None => {}
            }
        }
    }
    server.fail(retry.expect("a retry"), refused());
    assert_eq!(asked.len(), 3);
    (server, asked)
}

/// Whether the next helpers are asked now, before the time of the step is over.
fn asks_more(server: &mut Server) -> bool {
    server.core.handle_timeout(server.now);
    let is_ask = |action: &Action| matches!(action, Action::Gossip { message, .. } if message.envelope.as_ref().is_some_and(|it| !it.probe_requests.is_empty()));
    server.take_actions().iter().any(is_ask)
}

#[test]
fn a_step_ends_when_all_helpers_have_reported_that_they_do_not_reach_the_suspect() {
    let (mut server, asked) = with_three_helpers();
    for (place, (helper, ticket)) in asked.iter().enumerate() {
        assert!(!asks_more(&mut server), "after {place} reports");
        server.receive_v2_with(helper, vec![], report(vec![ticket.clone()]));
    }
    assert!(asks_more(&mut server));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn only_the_first_report_of_an_asked_helper_with_the_right_token_counts() {
    let (mut server, asked) = with_three_helpers();
    let (first, ticket) = &asked[0];
    let wrong = ProbeTicket { token: ticket.token.wrapping_add(1), ..ticket.clone() };
    server.add_member("stranger", Some(1));
    for _ in 0..3 {
        server.receive_v2_with(&entry("stranger", ONLINE, WALL, Some(1)), vec![], report(vec![ticket.clone()]));
        server.receive_v2_with(first, vec![], report(vec![ticket.clone()]));
    }
    for (helper, _) in &asked {
        server.receive_v2_with(helper, vec![], report(vec![wrong.clone()]));
    }
    assert!(!asks_more(&mut server));
}

#[test]
fn a_helper_reports_that_it_does_not_reach_the_suspect() {
    let (mut server, _) = server_with(2);
    server.add_member("b", Some(1));
    server.take_actions();
    let ticket = ProbeTicket { token: 7, url: url("b") };
    let request = Envelope { probe_requests: vec![ticket.clone()], ..Envelope::default() };
    server.receive_v2_with(&entry("s0", ONLINE, WALL, Some(1)), vec![], request);
    let sent = gossip_requests(&server.take_actions());
    server.fail(sent[0].0, refused());
    let (_, to, message) =
        server.next_message(|it| it.envelope.as_ref().is_some_and(|envelope| !envelope.probe_failures.is_empty()));
    assert_eq!((to, message.envelope.expect("protocol 2").probe_failures), (url("s0"), vec![ticket]));
}

#[test]
fn a_server_that_may_be_cut_off_pauses_between_retries() {
    let mut server = server_with_suspect(0, ExchangeError::Unreachable("no route".into()));
    let failed = server.run_with_failures(&["b"], 30, &ExchangeError::Unreachable("no route".into()));
    assert!(failed < 12, "{failed} tries within 30 s");
}

#[test]
fn a_contested_server_that_leaves_is_listed_as_left_although_its_watch_closes_first() {
    let (mut server, watches) = server_with(1);
    let (watch, _) = watches[0];
    server.core.handle_watch_opened(server.now, watch);
    server.finish_broadcasts();
    let now = server.now;
    server.core.members.contest(&url("s0"), now);
    let left = offline("s0", now.wall + 1, now.wall + 1, Reason::Left, "s0");
    server.receive_v2(&left, vec![]);
    assert_eq!(server.state_of("s0"), Some(ONLINE), "its leave is verified first");
    for (id, _) in gossip_requests(&end(&mut server, watch, WatchEnd::Closed)) {
        server.fail(id, refused());
    }
    server.run_with_refusals("s0", 5);
    assert_eq!(server.entry_of(&url("s0")), left);
}

#[test]
fn a_watch_that_this_machine_could_not_open_is_tried_again_every_few_seconds() {
    let (mut server, watches) = server_with(1);
    let mut watch = watches[0].0;
    for _ in 0..20 {
        end(&mut server, watch, WatchEnd::Local);
        let (next, after) = next_watch(&mut server, 60).expect("opened again");
        assert!(after < 10.0, "after {after} s");
        watch = next;
    }
}
