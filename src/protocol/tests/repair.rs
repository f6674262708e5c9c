//! Anti-entropy repair: two lists become equal at a bounded cost.

use super::*;

/// One server contacts another, which lists it, until nothing more is sent. Returns the size of the largest body.
pub(super) fn exchange_until_done(one: &mut Server, other: &mut Server) -> usize {
    let to = other.own_entry().url.clone();
    let mut largest = 0;
    other.learn(one.own_entry());
    one.take_actions();
    one.core.send(Request::new(to.clone(), Purpose::Contact), one.now);
    for _ in 0..50 {
        let sent: Vec<_> = one.take_actions();
        if sent.is_empty() {
            break;
        }
        for action in sent {
            let Action::Gossip { id, message, .. } = action else { continue };
            let answer = other.core.handle_gossip(other.now, &message);
            largest = largest.max(message.to_json().len()).max(answer.to_json().len());
            one.respond(id, answer);
        }
    }
    other.take_actions();
    largest
}

/// A server that lists `server-N` for each N.
pub(super) fn server_that_knows(name: &str, servers: std::ops::Range<usize>) -> Server {
    let mut server = Server::new(name);
    let entries = servers.map(|i| entry(&format!("server-{i}"), ONLINE, WALL, Some(1))).collect();
    server.receive_v1(entries);
    server
}

#[test]
fn a_difference_in_one_server_costs_one_bucket() {
    let (mut one, mut other) = (server_that_knows("a", 0..1_000), server_that_knows("b", 0..1_001));
    exchange_until_done(&mut one, &mut other);
    assert_eq!(one.state_of("server-1000"), Some(ONLINE));
    let all = u64::MAX;
    assert_eq!(one.core.members.digest(all), other.core.members.digest(all));
    let mut third = server_that_knows("b", 0..1_002);
    let largest = exchange_until_done(&mut one, &mut third);
    assert!(largest < 6_000, "{largest} bytes");
}

#[test]
fn a_new_server_learns_ten_thousand_servers_in_bodies_of_at_most_90_kb() {
    let (mut one, mut other) = (Server::new("a"), server_that_knows("b", 0..10_000));
    let largest = exchange_until_done(&mut one, &mut other);
    assert!(largest < 90_000, "{largest} bytes");
    let known = one.core.members.entries().count();
    assert!(known > 500, "{known}");
    for _ in 0..60 {
        exchange_until_done(&mut one, &mut other);
    }
    assert_eq!(one.core.members.entries().count(), 10_002);
}

#[test]
fn the_cost_of_an_exchange_between_equal_lists_does_not_depend_on_their_length() {
    let bytes = [10, 100, 1_000, 10_000].map(|count| {
        let (mut one, mut other) = (server_that_knows("a", 0..count), server_that_knows("b", 0..count));
        for _ in 0..30 {
            exchange_until_done(&mut one, &mut other);
        }
        exchange_until_done(&mut one, &mut other)
    });
    assert!(bytes.iter().all(|bytes| *bytes < 700), "{bytes:?}");
}

#[test]
fn a_repair_that_changes_nothing_is_not_repeated() {
    let (mut one, mut other) = (server_that_knows("a", 0..40), server_that_knows("b", 0..40));
    // The first server rejects this entry, because it is too old.
    let old = entry("old", ONLINE, WALL - 21 * HOUR, Some(1));
    other.core.members.put(old, other.now);
    for _ in 0..2 {
        exchange_until_done(&mut one, &mut other);
        one.run(1);
        other.run(1);
    }
    one.take_actions();
    one.core.send(Request::new(url("b"), Purpose::Contact), one.now);
    let sent = one.take_actions();
    let Action::Gossip { id, message, .. } = &sent[0] else { panic!("{sent:?}") };
    let answer = other.core.handle_gossip(other.now, message);
    one.respond(*id, answer);
    assert_eq!(one.take_actions(), []);
}

#[test]
fn the_size_of_an_entry_is_its_share_of_a_message() {
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
fn entries_that_do_not_fit_in_one_message_are_requested_from_another_server() {
    let (mut one, mut other) = (Server::new("a"), server_that_knows("b", 0..3_000));
    one.take_actions();
    one.core.send(Request::new(url("b"), Purpose::Contact), one.now);
    let mut asked = BTreeSet::new();
    for _ in 0..3 {
        for action in one.take_actions() {
            let Action::Gossip { id, to, message, .. } = action else { continue };
            asked.insert(to);
            let answer = other.core.handle_gossip(other.now, &message);
            one.respond(id, answer);
        }
    }
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[test]
fn a_new_server_compares_lists_again_before_its_next_round_ever_less_often_while_they_are_equal() {
    let comparisons = |lists_differ: bool| {
        let (mut one, mut other) = (server_that_knows("a", 0..1), server_that_knows("b", 0..1));
        exchange_until_done(&mut one, &mut other);
        let mut by_seconds = [0; 4];
        for second in 0..40 {
            if lists_differ {
                other.receive_v1(vec![entry(&format!("late-{second}"), ONLINE, other.now.wall, Some(1))]);
            }
            for action in one.run(1) {
                let Action::Gossip { id, to, message, .. } = action else { continue };
                if to == url("b") {
                    by_seconds[second / 10] += 1;
                    let answer = other.core.handle_gossip(other.now, &message);
                    one.respond(id, answer);
                }
            }
            one.take_actions();
            other.run(1);
        }
        by_seconds
    };
    let equal = comparisons(false);
    assert!((4..=8).contains(&equal[0]) && (1..=4).contains(&equal[2]) && equal[3] <= 3, "{equal:?}");
    let differing = comparisons(true);
    assert!(differing[2] > 5 && differing[3] <= 5, "{differing:?}");
}
