//! Leaves, stalls of the program, and clock jumps.

use super::detector::server_with_suspect;
use super::*;
use crate::membership::supersedes;

#[test]
fn a_server_listed_while_our_clock_was_ahead_is_reported_offline_once_the_clock_is_right() {
    let mut server = Server::new("a");
    server.now.wall += 72 * HOUR;
    server.receive_v1(vec![entry("b", ONLINE, WALL + 72 * HOUR, None)]);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.take_events();
    server.now.wall = WALL;
    server.run(120);
    assert_eq!(server.state_of("b"), None);
    let kinds = server.take_events().into_iter().filter_map(|event| match event {
        Event::Member(event) if event.entry.url == url("b") => Some(event.kind),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [MemberEventKind::Offline]);
}

#[test]
fn a_stalled_server_neither_stamps_nor_refutes_nor_probes_nor_declares_others_failed() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    let probe = server.next_exchange();
    server.run_stalled(6);
    let stamp = server.own_entry().stamp;
    server.fail(probe, ExchangeError::Other("timeout".into()));
    let failure = Message::new(vec![entry("a", OFFLINE, server.now.wall, Some(WALL))]);
    let from_b = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
    server.take_actions();
    server.respond(from_b, failure);
    assert_eq!(gossip_requests(&server.run_stalled(90)), []);
    assert_eq!((server.own_entry().stamp, server.state_of("b")), (stamp, Some(ONLINE)));
    assert_eq!(server.incarnation(), Some(WALL));
    // It refutes the failure once the event loop turns again.
    server.run(40);
    assert!(server.incarnation() > Some(WALL));
}

#[test]
fn probes_that_began_before_a_stall_do_not_count_after_it() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    let probe = server.next_exchange();
    server.fail(probe, ExchangeError::Other("timeout".into()));
    let second = server.next_exchange();
    server.run_stalled(20);
    server.core.handle_heartbeat(server.now);
    server.fail(second, ExchangeError::Other("timeout".into()));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_jump_of_the_clock_clears_suspicions() {
    let mut server = server_with_suspect(20, refused());
    server.now.wall += HOUR;
    server.core.handle_timeout(server.now);
    assert!(!server.core.is_suspect(&url("b")));
}

#[test]
fn a_stall_clears_suspicions() {
    let mut server = server_with_suspect(20, ExchangeError::TimedOut);
    let probe = server.core.send(Request::new(url("other1"), Purpose::Probe), server.now);
    server.advance(60_000);
    server.core.handle_heartbeat(server.now);
    server.fail(probe, ExchangeError::TimedOut);
    assert!(!server.core.is_suspect(&url("b")));
}

#[test]
fn a_leave_is_announced_and_ends_when_all_have_answered() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.add_member("c", None);
    server.take_actions();
    server.core.handle_leave(server.now);
    let sent = server.take_actions();
    let Action::Gossip { message, .. } = &sent[0] else { panic!("{sent:?}") };
    let own = message.entries.iter().find(|it| it.url == url("a")).expect("our own entry");
    assert_eq!((own.state, own.v2.as_ref().and_then(|v2| v2.reason)), (OFFLINE, Some(Reason::Left)));
    for (id, _) in gossip_requests(&sent) {
        assert!(!server.take_events().contains(&Event::Left));
        server.respond(id, Message::default());
    }
    assert!(server.take_events().contains(&Event::Left));
}

#[test]
fn a_leave_after_a_stall_wins_over_a_failure_reported_meanwhile() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.run_stalled(20);
    let failure = entry("a", OFFLINE, server.now.wall, Some(WALL));
    let from_b = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
    server.respond(from_b, Message::new(vec![failure.clone()]));
    server.core.handle_leave(server.now);
    assert!(supersedes(server.own_entry(), &failure));
    assert_eq!(server.reason(), Some(Reason::Left));
}

#[test]
fn a_list_read_that_began_before_the_leave_does_not_end_the_leave() {
    let mut server = Server::with_settings(&Settings { update_list_on_shutdown: true, ..settings("a") });
    server.take_actions();
    let earlier = server.list_request;
    server.core.handle_leave(server.now);
    server.core.handle_list_read(server.now, earlier, Ok(Some(Message::default())));
    assert!(!server.take_events().contains(&Event::Left));
}

#[test]
fn a_leave_ends_within_six_seconds_even_if_nobody_answers() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.core.handle_leave(server.now);
    server.run(6);
    assert!(server.take_events().contains(&Event::Left));
    assert_eq!(server.core.poll_timeout(), None);
}

#[test]
fn a_leave_with_a_list_update_removes_the_server_from_the_list_within_twelve_seconds() {
    let mut server = Server::with_settings(&Settings { update_list_on_shutdown: true, ..settings("a") });
    server.take_actions();
    server.leave_unfound();
    assert_eq!(list_requests(&server.take_actions()), [true]);
    let written = server.on_list_read(Ok(Message::new(vec![entry("a", ONLINE, WALL, None)])));
    assert_eq!(written, Some(Message::default()));
    server.on_list_written();
    assert!(server.take_events().contains(&Event::Left));
    let mut hanging = Server::with_settings(&Settings { update_list_on_shutdown: true, ..settings("a") });
    hanging.core.handle_leave(hanging.now);
    hanging.run(12);
    assert!(hanging.take_events().contains(&Event::Left));
}

#[test]
fn a_message_that_another_thread_handles_does_not_prove_that_the_event_loop_turns() {
    for is_on_event_loop in [true, false] {
        let mut server = Server::new("a");
        server.add_member("b", Some(1));
        server.run_stalled(20);
        let message = Message::new_v2(entry("b", ONLINE, server.now.wall, Some(1)), [], Envelope::default());
        let answer = if is_on_event_loop {
            server.core.handle_gossip(server.now, &message)
        } else {
            server.core.handle_gossip_on_thread(server.now, &message)
        };
        assert_eq!(answer.entries[0].stamp == server.now.wall, is_on_event_loop);
    }
}
