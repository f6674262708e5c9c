//! Two lists become the same.

use super::*;

/// Passes the messages of one server to another and back until neither has more to say; returns the largest body.
fn converse(one: &mut Server, other: &mut Server) -> usize {
    let to = other.own().url.clone();
    let mut largest = 0;
    one.actions();
    one.core.send(Request::new(to.clone(), Purpose::Contact), one.now);
    for _ in 0..50 {
        let sent: Vec<_> = one.actions();
        if sent.is_empty() {
            break;
        }
        for action in sent {
            let Action::Gossip { id, message, .. } = action else { continue };
            let answer = other.core.handle_gossip(other.now, &message);
            largest = largest.max(message.to_json().len()).max(answer.to_json().len());
            one.core.handle_response(one.now, id, Ok(answer));
        }
    }
    other.actions();
    largest
}

fn knowing(name: &str, servers: std::ops::Range<usize>) -> Server {
    let mut server = Server::new(name);
    let entries = servers.map(|i| entry(&format!("server-{i}"), ONLINE, WALL, Some(1))).collect();
    server.hear(entries);
    server
}

#[test]
fn a_difference_in_one_server_costs_one_bucket() {
    let (mut one, mut other) = (knowing("a", 0..1_000), knowing("b", 0..1_001));
    converse(&mut one, &mut other);
    assert_eq!(one.state_of("server-1000"), Some(ONLINE));
    let all = u64::MAX;
    assert_eq!(one.core.members.digest(all), other.core.members.digest(all));
    let mut third = knowing("b", 0..1_002);
    let largest = converse(&mut one, &mut third);
    assert!(largest < 6_000, "{largest} bytes");
}

#[test]
fn a_newcomer_learns_ten_thousand_servers_in_bodies_of_at_most_90_kb() {
    let (mut one, mut other) = (Server::new("a"), knowing("b", 0..10_000));
    let largest = converse(&mut one, &mut other);
    assert!(largest < 90_000, "{largest} bytes");
    let known = one.core.members.entries().count();
    assert!(known > 500, "{known}");
    for _ in 0..60 {
        converse(&mut one, &mut other);
    }
    assert_eq!(one.core.members.entries().count(), 10_002);
}

#[test]
fn the_cost_of_an_exchange_between_equals_does_not_depend_on_the_number_of_servers() {
    let bytes = [10, 100, 1_000, 10_000].map(|count| {
        let (mut one, mut other) = (knowing("a", 0..count), knowing("b", 0..count));
        for _ in 0..30 {
            converse(&mut one, &mut other);
        }
        converse(&mut one, &mut other)
    });
    assert!(bytes.iter().all(|bytes| *bytes < 700), "{bytes:?}");
}

#[test]
fn stamps_cross_by_their_place_where_the_lists_are_the_same() {
    let (mut one, mut other) = (knowing("a", 0..40), knowing("b", 0..40));
    converse(&mut one, &mut other);
    other.hear(vec![entry("server-7", ONLINE, WALL + 20_000, Some(1))]);
    converse(&mut one, &mut other);
    let stamp = one.core.members.get(&url("server-7")).expect("known").entry.stamp;
    assert!((WALL + 19_800..=WALL + 20_000).contains(&stamp), "{}", stamp - WALL);
}

#[test]
fn a_repair_that_changes_nothing_is_not_repeated() {
    let (mut one, mut other) = (knowing("a", 0..40), knowing("b", 0..40));
    // Refused by the one: it is too old for a third party's word.
    let old = entry("old", ONLINE, WALL - 21 * HOUR, Some(1));
    other.core.members.put(old, other.now);
    for _ in 0..2 {
        converse(&mut one, &mut other);
        one.pass(1);
        other.pass(1);
    }
    one.actions();
    one.core.send(Request::new(url("b"), Purpose::Contact), one.now);
    let sent = one.actions();
    let Action::Gossip { id, message, .. } = &sent[0] else { panic!("{sent:?}") };
    let answer = other.core.handle_gossip(other.now, message);
    one.core.handle_response(one.now, *id, Ok(answer));
    assert_eq!(one.actions(), []);
}

