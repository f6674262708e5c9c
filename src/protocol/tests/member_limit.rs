//! How many servers are remembered, even if peers invent more.

use super::*;
use crate::membership::MAX_UNREACHED;

/// A server to which `b` has sent invented entries, 500 in each message.
fn server_with_reported(name: &str, state: State, count: usize) -> Server {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    let from = entry("b", ONLINE, WALL, Some(1));
    for part in 0..count / 500 {
        let others = (0..500).map(|i| entry(&format!("{name}{}", part * 500 + i), state, WALL, Some(1))).collect();
        server.receive_v2(&from, others);
    }
    server
}

#[test]
fn invented_servers_leave_room_for_servers_that_answer() {
    let mut server = server_with_reported("x", ONLINE, 30_000);
    let known = server.core.members().entries().count();
    assert!(known <= MAX_UNREACHED + 2, "{known}");
    let full = server.take_events().into_iter().filter(|event| *event == Event::Full).count();
    assert_eq!(full, 11, "once for each message that names too many servers");
    // A new server is called back, and listed when it answers.
    server.run(60);
    server.take_actions();
    let new = entry("new", ONLINE, server.now.wall, Some(1));
    server.receive_v2(&new, vec![]);
    assert_eq!(server.state_of("new"), None);
    let sent = gossip_requests(&server.take_actions());
    let (call_back, _) = sent.iter().find(|(_, to)| *to == url("new")).expect("a call back");
    server.respond_v2(*call_back, &new, vec![]);
    assert_eq!(server.state_of("new"), Some(ONLINE));
}

#[test]
fn a_peer_that_invents_a_thousand_servers_in_every_answer_does_no_harm() {
    const REAL: [&str; 3] = ["b", "c", "d"];
    let mut server = Server::new("a");
    REAL.iter().chain(&["liar"]).for_each(|name| server.add_member(name, Some(1)));
    let (mut invented, mut answers, mut busiest, mut sent) = (0, 0, 0, 0);
    for _ in 0..3_600 {
        let mut in_second = 0;
        for _ in 0..10 {
            for (id, to) in gossip_requests(&server.tick()) {
                in_second += 1;
                let answer = if to == url("liar") {
                    answers += 1;
                    let lie = |n| entry(&format!("x{n}"), ONLINE, server.now.wall, (answers % 2 == 0).then_some(1));
                    let lies = (invented..invented + 1_000).map(lie);
                    invented += 1_000;
                    let liar = entry("liar", ONLINE, server.now.wall, Some(1));
                    Ok(if answers % 2 == 0 {
                        Message::new_v2(liar, lies, Envelope::default())
                    } else {
                        Message::new(std::iter::once(liar).chain(lies).collect())
                    })
                } else if REAL.iter().any(|name| url(name) == to) {
                    Ok(server.empty_answer_of(&to))
                } else {
                    Err(refused())
                };
                server.core.handle_response(server.now, id, answer);
            }
        }
        busiest = busiest.max(in_second);
        sent += in_second;
        for name in REAL {
            assert_eq!(server.state_of(name), Some(ONLINE), "{name}");
        }
    }
    let known = server.core.members().entries().count();
    assert!(answers >= 100, "{answers}");
    assert!(known <= MAX_UNREACHED + 10, "{known}");
    // A server that refuses a connection is probed, and all invented servers refuse at once.
    assert!(busiest <= 200, "{busiest}");
    assert!(sent <= 20 * 3_600, "{sent}");
}

#[test]
fn online_servers_displace_tombstones_of_servers_that_never_answered() {
    // The servers of a day of deployments, each with new names.
    let mut server = server_with_reported("old", OFFLINE, 25_000);
    let online = (0..500).map(|i| entry(&format!("new{i}"), ONLINE, WALL, Some(1))).collect();
    server.receive_v2(&entry("b", ONLINE, WALL, Some(1)), online);
    assert!((0..500).all(|i| server.state_of(&format!("new{i}")) == Some(ONLINE)));
    assert!(server.core.members().entries().count() <= MAX_UNREACHED + 2);
}

#[test]
fn a_drained_server_keeps_its_own_entry_when_its_list_is_full() {
    let mut server = server_with_reported("x", ONLINE, 25_000);
    server.core.handle_control(server.now, false);
    // It is the only offline server, and offline servers make room for others.
    server.receive_v2(&entry("b", ONLINE, WALL, Some(1)), vec![entry("new", ONLINE, WALL, Some(1))]);
    assert_eq!((server.state_of("a"), server.state_of("new")), (Some(OFFLINE), None));
}
