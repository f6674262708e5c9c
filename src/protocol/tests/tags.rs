//! Tags and other extensions of entries: who changes them, and how they spread.

use super::*;

fn tags(text: &str) -> Tags {
    Tags::parse(text).expect(text)
}

fn tagged(name: &str, stamp: u64, incarnation: u64, text: &str) -> Entry {
    let mut entry = entry(name, ONLINE, stamp, Some(incarnation));
    if let Some(v2) = &mut entry.v2 {
        v2.extensions = Extensions::with_tags(&tags(text));
    }
    entry
}

/// The entry as a version 1 server lists it: without long extensions.
fn through_v1(entry: &Entry) -> Entry {
    let list = Message::new(vec![entry.clone()]);
    let origins = crate::origins::Origins::new(&url("own"), None).expect("valid");
    let validator = crate::message::Validator { wall: WALL, origins: &origins, known: &|_| None };
    let read = Message::from_json(&list.to_json(), validator).expect("valid");
    read.entries.into_iter().next().expect("one")
}

fn tags_of(server: &Server, name: &str) -> Option<Tags> {
    server.core.members.get(&url(name)).expect("listed").entry.tags()
}

fn tag_events(server: &mut Server) -> usize {
    let is_tags = |event: &Event| matches!(event, Event::Member(it) if it.kind == MemberEventKind::Tags);
    server.take_events().iter().filter(|event| is_tags(event)).count()
}

fn broadcast_tags(actions: &[Action]) -> Vec<Tags> {
    let sent = |action: &Action| match action {
        Action::Gossip { message, .. } if message.envelope.as_ref()?.digest.is_none() => message.entries[0].tags(),
        _ => None,
    };
    actions.iter().filter_map(sent).collect()
}

#[test]
fn changed_tags_raise_the_incarnation_and_are_broadcast_at_once() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.finish_broadcasts();
    let before = server.incarnation();
    server.core.handle_tags(server.now, tags("role=api"));
    let sent = broadcast_tags(&server.tick());
    assert_eq!(sent, [tags("role=api")]);
    assert!(server.incarnation() > before);
    assert_eq!(tag_events(&mut server), 1);
}

#[test]
fn frequent_changes_of_tags_are_broadcast_once_an_interval_and_the_last_wins() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.finish_broadcasts();
    server.core.handle_tags(server.now, tags("version=0"));
    let mut sent = broadcast_tags(&server.run(1));
    for i in 1..20 {
        server.core.handle_tags(server.now, tags(&format!("version={i}")));
        sent.extend(broadcast_tags(&server.run(1)));
    }
    assert_eq!(sent, [tags("version=0")]);
    assert_eq!(broadcast_tags(&server.run(30)), [tags("version=19")]);
    let incarnation = server.incarnation();
    server.core.handle_tags(server.now, tags("version=19"));
    server.run(60);
    assert_eq!(server.incarnation(), incarnation, "they are the same");
}

#[test]
fn a_drained_server_changes_its_tags_without_an_event_as_its_peers_do() {
    let mut server = Server::new("a");
    server.core.handle_control(server.now, false);
    server.core.handle_tags(server.now, tags("role=api"));
    server.run(1);
    assert_eq!(server.own_entry().tags(), Some(tags("role=api")));
    assert_eq!(tag_events(&mut server), 0);
}

#[test]
fn a_peer_lists_new_tags_and_passes_them_on() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.add_member("c", Some(5));
    server.finish_broadcasts();
    server.take_events();
    server.receive_v2(&reporter(), vec![tagged("b", WALL + 9, 6, "zone=1")]);
    assert_eq!(tags_of(&server, "b"), Some(tags("zone=1")));
    assert_eq!(tag_events(&mut server), 1);
    let (.., message) = server.next_message(|message| message.entries.iter().any(|it| it.url == url("b")));
    assert!(message.entries.contains(&tagged("b", WALL + 9, 6, "zone=1")));
}

