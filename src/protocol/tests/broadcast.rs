//! Which updates are broadcast, to which servers, and how often.

use super::*;

/// A server with this many members and no waiting updates.
fn server_with_members(count: usize) -> Server {
    let mut server = Server::new("a");
    for i in 0..count {
        server.add_member(&format!("s{i}"), Some(1));
    }
    // The new members are updates too.
    server.finish_broadcasts();
    server
}

/// `s1` sends an entry of another server.
fn receive_update(server: &mut Server, name: &str) {
    let from = entry("s1", ONLINE, WALL, Some(1));
    server.receive_v2(&from, vec![entry(name, ONLINE, WALL, Some(1))]);
}

#[test]
fn a_second_reported_failure_of_a_failed_server_is_not_broadcast() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 5)]);
    server.finish_broadcasts();
    server.receive_v2(&reporter(), vec![failed("b", WALL + 500, 5)]);
    assert!(server.core.broadcasts.is_empty());
}

#[test]
fn two_processes_with_one_base_url_do_not_cause_endless_broadcasts() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.learn(&reporter());
    server.finish_broadcasts();
    let mut updates = 0;
    for i in 0..60 {
        let mut other = entry("b", ONLINE, server.now.wall, Some(2 + i));
        other.v2 = other.v2.map(|v2| EntryV2 { instance: 7 + (i % 2) as u32, ..v2 });
        server.receive_v2(&reporter(), vec![other]);
        updates += server.core.broadcasts.len();
        server.run_with_failures(&[], 1, &ExchangeError::TimedOut);
    }
    assert!((1..=3).contains(&updates), "{updates}");
}

#[test]
fn updates_go_once_in_one_message_to_the_successor_and_two_random_servers() {
    let mut server = server_with_members(20);
    receive_update(&mut server, "new1");
    receive_update(&mut server, "new2");
    let sent = server.tick().into_iter().chain(server.tick());
    let sent: Vec<_> = sent
        .filter_map(|action| match action {
            Action::Gossip { to, message, .. } => Some((to, message)),
            _ => None,
        })
        .collect();
    assert_eq!(sent.len(), 3);
    let next = server.core.members.successors().next().cloned();
    assert_eq!(Some(&sent[0].0), next.as_ref());
    let sent_urls: Vec<_> = sent[1].1.entries.iter().map(|entry| entry.url.clone()).collect();
    assert_eq!(sent_urls, [url("a"), url("new1"), url("new2")]);
    // The same entry again is not an update.
    receive_update(&mut server, "new1");
    assert!(server.core.broadcasts.is_empty());
}

#[test]
fn new_stamps_are_not_broadcast() {
    let mut server = server_with_members(20);
    let from = entry("s1", ONLINE, WALL + 1, Some(1));
    server.receive_v2(&from, vec![entry("s2", ONLINE, WALL + 9, Some(1))]);
    assert!(server.core.broadcasts.is_empty());
}

#[test]
fn if_the_successor_fails_the_next_on_the_ring_gets_the_updates() {
    let mut server = server_with_members(20);
    receive_update(&mut server, "new");
    let ring: Vec<_> = server.core.members.successors().take(4).cloned().collect();
    let mut sent: VecDeque<_> = gossip_requests(&server.run(1)).into();
    for to in &ring[..3] {
        let (id, receiver) = sent.pop_front().expect("one more server gets the update");
        assert_eq!(receiver, *to);
        // The random servers respond.
        sent.drain(..).for_each(|(id, _)| server.respond(id, Message::default()));
        server.fail(id, ExchangeError::TimedOut);
        sent.extend(gossip_requests(&server.take_actions()));
    }
    assert!(sent.is_empty(), "after that the update is left to the digests");
}

#[test]
fn a_storm_of_updates_causes_a_bounded_number_of_messages() {
    let mut server = server_with_members(50);
    let mut sent = 0;
    for i in 0..600 {
        receive_update(&mut server, &format!("new{i}"));
        sent += gossip_requests(&server.tick()).len();
    }
    // 2 a second for a minute, the rest of the burst of 8, and two rounds.
    assert!((110..150).contains(&sent), "{sent}");
    assert!(server.core.broadcasts.len() < 30);
}

#[test]
fn a_refutation_is_broadcast_at_once() {
    let mut server = server_with_members(20);
    let failure = offline("a", server.now.wall, WALL, Reason::Failed, "s1");
    server.receive_v2(&entry("s1", ONLINE, WALL + 1, Some(1)), vec![failure]);
    server.core.handle_timeout(server.now);
    assert_eq!(gossip_requests(&server.take_actions()).len(), 3);
}

#[test]
fn updates_that_an_invented_server_refuses_go_to_a_server_that_has_answered() {
    let mut server = server_with_members(3);
    for i in 0..3 {
        server.core.members.on_response(&url(&format!("s{i}")), None, server.now);
    }
    for i in 0..200 {
        receive_update(&mut server, &format!("invented{i}"));
    }
    let is_invented = |to: &ServerUrl| to.as_str().contains("invented");
    let sent: Vec<_> = gossip_requests(&server.tick()).into_iter().filter(|(_, to)| is_invented(to)).collect();
    assert!(!sent.is_empty());
    for (id, _) in sent {
        server.fail(id, refused());
        let instead = gossip_requests(&server.take_actions());
        assert!(instead.len() == 1 && !is_invented(&instead[0].1), "{instead:?}");
    }
}
