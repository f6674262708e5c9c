//! Where a server begins, and where it says that it is there.

use super::*;

#[test]
fn a_bootstrap_ends_when_every_seed_has_answered_or_failed() {
    let mut server = Server::new("a");
    assert_eq!(syncs(&server.actions()), [false]);
    let seeds = ["b", "c"].map(|name| entry(name, ONLINE, WALL, Some(1)));
    assert_eq!(server.list(Ok(Message::new(seeds.into()))), None);
    assert_eq!(server.state_of("b"), None, "a seed is no member");
    let sent = gossips(&server.actions());
    assert_eq!(sent.len(), 2);
    server.core.handle_response(server.now, sent[0].0, Err(ExchangeError::Other("refused".into())));
    assert!(!server.notices().contains(&Event::Started));
    let answer = Message::new(vec![entry("c", ONLINE, WALL, Some(1)), entry("d", ONLINE, WALL, Some(1))]);
    server.core.handle_response(server.now, sent[1].0, Ok(answer));
    assert!(server.notices().contains(&Event::Started));
    assert_eq!((server.state_of("c"), server.state_of("d")), (Some(ONLINE), Some(ONLINE)), "its answer is used");
}

#[test]
fn a_list_that_cannot_be_read_ends_the_bootstrap_and_is_tried_again_with_back_off() {
    let mut server = Server::new("a");
    server.actions();
    let mut tries = Vec::new();
    server.list(Err("no answer".into()));
    assert!(server.notices().contains(&Event::Started));
    for second in 0..300 {
        for _ in syncs(&server.pass(1)) {
            tries.push(second);
            server.list(Err("no answer".into()));
        }
    }
    // Every 1 to 2 s for two minutes, while it knows nobody; then up to a minute apart.
    let early = tries.iter().filter(|second| **second < 120).count();
    assert!(tries[0] <= 2 && (60..120).contains(&early) && (2..8).contains(&(tries.len() - early)), "{tries:?}");
    let warnings = server.notices().into_iter().filter(|notice| matches!(notice, Event::ListUnusable(_)));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn a_server_that_is_missing_from_the_list_announces_itself_within_seconds() {
    let mut server = Server::new("a");
    server.actions();
    server.list(Ok(Message::new(vec![])));
    assert_eq!(syncs(&server.pass(3)), [true]);
    let written = server.list(Ok(Message::new(vec![]))).expect("an update");
    assert_eq!(written.entries, [server.own().clone()]);
}

#[test]
fn a_server_alone_looks_at_the_list_and_writes_nothing_that_is_there() {
    let mut server = Server::new("a");
    server.actions();
    let (mut writes, mut reads, mut news) = (0, 0, 0);
    let own = server.own().clone();
    let mut listed = vec![own];
    server.list(Ok(Message::new(listed.clone())));
    for _ in 0..4 * 3_600 {
        for action in server.pass(1) {
            let Action::SyncList { if_changed, .. } = action else { continue };
            reads += 1;
            news += u32::from(if_changed);
            if let Some(joined) = server.list_again(&listed, if_changed) {
                listed = joined.entries;
                server.list_written();
                writes += 1;
            }
        }
    }
    // Its stamp is made new about once an hour; what has not changed need not be sent.
    assert!(
        (2..=4).contains(&writes) && (250..=480).contains(&reads) && news * 10 >= reads * 9,
        "{writes} {reads} {news}"
    );
}

#[test]
fn a_list_is_written_when_somebody_is_missing_or_dead_or_has_started_anew() {
    let mut server = Server::new("a");
    server.meet("b", Some(5));
    server.actions();
    let listed = |incarnation| entry("b", ONLINE, WALL, Some(incarnation));
    let own = server.own().clone();
    let mut writes = |listed: Vec<Entry>| {
        server.update_lists();
        server.actions();
        server.list(Ok(Message::new(listed))).is_some()
    };
    assert!(!writes(vec![listed(5), own.clone()]), "in any order");
    assert!(writes(vec![own.clone()]));
    assert!(writes(vec![own.clone(), listed(4)]));
    assert!(writes(vec![own.clone(), listed(5), listed(5)]));
    assert!(writes(vec![own, Entry { monitor: true, ..listed(5) }]));
}

#[test]
fn a_write_that_comes_too_late_is_made_again_from_a_new_read() {
    let mut server = Server::new("a");
    server.actions();
    server.list(Ok(Message::default()));
    let mut began = Vec::new();
    while began.len() < 8 {
        for action in server.pass_tenth() {
            let Action::SyncList { .. } = action else { continue };
            assert_eq!(server.notices().iter().filter(|it| matches!(it, Event::ListFailed(_))).count(), 0);
            began.push(server.now.mono);
            assert!(server.list(Ok(Message::default())).is_some());
            server.core.handle_list_written(server.now, server.sync, Err(WriteError::Conflict));
        }
    }
    let waits: Vec<_> = began.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs_f64()).collect();
    assert!(waits[0] <= 0.3 && waits[6] > 1.5 && waits.iter().all(|wait| *wait < 5.0), "{waits:?}");
    assert!(server.notices().iter().any(|it| matches!(it, Event::ListFailed(_))), "so often it is not the others");
}