#[test]
fn tags_that_were_left_out_on_the_way_do_not_replace_those_that_are_known() {
    let long = format!("note={}", "x".repeat(100));
    let known = tagged("b", WALL + 1, 6, &long);
    let stripped = through_v1(&tagged("b", WALL + 2, 6, &long));
    assert_eq!(stripped.tags(), None);
    let mut first = Server::new("a");
    first.receive_v2(&reporter(), vec![known.clone()]);
    first.receive_v1(vec![stripped.clone()]);
    let mut second = Server::new("a");
    second.receive_v1(vec![stripped]);
    assert_eq!(tags_of(&second, "b"), None);
    second.receive_v2(&reporter(), vec![known]);
    for server in [&first, &second] {
        assert_eq!(tags_of(server, "b"), Some(tags(&long)));
        assert_eq!(server.entry_of(&url("b")).stamp, WALL + 2, "the newest stamp stays");
    }
    let hash = |server: &Server| server.core.members.digest(0).hash;
    assert_eq!(hash(&first).wrapping_sub(hash(&second)), hash(&Server::new("a")).wrapping_sub(hash(&Server::new("a"))));
}

#[test]
fn short_tags_cross_version_1_servers() {
    let entry = tagged("b", WALL, 6, "role=api");
    assert_eq!(through_v1(&entry), entry);
}

#[test]
fn a_server_refutes_tags_that_others_invent_for_it() {
    let mut server = Server::new("a");
    let own = server.own_entry().clone();
    let mut altered = own.clone();
    if let Some(v2) = &mut altered.v2 {
        v2.extensions = Extensions::with_tags(&tags("role=db"));
    }
    let answer = server.receive_v2(&reporter(), vec![altered]);
    let incarnation = |entry: &Entry| entry.v2.as_ref().map(|v2| v2.incarnation);
    assert!(incarnation(&answer.entries[0]) > incarnation(&own));
    assert_eq!(answer.entries[0].tags(), Some(Tags::default()));
}

#[test]
fn own_tags_that_were_left_out_on_the_way_are_not_refuted() {
    let mut server = Server::new("a");
    server.core.handle_tags(server.now, tags(&format!("note={}", "x".repeat(100))));
    server.run(1);
    let own = server.own_entry().clone();
    // A version 1 server stamps others by its own clock.
    let stamped = Entry { stamp: own.stamp + 5_000, ..through_v1(&own) };
    assert_eq!(stamped.tags(), None);
    server.receive_v1(vec![stamped.clone()]);
    server.run(1);
    assert_eq!(server.own_entry().v2, own.v2);
    assert!(server.own_entry().stamp > stamped.stamp);
}

#[test]
fn extensions_of_a_later_version_are_passed_on_unchanged() {
    let mut server = Server::new("a");
    let field = "2 so1800000000001>http://b/>1800000000000.7>zebra=1>trole=api>9!";
    let origins = crate::origins::Origins::new(&url("own"), None).expect("valid");
    let validator = crate::message::Validator { wall: WALL, origins: &origins, known: &|_| None };
    let message = Message::from_field(field, validator).expect("protocol 2").expect("valid");
    server.learn(&message.entries[0]);
    assert_eq!(tags_of(&server, "b"), Some(tags("role=api")));
    let (.., update) = server.next_message(|message| message.entries.iter().any(|it| it.url == url("b")));
    let passed_on = update.to_field().expect("protocol 2");
    assert!(passed_on.contains(">http://b/>1800000000000.7>zebra=1>trole=api>9!"), "{passed_on}");
}

#[test]
fn ten_thousand_servers_with_512_bytes_of_tags_are_repaired_in_messages_of_90_kb_at_most() {
    let mut full = Server::new("b");
    let long = format!("note={}", "x".repeat(508));
    for i in 0..10_000 {
        full.core.members.put(tagged(&format!("server-{i}"), WALL, 6, &long), full.now);
    }
    let mut empty = Server::new("a");
    empty.add_member("b", Some(5));
    let mut largest = 0;
    for _ in 0..2_000 {
        for action in empty.tick() {
            let Action::Gossip { id, to, message, .. } = action else { continue };
            full.now = empty.now;
            // The other peers would send the same answer.
            let answer = full.core.handle_gossip(full.now, &message);
            largest = largest.max(message.to_json().len()).max(answer.to_json().len());
            if to == url("b") {
                empty.respond(id, answer);
            } else {
                empty.fail(id, ExchangeError::Other("not this one".into()));
                empty.core.send(Request::new(url("b"), Purpose::Contact), empty.now);
            }
        }
        if empty.core.members.entries().count() > 10_000 {
            break;
        }
    }
    assert_eq!(empty.core.members.entries().count(), 10_002);
    assert!((60_000..90_000).contains(&largest), "{largest}");
}
