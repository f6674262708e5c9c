//! The first contacts with seeds, which `shazbotStart` waits for.

use super::*;

#[test]
fn the_bootstrap_ends_when_every_seed_has_answered_or_failed() {
    let mut server = Server::new("a");
    assert_eq!(list_requests(&server.take_actions()), [false]);
    let seeds = ["b", "c"].map(|name| entry(name, ONLINE, WALL, Some(1)));
    assert_eq!(server.on_list_read(Ok(Message::new(seeds.into()))), None);
    assert_eq!(server.state_of("b"), None, "a seed is not a member");
    let sent = gossip_requests(&server.take_actions());
    assert_eq!(sent.len(), 2);
    server.fail(sent[0].0, ExchangeError::Other("refused".into()));
    assert!(!server.take_events().contains(&Event::Started));
    let answer = Message::new(vec![entry("c", ONLINE, WALL, Some(1)), entry("d", ONLINE, WALL, Some(1))]);
    server.respond(sent[1].0, answer);
    assert!(server.take_events().contains(&Event::Started));
    assert_eq!((server.state_of("c"), server.state_of("d")), (Some(ONLINE), Some(ONLINE)));
}

#[test]
fn one_readable_list_is_enough_to_start() {
    let mut server = Server::with_settings(&Settings { lists: vec![list("one"), list("other")], ..settings("a") });
    let ids: Vec<_> = server.take_actions().iter().filter_map(list_request_of).collect();
    let seed = entry("b", ONLINE, WALL, Some(1));
    server.core.handle_list_read(server.now, ids[0], Err("no answer".into()));
    server.core.handle_list_read(server.now, ids[1], Ok(Some(Message::new(vec![seed.clone()]))));
    let first = gossip_requests(&server.take_actions());
    assert_eq!(first.len(), 1);
    server.respond(first[0].0, Message::new(vec![seed]));
    assert!(server.take_events().contains(&Event::Started));
    // Each list has its own backoff.
    let again = server.run(3);
    for index in 0..2 {
        assert!(again.iter().any(|it| matches!(it, Action::SyncList { list, .. } if *list == index)), "{again:?}");
    }
}

#[test]
fn the_bootstrap_contacts_each_seed_once() {
    let mut server = Server::new("a");
    server.take_actions();
    let seed = entry("b", ONLINE, WALL, Some(1));
    server.on_list_read(Ok(Message::new(vec![seed.clone()])));
    let first = gossip_requests(&server.take_actions());
    assert_eq!(first.len(), 1);
    server.run(3);
    server.on_list_read(Ok(Message::new(vec![seed])));
    server.fail(first[0].0, ExchangeError::Other("timeout".into()));
    assert!(server.take_events().contains(&Event::Started));
}