#[test]
fn a_version_1_server_is_sent_what_its_full_answer_lacks() {
    let mut server = Server::new("a");
    server.hear(["b", "c", "d"].map(|name| entry(name, ONLINE, WALL, Some(1))).into());
    server.actions();
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    let sent = server.actions();
    let Action::Gossip { message, .. } = &sent[0] else { panic!("{sent:?}") };
    assert_eq!(message.lists().len(), 1, "small first");
    let known = ["b", "c"].map(|name| entry(name, ONLINE, WALL, Some(1)));
    server.core.handle_response(server.now, id, Ok(Message::new(known.into())));
    let sent = server.actions();
    let Action::Gossip { to, message, .. } = &sent[0] else { panic!("{sent:?}") };
    let told: BTreeSet<_> = message.lists().iter().map(|entry| entry.url.clone()).collect();
    assert_eq!((to, told), (&url("b"), BTreeSet::from([url("d")])));
    assert!(!message.is_v2());
}

#[test]
fn the_answer_to_a_version_1_server_is_everything_where_it_fits() {
    let mut server = knowing("a", 0..500);
    let answer = server.core.handle_gossip(server.now, &Message::new(vec![]));
    assert_eq!(answer.entries.len(), 501);
}

#[test]
fn answers_to_version_1_servers_are_at_most_90_kb_begin_with_what_changed_last_and_get_to_everything() {
    let mut server = knowing("a", 0..5_000);
    server.hear(vec![entry("server-7", ONLINE, WALL + 1, Some(2))]);
    let mut told = BTreeSet::new();
    for _ in 0..12 {
        let answer = server.core.handle_gossip(server.now, &Message::new(vec![]));
        let bytes = answer.to_json().len();
        assert!((80_000..90_000).contains(&bytes), "{bytes} bytes");
        assert_eq!(answer.entries[1].url, url("server-7"));
        let urls: BTreeSet<_> = answer.entries.iter().map(|entry| entry.url.clone()).collect();
        assert_eq!(urls.len(), answer.entries.len(), "each once");
        told.extend(urls);
    }
    assert_eq!(told.len(), 5_001);
}

#[test]
fn the_size_of_an_entry_is_what_it_takes_in_a_message() {
    for (name, author) in [("a", None), ("b", Some(url("a.server.with.a.longer.name:3000")))] {
        for incarnation in [None, Some((1 << 53) - 1)] {
            let mut it = entry(name, OFFLINE, (1 << 53) - 1, incarnation);
            if let Some(v2) = &mut it.v2 {
                (v2.instance, v2.reason, v2.author) = (u32::MAX, Some(Reason::Left), author.clone());
            }
            let alone = Message::new(vec![it.clone()]).to_json().len();
            let two = Message::new(vec![it.clone(), it.clone()]).to_json().len();
            assert!((two - alone..two - alone + 3).contains(&it.size()), "{} of {}", it.size(), two - alone);
        }
    }
}

#[test]
fn where_there_is_more_than_fits_another_is_asked_for_it() {
    let (mut one, mut other) = (Server::new("a"), knowing("b", 0..3_000));
    one.actions();
    one.core.send(Request::new(url("b"), Purpose::Contact), one.now);
    let mut asked = BTreeSet::new();
    for _ in 0..3 {
        for action in one.actions() {
            let Action::Gossip { id, to, message, .. } = action else { continue };
            asked.insert(to);
            let answer = other.core.handle_gossip(other.now, &message);
            one.core.handle_response(one.now, id, Ok(answer));
        }
    }
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[test]
fn whoever_is_new_does_not_wait_for_its_round_while_others_list_something_else() {
    let waits = |stranger: bool| {
        let (mut one, mut other) = (knowing("a", 0..3), knowing("b", 0..3));
        converse(&mut one, &mut other);
        // They did not know each other.
        one.pass(2);
        if stranger {
            other.hear(vec![entry("late", ONLINE, other.now.wall, Some(1))]);
        }
        converse(&mut one, &mut other);
        gossips(&one.pass(2)).is_empty()
    };
    assert!(!waits(true));
    assert!(waits(false));
}