#[test]
fn what_was_written_is_read_back_and_written_again_if_somebody_was_quicker() {
    let mut server = Server::new("a");
    server.actions();
    server.list(Ok(Message::default()));
    assert_eq!(syncs(&server.pass(3)), [true]);
    assert!(server.list(Ok(Message::default())).is_some());
    server.list_written();
    assert_eq!(syncs(&server.pass(3)), [false]);
    let of_another = vec![entry("b", ONLINE, WALL, Some(1))];
    server.list(Ok(Message::new(of_another.clone())));
    assert_eq!(syncs(&server.pass(3)), [true]);
    assert_eq!(server.list(Ok(Message::new(of_another))).expect("an update").entries.len(), 2);
}

#[test]
fn a_leave_that_comes_too_late_is_written_again() {
    let mut server = Server::with(&Settings { update_list_on_shutdown: true, ..settings("a") });
    server.actions();
    let listed = vec![server.own().clone()];
    server.core.handle_leave(server.now);
    server.actions();
    for _ in 0..3 {
        assert_eq!(server.list(Ok(Message::new(listed.clone()))), Some(Message::default()));
        server.core.handle_list_written(server.now, server.sync, Err(WriteError::Conflict));
        assert!(!server.notices().contains(&Event::Left));
        assert_eq!(syncs(&server.pass(1)), [true]);
    }
    server.list(Ok(Message::new(listed)));
    server.list_written();
    assert!(server.notices().contains(&Event::Left));
}

#[test]
fn one_list_that_works_is_enough() {
    let mut server = Server::with(&Settings { lists: vec!["one".into(), "other".into()], ..settings("a") });
    let ids: Vec<_> = server.actions().iter().filter_map(sync_of).collect();
    let seed = entry("b", ONLINE, WALL, Some(1));
    server.core.handle_list_read(server.now, ids[0], Err("no answer".into()));
    server.core.handle_list_read(server.now, ids[1], Ok(Some(Message::new(vec![seed]))));
    let first = gossips(&server.actions());
    assert_eq!(first.len(), 1);
    server.core.handle_response(server.now, first[0].0, Ok(Message::new(vec![entry("b", ONLINE, WALL, Some(1))])));
    assert!(server.notices().contains(&Event::Started));
    // Each has a wait of its own.
    let places: Vec<_> = server.pass(3).iter().filter_map(place_of).collect();
    assert!(places.contains(&0) && places.contains(&1), "{places:?}");
}

#[test]
fn a_server_that_one_list_drops_is_still_a_seed_of_the_other() {
    let mut server = Server::with(&Settings { lists: vec!["one".into(), "other".into()], ..settings("a") });
    let ids: Vec<_> = server.actions().iter().filter_map(sync_of).collect();
    let listed = || Ok(Some(Message::new(vec![entry("b", ONLINE, WALL, Some(1))])));
    server.core.handle_list_read(server.now, ids[0], listed());
    server.core.handle_list_read(server.now, ids[1], listed());
    server.update_lists();
    let ids: Vec<_> = server.actions().iter().filter_map(sync_of).collect();
    server.core.handle_list_read(server.now, ids[0], Ok(Some(Message::default())));
    assert!(!server.core.discovery.is_given_up(&url("b"), server.now));
    server.core.handle_list_read(server.now, ids[1], Ok(Some(Message::default())));
    assert!(server.core.discovery.is_given_up(&url("b"), server.now));
}

#[test]
fn one_that_started_anew_right_after_it_left_is_tried_though_its_incarnation_is_below_its_leave() {
    let mut server = Server::new("a");
    let left = entry("b", OFFLINE, WALL + 70_000, Some(WALL));
    server.hear(vec![left]);
    server.actions();
    // It was stamped a minute ahead, for version 1's sake.
    let again = |stamp| entry("b", ONLINE, stamp, Some(WALL + 30_000));
    server.list(Ok(Message::new(vec![again(WALL + 60_000)])));
    assert_eq!(gossips(&server.pass(5)).len(), 0);
    let mut server = Server::new("a");
    server.hear(vec![entry("b", OFFLINE, WALL + 70_000, Some(WALL))]);
    server.actions();
    server.list(Ok(Message::new(vec![again(WALL + 80_000)])));
    assert_ne!(gossips(&server.actions()).len(), 0);
}

