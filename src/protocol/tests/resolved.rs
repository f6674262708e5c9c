//! The event that follows when the cause of a warning is gone.

use super::*;

fn ends(server: &mut Server) -> Vec<Resolved> {
    let ended = |event| if let Event::Resolved(resolved) = event { Some(resolved) } else { None };
    server.take_events().into_iter().filter_map(ended).collect()
}

#[test]
fn a_server_is_alone_until_it_knows_another() {
    let mut server = Server::new("a");
    server.run_with_failures(&[], 400, &refused());
    assert!(server.take_events().iter().any(|event| matches!(event, Event::Alone(_))));
    server.add_member("b", Some(1));
    server.run_with_failures(&[], 31, &refused());
    assert_eq!(ends(&mut server), [Resolved::Alone]);
}

#[test]
fn a_list_is_unusable_until_it_is_read() {
    let mut server = Server::new("a");
    server.take_actions();
    for _ in 0..60 {
        server.on_list_read(Err("no answer".into()));
        server.run(1);
    }
    assert!(server.take_events().iter().any(|event| matches!(event, Event::ListUnusable { .. })));
    let own = server.own_entry().clone();
    while ends(&mut server) != [Resolved::List("the list".into())] {
        server.on_list_read(Ok(Message::new(vec![own.clone()])));
        server.on_list_written();
        server.run(1);
        assert!(server.now.mono < Duration::from_secs(200));
    }
}

#[test]
fn a_clock_is_wrong_until_it_is_set() {
    let mut server = Server::new("a");
    for name in ["b", "c"] {
        server.add_member(name, Some(1));
        let far = entry(name, ONLINE, WALL + 10 * HOUR, Some(1));
        server.core.clock_check.on_answer(&far.url, Some(far.stamp), server.now, &mut server.core.out);
    }
    assert!(server.take_events().contains(&Event::ClockWrong));
    server.now.wall += 10 * HOUR;
    server.run(1);
    assert_eq!(ends(&mut server), [Resolved::Clock]);
}

#[test]
fn the_state_is_not_saved_until_it_is() {
    let mut server = Server::new("a");
    server.core.handle_state_saved(Err("no room".into()));
    server.core.handle_state_saved(Ok(()));
    assert_eq!(ends(&mut server), [Resolved::State]);
}

#[test]
fn a_server_that_is_alone_with_a_read_only_list_warns() {
    for (is_written, expected) in
        [(true, "has 0 servers"), (false, "has 0 servers (only read: SHAZBOT_MASTER_LIST_UPDATE is not set)")]
    {
        let mut settings = settings("a");
        settings.lists[0].is_written = is_written;
        let mut server = Server::with_settings(&settings);
        server.on_list_read(Ok(Message::new(Vec::new())));
        server.run(400);
        let events = server.take_events();
        let tried = events.iter().find_map(|event| if let Event::Alone(tried) = event { Some(tried) } else { None });
        assert!(tried.is_some_and(|tried| tried[0].ends_with(expected)), "{events:?}");
    }
}
