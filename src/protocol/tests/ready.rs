//! Readiness: who sets it, and how it spreads.

use super::*;

fn not_ready(name: &str, incarnation: u64) -> Entry {
    let mut entry = entry(name, ONLINE, WALL + incarnation, Some(incarnation));
    if let Some(v2) = &mut entry.v2 {
        v2.extensions = Extensions::new(&Tags::default(), false);
    }
    entry
}

fn is_ready(server: &Server, name: &str) -> bool {
    server.core.members.get(&url(name)).expect("listed").entry.is_ready()
}

fn ready_events(server: &mut Server) -> Vec<bool> {
    let ready = |event: Event| match event {
        Event::Member(it) if it.kind == MemberEventKind::Ready => Some(it.entry.is_ready()),
        _ => None,
    };
    server.take_events().into_iter().filter_map(ready).collect()
}

fn broadcast_readiness(actions: &[Action]) -> Vec<bool> {
    let readiness = |action: &Action| match action {
        Action::Gossip { message, .. } if message.envelope.as_ref()?.digest.is_none() => {
            Some(message.entries[0].is_ready())
        }
        _ => None,
    };
    actions.iter().filter_map(readiness).collect()
}

#[test]
fn a_change_of_readiness_is_broadcast_at_once_and_keeps_the_tags() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.core.handle_tags(server.now, Tags::parse("role=api").expect("valid"));
    server.run(1);
    server.finish_broadcasts();
    let before = server.incarnation();
    server.core.handle_ready(server.now, false);
    assert_eq!(broadcast_readiness(&server.tick()), [false]);
    assert!(server.incarnation() > before);
    assert_eq!(server.own_entry().tags(), Some(Tags::parse("role=api").expect("valid")));
    assert_eq!(ready_events(&mut server), [false]);
}

#[test]
fn frequent_changes_of_readiness_are_broadcast_once_a_second_and_the_last_wins() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.finish_broadcasts();
    let mut all = Vec::new();
    for i in 0..50 {
        server.core.handle_ready(server.now, i % 2 == 1);
        all.extend(broadcast_readiness(&server.tick()));
    }
    assert!((1..=6).contains(&all.len()), "{all:?}");
    server.run(2);
    assert!(is_ready(&server, "a"));
    let incarnation = server.incarnation();
    server.core.handle_ready(server.now, true);
    server.run(5);
    assert_eq!(server.incarnation(), incarnation, "it is the same");
}

#[test]
fn a_server_starts_unready_if_configured_so() {
    let server = Server::with_settings(&Settings { is_ready: false, ..settings("a") });
    assert!(!is_ready(&server, "a"));
}

#[test]
fn a_peer_passes_on_each_change_of_readiness_even_right_after_a_renewal() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.add_member("c", Some(5));
    server.finish_broadcasts();
    for incarnation in [6, 7, 8] {
        let ready = incarnation == 7;
        let entry = if ready { entry("b", ONLINE, WALL + 7, Some(7)) } else { not_ready("b", incarnation) };
        server.receive_v2(&reporter(), vec![entry.clone()]);
        assert_eq!(is_ready(&server, "b"), ready);
        let (.., message) = server.next_message(|message| message.entries.iter().any(|it| it.url == url("b")));
        assert!(message.entries.contains(&entry));
        server.finish_broadcasts();
    }
    assert_eq!(ready_events(&mut server), [false, true, false]);
}

#[test]
fn a_server_refutes_a_false_claim_that_it_is_not_ready() {
    let mut server = Server::new("a");
    let mut altered = server.own_entry().clone();
    if let Some(v2) = &mut altered.v2 {
        v2.extensions = Extensions::new(&Tags::default(), false);
    }
    let answer = server.receive_v2(&reporter(), vec![altered]);
    assert!(answer.entries[0].is_ready());
    assert!(server.incarnation() > Some(WALL));
}

#[test]
fn hints_of_the_program_probe_a_server_at_a_bounded_rate() {
    let mut server = Server::new("a");
    let names: Vec<_> = (0..50).map(|i| format!("server-{i}")).collect();
    for name in &names {
        server.add_member(name, Some(5));
    }
    server.finish_broadcasts();
    server.take_actions();
    for name in &names {
        server.core.handle_hint(server.now, &url(name));
    }
    let probes = server.take_actions().into_iter().filter(|it| matches!(it, Action::Gossip { .. })).count();
    assert_eq!(probes, 6);
    assert_eq!(server.core.members.state(&url("server-0")), Some(ONLINE), "a hint decides nothing");
}
