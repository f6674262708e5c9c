//! When a master list is read and written, and its new content.

use super::*;

#[test]
fn an_unreadable_list_ends_the_bootstrap_and_is_retried_with_backoff() {
    let mut server = Server::new("a");
    server.take_actions();
    let mut tries = Vec::new();
    server.on_list_read(Err("no answer".into()));
    assert!(server.take_events().contains(&Event::Started));
    for second in 0..300 {
        for _ in list_requests(&server.run(1)) {
            tries.push(second);
            server.on_list_read(Err("no answer".into()));
        }
    }
    // Every 1 to 2 s for two minutes, because it is alone; then up to a minute apart.
    let early = tries.iter().filter(|second| **second < 120).count();
    assert!(tries[0] <= 2 && (60..120).contains(&early) && (2..8).contains(&(tries.len() - early)), "{tries:?}");
    let warnings = server.take_events().into_iter().filter(|event| matches!(event, Event::ListUnusable { .. }));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn a_server_that_is_missing_from_the_list_adds_itself_within_seconds() {
    let mut server = Server::new("a");
    server.take_actions();
    server.on_list_read(Ok(Message::new(vec![])));
    assert_eq!(list_requests(&server.run(3)), [true]);
    let written = server.on_list_read(Ok(Message::new(vec![]))).expect("an update");
    assert_eq!(written.entries, [server.own_entry().clone()]);
}

#[test]
fn a_server_that_is_alone_rereads_the_list_and_writes_it_only_to_renew_its_stamp() {
    let mut server = Server::new("a");
    server.take_actions();
    let (mut writes, mut reads, mut conditional) = (0, 0, 0);
    let own = server.own_entry().clone();
    let mut listed = vec![own];
    server.on_list_read(Ok(Message::new(listed.clone())));
    for _ in 0..4 * 3_600 {
        for action in server.run(1) {
            let Action::SyncList { if_changed, .. } = action else { continue };
            reads += 1;
            conditional += u32::from(if_changed);
            if let Some(written) = server.on_unchanged_list_read(&listed, if_changed) {
                listed = written.entries;
                server.on_list_written();
                writes += 1;
            }
        }
    }
    // It renews its stamp about once an hour. Most reads are conditional: the store can leave out an unchanged list.
    assert!((2..=4).contains(&writes), "{writes}");
    assert!((250..=480).contains(&reads) && conditional * 10 >= reads * 8, "{reads} {conditional}");
}

#[test]
fn a_list_is_written_only_if_an_entry_is_missing_outdated_or_duplicated() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.take_actions();
    let listed = |incarnation| entry("b", ONLINE, WALL, Some(incarnation));
    let own = server.own_entry().clone();
    let mut writes = |listed: Vec<Entry>| {
        server.start_list_updates();
        server.take_actions();
        server.on_list_read(Ok(Message::new(listed))).is_some()
    };
    assert!(!writes(vec![listed(5), own.clone()]), "the order does not matter");
    assert!(writes(vec![own.clone()]));
    assert!(writes(vec![own.clone(), listed(4)]));
    assert!(writes(vec![own.clone(), listed(5), listed(5)]));
    assert!(writes(vec![own, Entry { monitor: true, ..listed(5) }]));
}

#[test]
fn a_write_conflict_is_retried_from_a_new_read_and_reported_after_eight_in_a_row() {
    let mut server = Server::new("a");
    server.take_actions();
    server.on_list_read(Ok(Message::default()));
    let mut began = Vec::new();
    while began.len() < 8 {
        for action in server.tick() {
            let Action::SyncList { .. } = action else { continue };
            assert_eq!(server.take_events().iter().filter(|it| matches!(it, Event::ListFailed(_))).count(), 0);
            began.push(server.now.mono);
            assert!(server.on_list_read(Ok(Message::default())).is_some());
            server.core.handle_list_written(server.now, server.list_request, Err(WriteError::Conflict));
        }
    }
    let waits: Vec<_> = began.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs_f64()).collect();
    assert!(waits[0] <= 0.3 && waits[6] > 1.5 && waits.iter().all(|wait| *wait < 5.0), "{waits:?}");
    assert!(
        server.take_events().iter().any(|it| matches!(it, Event::ListFailed(_))),
        "eight conflicts in a row are a failure"
    );
}