#[test]
fn one_that_started_anew_with_a_clock_that_is_behind_is_tried() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", OFFLINE, WALL, Some(WALL))]);
    server.actions();
    let mut again = entry("b", ONLINE, WALL - HOUR, Some(WALL - HOUR));
    server.list(Ok(Message::new(vec![again.clone()])));
    assert_eq!(gossips(&server.actions()), [], "the process whose end is known");
    again.v2 = again.v2.map(|v2| EntryV2 { instance: v2.instance + 1, ..v2 });
    server.update_lists();
    server.actions();
    server.list(Ok(Message::new(vec![again])));
    assert_ne!(gossips(&server.pass(2)).len(), 0);
}

#[test]
fn the_one_that_lives_is_found_among_five_thousand_dead_within_half_a_minute() {
    for stamp in [WALL, WALL - 30 * 24 * HOUR] {
        let mut server = Server::new("a");
        server.actions();
        let listed = (0..5_000).map(|number| entry(&format!("s{number}"), ONLINE, WALL - 30 * 24 * HOUR, Some(1)));
        let mut listed: Vec<_> = listed.collect();
        listed.push(entry("alive", ONLINE, stamp, Some(1)));
        server.list(Ok(Message::new(listed)));
        let mut most = 0;
        for tenth in 0.. {
            assert!(tenth < 300);
            let sent = gossips(&server.pass_tenth());
            most = most.max(sent.len());
            for (id, to) in &sent {
                if *to != url("alive") {
                    server.core.handle_response(server.now, *id, Err(ExchangeError::Refused("refused".into())));
                }
            }
            if sent.iter().any(|(_, to)| *to == url("alive")) {
                // By its stamp it is the first that is tried.
                assert!(stamp != WALL || tenth < 10, "{tenth}");
                break;
            }
        }
        assert!(most <= 64, "{most}");
    }
}

#[test]
fn of_thousands_that_are_silent_none_is_waited_for_long() {
    let mut server = Server::new("a");
    server.actions();
    let listed = (0..5_000).map(|number| entry(&format!("s{number}"), ONLINE, WALL, Some(1)));
    server.list(Ok(Message::new(listed.collect())));
    let (mut tried, mut waiting) = (BTreeSet::new(), Vec::new());
    for tenth in 0..1_000 {
        waiting.retain(|(id, until)| {
            let is_over = *until <= server.now.mono;
            if is_over {
                server.core.handle_response(server.now, *id, Err(ExchangeError::TimedOut));
            }
            !is_over
        });
        for action in server.pass_tenth() {
            let Action::Gossip { id, to, timeout, .. } = action else { continue };
            if to != url("a") {
                tried.insert(to);
            }
            waiting.push((id, server.now.mono + timeout));
        }
        assert!(waiting.len() <= 70, "{} at {tenth}", waiting.len());
    }
    assert_eq!(tried.len(), 5_000);
}

#[test]
fn a_stranger_that_is_given_up_leaves_a_list_that_was_right_with_it() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.actions();
    let listed = ["a", "b", "stranger"].map(|name| entry(name, ONLINE, server.now.wall, Some(WALL)));
    let mut listed = listed.to_vec();
    (listed[0], listed[1]) = (server.own().clone(), entry("b", ONLINE, server.now.wall, Some(1)));
    server.list(Ok(Message::new(listed.clone())));
    server.fail_probes_of("stranger", 100);
    server.update_lists();
    let if_changed = server.actions().iter().any(|it| matches!(it, Action::SyncList { if_changed: true, .. }));
    assert!(!if_changed);
    assert_eq!(server.list(Ok(Message::new(listed))).expect("an update").entries.len(), 2);
}

#[test]
fn what_was_right_counts_no_more_after_a_read_that_failed() {
    let mut server = Server::new("a");
    server.actions();
    let own = server.own().clone();
    server.list(Ok(Message::new(vec![own])));
    let news = |server: &mut Server| {
        server.update_lists();
        server.actions().iter().any(|it| matches!(it, Action::SyncList { if_changed: true, .. }))
    };
    assert!(news(&mut server));
    server.list(Err("It is not a JSON object".into()));
    assert!(!news(&mut server));
}

#[test]
fn who_does_not_answer_and_has_not_been_stamped_for_a_day_leaves_the_list() {
    let mut server = Server::new("a");
    server.actions();
    let listed = [0, WALL - 25 * HOUR, WALL].map(|stamp| entry(&format!("s{stamp}"), ONLINE, stamp, Some(1)));
    let own = server.own().clone();
    let listed: Vec<_> = listed.into_iter().chain([own]).collect();
    server.list(Ok(Message::new(listed.clone())));
    let first = gossips(&server.actions());
    assert_eq!(server.update(listed.clone()).len(), 4, "not before it is tried");
    for (id, _) in first {
        server.core.handle_response(server.now, id, Err(ExchangeError::TimedOut));
    }
    assert_eq!(server.update(listed).len(), 3);
}

