//! The end of a server.

use super::*;

#[test]
fn a_leave_is_told_to_the_others_and_ends_when_they_know() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.meet("c", None);
    server.actions();
    server.core.handle_leave(server.now);
    let sent = server.actions();
    let Action::Gossip { message, .. } = &sent[0] else { panic!("{sent:?}") };
    let own = message.entries.iter().find(|it| it.url == url("a")).expect("our entry");
    assert_eq!((own.state, own.v2.as_ref().and_then(|v2| v2.reason)), (OFFLINE, Some(Reason::Left)));
    for (id, _) in gossips(&sent) {
        assert!(!server.notices().contains(&Event::Left));
        server.core.handle_response(server.now, id, Ok(Message::default()));
    }
    assert!(server.notices().contains(&Event::Left));
}

#[test]
fn a_leave_after_a_stall_is_a_leave_all_the_same() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.pass_with(20, false);
    let death = entry("a", OFFLINE, server.now.wall, Some(WALL));
    let from_b = server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
    server.core.handle_response(server.now, from_b, Ok(Message::new(vec![death.clone()])));
    server.core.handle_leave(server.now);
    assert!(crate::membership::supersedes(server.own(), &death));
    assert_eq!(server.own().v2.as_ref().and_then(|v2| v2.reason), Some(Reason::Left));
}

#[test]
fn a_read_of_the_list_from_before_the_leave_is_not_the_update_of_the_leave() {
    let mut server = Server::with(&Settings { update_list_on_shutdown: true, ..settings("a") });
    server.actions();
    let earlier = server.sync;
    server.core.handle_leave(server.now);
    server.core.handle_list_read(server.now, earlier, Ok(Some(Message::default())));
    assert!(!server.notices().contains(&Event::Left));
}

#[test]
fn a_leave_ends_within_six_seconds_whatever_the_others_do() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.core.handle_leave(server.now);
    server.pass(6);
    assert!(server.notices().contains(&Event::Left));
    assert_eq!(server.core.poll_timeout(), None);
}

#[test]
fn a_leave_with_an_update_takes_the_server_out_of_the_list_within_twelve_seconds() {
    let mut server = Server::with(&Settings { update_list_on_shutdown: true, ..settings("a") });
    server.actions();
    server.core.handle_leave(server.now);
    assert_eq!(syncs(&server.actions()), [true]);
    let written = server.list(Ok(Message::new(vec![entry("a", ONLINE, WALL, None)])));
    assert_eq!(written, Some(Message::default()));
    server.list_written();
    assert!(server.notices().contains(&Event::Left));
    let mut hanging = Server::with(&Settings { update_list_on_shutdown: true, ..settings("a") });
    hanging.core.handle_leave(hanging.now);
    hanging.pass(12);
    assert!(hanging.notices().contains(&Event::Left));
}

#[test]
fn a_server_that_has_left_is_asked_on_a_connection_of_its_own_for_it_is_about_to_end() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.actions();
    let is_fresh = |server: &mut Server| {
        server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
        server.actions().iter().any(|action| matches!(action, Action::Gossip { new_connection: true, .. }))
    };
    assert!(!is_fresh(&mut server));
    server.core.members.merge(entry("b", OFFLINE, server.now.wall + 1, Some(1)), server.now);
    assert!(is_fresh(&mut server));
}