#[test]
fn a_write_is_read_back_and_repeated_if_another_server_overwrote_it() {
    let mut server = Server::new("a");
    server.take_actions();
    server.on_list_read(Ok(Message::default()));
    assert_eq!(list_requests(&server.run(3)), [true]);
    assert!(server.on_list_read(Ok(Message::default())).is_some());
    server.on_list_written();
    assert_eq!(list_requests(&server.run(3)), [false]);
    let others_write = vec![entry("b", ONLINE, WALL, Some(1))];
    server.on_list_read(Ok(Message::new(others_write.clone())));
    assert_eq!(list_requests(&server.run(3)), [true]);
    assert_eq!(server.on_list_read(Ok(Message::new(others_write))).expect("an update").entries.len(), 2);
}

#[test]
fn a_leave_whose_write_conflicts_is_written_again() {
    let mut server = Server::with_settings(&Settings { update_list_on_shutdown: true, ..settings("a") });
    server.take_actions();
    let listed = vec![server.own_entry().clone()];
    server.leave_unfound();
    server.take_actions();
    for _ in 0..3 {
        assert_eq!(server.on_list_read(Ok(Message::new(listed.clone()))), Some(Message::default()));
        server.core.handle_list_written(server.now, server.list_request, Err(WriteError::Conflict));
        assert!(!server.take_events().contains(&Event::Left));
        assert_eq!(list_requests(&server.run(1)), [true]);
    }
    server.on_list_read(Ok(Message::new(listed)));
    server.on_list_written();
    assert!(server.take_events().contains(&Event::Left));
}

#[test]
fn a_seed_that_is_given_up_is_removed_from_a_list_that_was_up_to_date() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.take_actions();
    let listed = ["a", "b", "unknown"].map(|name| entry(name, ONLINE, server.now.wall, Some(WALL)));
    let mut listed = listed.to_vec();
    (listed[0], listed[1]) = (server.own_entry().clone(), entry("b", ONLINE, server.now.wall, Some(1)));
    server.on_list_read(Ok(Message::new(listed.clone())));
    server.run_with_refusals("unknown", 100);
    server.start_list_updates();
    let if_changed = server.take_actions().iter().any(|it| matches!(it, Action::SyncList { if_changed: true, .. }));
    assert!(!if_changed);
    assert_eq!(server.on_list_read(Ok(Message::new(listed))).expect("an update").entries.len(), 2);
}

#[test]
fn after_a_failed_read_the_list_is_read_even_if_it_has_not_changed() {
    let mut server = Server::new("a");
    server.take_actions();
    let own = server.own_entry().clone();
    server.on_list_read(Ok(Message::new(vec![own])));
    let is_conditional = |server: &mut Server| {
        server.start_list_updates();
        server.take_actions().iter().any(|it| matches!(it, Action::SyncList { if_changed: true, .. }))
    };
    assert!(is_conditional(&mut server));
    server.on_list_read(Err("It is not a JSON object".into()));
    assert!(!is_conditional(&mut server));
}

#[test]
fn a_server_that_does_not_answer_and_has_no_stamp_of_the_last_day_is_removed_from_the_list() {
    let mut server = Server::new("a");
    server.take_actions();
    let listed = [0, WALL - 25 * HOUR, WALL].map(|stamp| entry(&format!("s{stamp}"), ONLINE, stamp, Some(1)));
    let own = server.own_entry().clone();
    let listed: Vec<_> = listed.into_iter().chain([own]).collect();
    server.on_list_read(Ok(Message::new(listed.clone())));
    let first = gossip_requests(&server.take_actions());
    assert_eq!(server.update_list(listed.clone()).len(), 4, "a server is not removed before it is tried");
    for (id, _) in first {
        server.fail(id, ExchangeError::TimedOut);
    }
    assert_eq!(server.update_list(listed).len(), 3);
}

