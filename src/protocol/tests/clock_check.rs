//! A server whose clock is hours wrong.

use super::*;

fn wrong_clock(server: &mut Server) -> bool {
    server.take_events().contains(&Event::ClockWrong)
}

/// A master list as read by a server whose clock is four hours slow: the other entries are stamped too far ahead.
fn list_of_the_others(count: usize) -> Message {
    Message { ahead: count, ..Message::default() }
}

/// Reads a list whenever the server asks for it, for this long. Returns the writes and the seconds at which they came.
fn read_for(server: &mut Server, seconds: u64, list: &Message) -> Option<(Message, u64)> {
    for second in 0..seconds {
        for action in server.run(1) {
            if let Action::SyncList { id, .. } = action
                && let Some(written) = server.core.handle_list_read(server.now, id, Ok(Some(list.clone())))
            {
                return Some((written, second));
            }
        }
    }
    None
}

#[test]
fn a_server_with_a_slow_clock_does_not_write_the_list_for_a_minute_and_warns_once() {
    let mut server = Server::new("a");
    server.take_actions();
    assert_eq!(server.on_list_read(Ok(list_of_the_others(3))), None);
    assert!(wrong_clock(&mut server));
    assert_eq!(read_for(&mut server, 59, &list_of_the_others(3)), None);
    assert!(!wrong_clock(&mut server));
}

#[test]
fn servers_with_right_clocks_find_each_other_by_a_list_that_a_wrong_clock_stamped() {
    let mut first = Server::new("a");
    first.take_actions();
    first.on_list_read(Ok(list_of_the_others(3)));
    let (written, seconds) = read_for(&mut first, 180, &list_of_the_others(3)).expect("it adds itself");
    assert!(seconds >= 59, "{seconds}");
    assert_eq!(written.entries, [first.own_entry().clone()]);

    let mut second = Server::new("b");
    second.take_actions();
    second.on_list_read(Ok(Message { ahead: 3, ..written }));
    let (id, to) = gossip_requests(&second.take_actions()).pop().expect("it contacts the first");
    assert_eq!(to, url("a"));
    let answer = entry("a", ONLINE, second.now.wall, Some(1));
    second.respond_v2(id, &answer, vec![]);
    assert!(second.update_list(vec![answer]).contains(&url("b")), "two clocks agree");
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
fn a_server_whose_clock_differs_from_most_that_answer_only_adds_itself_to_its_lists_after_a_minute() {
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
            // An entry too far ahead of our clock is rejected when it is parsed.
            let unreadable = Message { ahead: 1, envelope: Some(Envelope::default()), ..Message::default() };
            let answer = if is_ahead { unreadable } else { answer };
            server.core.handle_response(server.now, id, Ok(answer));
        }
        assert!(wrong_clock(&mut server), "{skew} h");
        let listed = ["b", "x"].map(|name| entry(name, ONLINE, server.now.wall, Some(1)));
        let urls = |names: &[&str]| names.iter().map(|name| url(name)).collect::<Vec<_>>();
        assert_eq!(server.update_list(listed.to_vec()), urls(&["b", "x"]), "{skew} h");
        server.advance(60_000);
        let written: BTreeSet<_> = server.update_list(listed.to_vec()).into_iter().collect();
        assert_eq!(written, ["a", "b", "x"].map(url).into(), "{skew} h");
        let listed = [&listed[..], &[server.own_entry().clone()]].concat();
        assert_eq!(server.update_list(listed), urls(&["b", "x", "a"]), "{skew} h, nothing to add");
    }
}
