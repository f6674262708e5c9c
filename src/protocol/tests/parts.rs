//! Long messages, which are merged in parts.

use super::*;
use crate::protocol::parts::PART;

/// Merges a message in parts. Returns how many parts there were before the last one.
fn merge_parts(server: &mut Server, message: &mut Message, response_to: Option<RequestId>) -> usize {
    std::iter::from_fn(|| server.core.merge_part(server.now, message, response_to).then_some(())).count()
}

fn entries_of(server: &Server) -> Vec<Entry> {
    server.core.members().entries().filter(|entry| entry.url != url("a")).cloned().collect()
}

/// Entries of several servers, and two about each of some.
fn many(version: Option<u64>) -> Vec<Entry> {
    let online = (0..2_000).map(|i| entry(&format!("s{i}"), ONLINE, WALL, version));
    online.chain((0..700).map(|i| entry(&format!("s{i}"), OFFLINE, WALL + 1, version))).collect()
}

#[test]
fn a_message_in_parts_gives_the_same_list_as_the_whole_message() {
    let sender = entry("b", ONLINE, WALL, Some(5));
    for message in [Message::new_v2(sender, many(Some(5)), Envelope::default()), Message::new(many(None))] {
        let (mut whole, mut parts) = (Server::new("a"), Server::new("a"));
        whole.core.handle_gossip(whole.now, &message);
        let mut message = message;
        assert_eq!(merge_parts(&mut parts, &mut message, None), message.entries.len().div_ceil(PART) - 1);
        parts.core.handle_gossip(parts.now, &message);
        assert!(entries_of(&parts) == entries_of(&whole));
    }
}

/// A server that probes `b`, which it knows.
fn server_that_probes_b() -> (Server, RequestId) {
    let mut server = Server::new("a");
    server.add_member("b", None);
    server.finish_broadcasts();
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    server.take_actions();
    (server, id)
}

#[test]
fn a_long_answer_of_a_version_1_server_is_read_wherever_its_own_entry_is() {
    for place in [0, 1_000, 2_600] {
        let mut list = many(None);
        list.insert(place, entry("b", ONLINE, WALL + 9_000, None));
        // It repeats what others report about it.
        list.push(entry("b", OFFLINE, WALL + 10_000, None));
        let (mut whole, id) = server_that_probes_b();
        whole.respond(id, Message::new(list.clone()));
        let (mut parts, id) = server_that_probes_b();
        let mut answer = Message::new(list);
        assert!(merge_parts(&mut parts, &mut answer, Some(id)) > 1);
        parts.respond(id, answer);
        assert_eq!(parts.state_of("b"), Some(ONLINE));
        assert!(entries_of(&parts) == entries_of(&whole));
        assert!(parts.core.members().is_reached(&url("b")));
        assert_eq!(gossip_requests(&parts.take_actions()).len(), gossip_requests(&whole.take_actions()).len());
    }
}

#[test]
fn no_part_of_an_answer_of_another_server_is_merged() {
    let (mut server, id) = server_that_probes_b();
    let mut answer = Message::new_v2(entry("c", ONLINE, WALL, Some(5)), many(Some(5)), Envelope::default());
    assert_eq!(merge_parts(&mut server, &mut answer, Some(id)), 0);
    server.respond(id, answer);
    assert_eq!(server.state_of("s1"), None);
}

#[test]
fn a_suspicion_ends_with_the_first_part_of_an_answer() {
    let (mut server, id) = server_that_probes_b();
    server.fail(id, refused());
    assert!(server.core.is_suspect(&url("b")));
    let (id, _, _) = server.next_message(|message| message.envelope.as_ref().is_some_and(|it| it.suspects_receiver));
    let mut answer = Message::new(many(None));
    assert!(server.core.merge_part(server.now, &mut answer, Some(id)));
    server.run(5);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}