#[test]
fn a_drained_server_does_not_add_itself_to_the_list() {
    let mut server = Server::new("a");
    server.core.handle_control(server.now, false);
    server.take_actions();
    server.on_list_read(Ok(Message::new(vec![])));
    assert_eq!(list_requests(&server.run(20)), Vec::<bool>::new());
}

#[test]
fn failed_servers_are_removed_from_the_list_and_unknown_servers_once_they_were_tried() {
    let mut server = Server::new("a");
    server.add_member("failed", Some(1));
    server.run_with_refusals("failed", 40);
    server.take_actions();
    let failed = entry("failed", ONLINE, server.now.wall - 60_000, Some(1));
    let unknown = entry("unknown", ONLINE, server.now.wall, Some(1));
    let listed = vec![failed, unknown];
    assert_eq!(server.update_list(listed.clone()), [url("a"), url("unknown")]);
    server.run_with_refusals("unknown", 100);
    assert_eq!(server.update_list(listed), [url("a")]);
    // Version 1 peers put failed servers back into the list with a new stamp.
    let restored = vec![entry("failed", ONLINE, server.now.wall, Some(1))];
    assert_eq!(server.update_list(restored.clone()), [url("a"), url("failed")]);
    server.run_with_refusals("failed", 100);
    assert_eq!(server.update_list(restored), [url("a")]);
}

#[test]
fn a_list_that_never_shows_our_writes_is_written_with_backoff_and_reported_once() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.take_actions();
    server.on_list_read(Ok(Message::default()));
    let (mut writes, mut warnings) = (Vec::new(), Vec::new());
    for second in 0..600 {
        for action in server.run(1) {
            if let Action::SyncList { write, .. } = action {
                let written = server.on_list_read(Ok(Message::default()));
                assert_eq!(written.is_some(), write);
                if written.is_some() {
                    writes.push(second);
                    server.on_list_written();
                }
            }
        }
        warnings.extend(server.take_events().into_iter().filter(|it| matches!(it, Event::ListUnusable { .. })));
    }
    assert!(writes.len() < 30, "{writes:?}");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(format!("{warnings:?}").contains("does not have what is written to it"));
}

#[test]
fn a_refused_write_is_retried_with_backoff_even_by_a_server_that_is_alone() {
    let mut server = Server::new("a");
    server.take_actions();
    server.on_list_read(Ok(Message::default()));
    let mut writes = 0;
    for _ in 0..120 {
        for action in server.run(1) {
            if let Action::SyncList { .. } = action
                && server.on_list_read(Ok(Message::default())).is_some()
            {
                writes += 1;
                let refused = WriteError::Failed("the store answered 401".into());
                server.core.handle_list_written(server.now, server.list_request, Err(refused));
            }
        }
    }
    assert!((4..12).contains(&writes), "{writes}");
}

#[test]
fn a_missing_folder_is_reported_at_the_first_write_and_once() {
    let mut server = Server::new("a");
    server.take_actions();
    server.on_list_read(Ok(Message::default()));
    let mut reports = Vec::new();
    for second in 0..120 {
        for action in server.run(1) {
            if let Action::SyncList { .. } = action
                && server.on_list_read(Ok(Message::default())).is_some()
            {
                let missing = WriteError::NoFolder("the folder does not exist".into());
                server.core.handle_list_written(server.now, server.list_request, Err(missing));
            }
        }
        let found = server.take_events().into_iter().filter(|event| matches!(event, Event::ListUnusable { .. }));
        reports.extend(found.map(|_| second));
    }
    assert!(matches!(reports[..], [0..5]), "{reports:?}");
}