#[test]
fn a_drained_server_does_not_announce_itself() {
    let mut server = Server::new("a");
    server.core.handle_control(server.now, false);
    server.actions();
    server.list(Ok(Message::new(vec![])));
    assert_eq!(syncs(&server.pass(20)), Vec::<bool>::new());
}

#[test]
fn a_server_alone_goes_on_trying_its_seeds() {
    let mut server = Server::new("a");
    server.actions();
    server.list(Ok(Message::new(vec![entry("b", ONLINE, WALL, Some(1))])));
    let early = server.fail_probes_of("b", 10);
    assert!((3..=6).contains(&early), "{early}");
    assert!(server.fail_probes_of("b", 600) >= 15);
}

#[test]
fn the_bootstrap_contacts_its_seeds_once() {
    let mut server = Server::new("a");
    server.actions();
    let seed = entry("b", ONLINE, WALL, Some(1));
    server.list(Ok(Message::new(vec![seed.clone()])));
    let first = gossips(&server.actions());
    assert_eq!(first.len(), 1);
    server.pass(3);
    server.list(Ok(Message::new(vec![seed])));
    server.core.handle_response(server.now, first[0].0, Err(ExchangeError::Other("time-out".into())));
    assert!(server.notices().contains(&Event::Started));
}

#[test]
fn seeds_are_tried_less_and_less_often_however_often_the_list_is_read() {
    let mut server = Server::with(&Settings { interval: Duration::from_secs(300), ..settings("a") });
    let mut tries = Vec::new();
    for second in 0..3_600 {
        for action in server.pass(1) {
            match action {
                Action::Gossip { id, to, .. } => {
                    if to != url("a") {
                        tries.push(second);
                    }
                    server.core.handle_response(server.now, id, Err(ExchangeError::Other("refused".into())));
                }
                Action::SyncList { .. } => {
                    let listed = vec![entry("b", ONLINE, WALL, Some(1)), server.own().clone()];
                    if server.list(Ok(Message::new(listed))).is_some() {
                        server.list_written();
                    }
                }
                Action::SaveState(_) => {}
            }
        }
    }
    assert!((15..30).contains(&tries.len()) && tries.iter().any(|second| *second > 3_000), "{tries:?}");
}

#[test]
fn the_dead_leave_the_list_and_strangers_stay_in_it_until_they_were_tried() {
    let mut server = Server::new("a");
    server.meet("dead", Some(1));
    server.fail_probes_of("dead", 40);
    server.actions();
    let dead = entry("dead", ONLINE, server.now.wall - 60_000, Some(1));
    let stranger = entry("stranger", ONLINE, server.now.wall, Some(1));
    let listed = vec![dead, stranger];
    assert_eq!(server.update(listed.clone()), [url("a"), url("stranger")]);
    server.fail_probes_of("stranger", 100);
    assert_eq!(server.update(listed), [url("a")]);
    // v1 peers revive the dead in their lists by stamping them anew.
    let revived = vec![entry("dead", ONLINE, server.now.wall, Some(1))];
    assert_eq!(server.update(revived.clone()), [url("a"), url("dead")]);
    server.fail_probes_of("dead", 100);
    assert_eq!(server.update(revived), [url("a")]);
}

#[test]
fn a_list_that_never_has_what_is_written_to_it_is_written_less_and_less_often_and_is_said() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.actions();
    server.list(Ok(Message::default()));
    let (mut writes, mut warnings) = (Vec::new(), Vec::new());
    for second in 0..600 {
        for action in server.pass(1) {
            if let Action::SyncList { write, .. } = action {
                let joined = server.list(Ok(Message::default()));
                assert_eq!(joined.is_some(), write);
                if joined.is_some() {
                    writes.push(second);
                    server.list_written();
                }
            }
        }
        warnings.extend(server.notices().into_iter().filter(|it| matches!(it, Event::ListUnusable(_))));
    }
    assert!(writes.len() < 30, "{writes:?}");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(format!("{warnings:?}").contains("does not have what is written to it"));
}

#[test]
fn a_refused_write_is_tried_again_less_and_less_often_by_one_that_is_alone_too() {
    let mut server = Server::new("a");
    server.actions();
    server.list(Ok(Message::default()));
    let mut writes = 0;
    for _ in 0..120 {
        for action in server.pass(1) {
            if let Action::SyncList { .. } = action
                && server.list(Ok(Message::default())).is_some()
            {
                writes += 1;
                let refused = WriteError::Failed("the store answered 401".into());
                server.core.handle_list_written(server.now, server.sync, Err(refused));
            }
        }
    }
    assert!((4..12).contains(&writes), "{writes}");
}
