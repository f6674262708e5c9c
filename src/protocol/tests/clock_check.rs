//! A server whose own clock is hours wrong.

use super::*;

fn wrong_clock(server: &mut Server) -> bool {
    server.take_events().contains(&Event::ClockWrong)
}

/// A master list as a server whose clock is four hours slow reads it: the others are stamped too far ahead.
fn list_of_the_others(count: usize) -> Message {
    Message { ahead: count, ..Message::default() }
}

#[test]
fn a_server_behind_a_master_list_does_not_write_it_and_says_why_once() {
    let mut server = Server::new("a");
    server.take_actions();
    assert_eq!(server.on_list_read(Ok(list_of_the_others(3))), None);
    assert!(wrong_clock(&mut server));
    for _ in 0..3 {
        server.run(900);
        assert_eq!(server.on_list_read(Ok(list_of_the_others(3))), None, "nor at its next update");
    }
    assert!(!wrong_clock(&mut server));
}

#[test]
fn a_server_whose_clock_was_set_reads_its_lists_at_once() {
    let mut server = Server::new("a");
    server.take_actions();
    server.on_list_read(Ok(list_of_the_others(3)));
    server.run(5);
    server.on_list_read(Ok(list_of_the_others(3)));
    server.take_actions();
    server.now.wall += 4 * HOUR;
    let read = |action: &Action| matches!(action, Action::SyncList { .. });
    assert!(server.run(1).iter().any(read));
}

#[test]
fn one_list_entry_ahead_among_others_is_no_reason_for_doubt() {
    let mut server = Server::new("a");
    server.take_actions();
    let listed = ["b", "c"].map(|name| entry(name, ONLINE, WALL, Some(WALL)));
    server.on_list_read(Ok(Message { ahead: 1, ..Message::new(listed.into()) }));
    assert!(!wrong_clock(&mut server));
}

#[test]
fn a_server_whose_clock_differs_from_most_that_answer_does_not_write_its_lists() {
    for skew in [-4, 4, 30] {
        let mut server = Server::new("a");
        for name in ["b", "c", "d"] {
            server.add_member(name, Some(1));
        }
        server.take_actions();
        for name in ["b", "c"] {
            let id = server.core.send(Request::new(url(name), Purpose::Contact), server.now);
            let stamp = server.now.wall.saturating_add_signed(-skew * HOUR.cast_signed());
            let is_ahead = skew < -3;
            let own = entry(name, ONLINE, stamp, Some(1));
            let answer = Message::new_v2(own, None, Envelope::default());
            // What is too far ahead of our clock is not even read.
            let unreadable = Message { ahead: 1, envelope: Some(Envelope::default()), ..Message::default() };
            let answer = if is_ahead { unreadable } else { answer };
            server.core.handle_response(server.now, id, Ok(answer));
        }
        assert!(wrong_clock(&mut server), "{skew} h");
        assert_eq!(server.update_list(vec![]), Vec::<ServerUrl>::new(), "{skew} h");
    }
}
