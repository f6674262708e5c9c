//! Which seeds are contacted, how often, and when they are given up.

use super::*;

#[test]
fn a_seed_that_one_list_drops_is_still_a_seed_of_the_other() {
    let mut server = Server::with_settings(&Settings { lists: vec![list("one"), list("other")], ..settings("a") });
    let ids: Vec<_> = server.take_actions().iter().filter_map(list_request_of).collect();
    let listed = || Ok(Some(Message::new(vec![entry("b", ONLINE, WALL, Some(1))])));
    server.core.handle_list_read(server.now, ids[0], listed());
    server.core.handle_list_read(server.now, ids[1], listed());
    server.start_list_updates();
    let ids: Vec<_> = server.take_actions().iter().filter_map(list_request_of).collect();
    server.core.handle_list_read(server.now, ids[0], Ok(Some(Message::default())));
    assert!(server.core.discovery.seeds.may_be_online(&url("b"), server.now));
    server.core.handle_list_read(server.now, ids[1], Ok(Some(Message::default())));
    assert!(!server.core.discovery.seeds.may_be_online(&url("b"), server.now));
}

#[test]
fn a_server_that_restarted_right_after_its_leave_is_contacted_despite_its_lower_incarnation() {
    let mut server = Server::new("a");
    // A leave is stamped a minute ahead, so that it wins over failures reported meanwhile.
    let left = entry("b", OFFLINE, WALL + 70_000, Some(WALL));
    server.receive_v1(vec![left.clone()]);
    server.take_actions();
    let restarted = |stamp| entry("b", ONLINE, stamp, Some(WALL + 30_000));
    server.on_list_read(Ok(Message::new(vec![restarted(WALL + 60_000)])));
    assert_eq!(gossip_requests(&server.run(5)).len(), 0);
    let mut server = Server::new("a");
    server.receive_v1(vec![left]);
    server.take_actions();
    server.on_list_read(Ok(Message::new(vec![restarted(WALL + 80_000)])));
    assert_ne!(gossip_requests(&server.take_actions()).len(), 0);
}

#[test]
fn a_server_that_restarted_with_a_slow_clock_is_contacted() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", OFFLINE, WALL, Some(WALL))]);
    server.take_actions();
    let mut listed = entry("b", ONLINE, WALL - HOUR, Some(WALL - HOUR));
    server.on_list_read(Ok(Message::new(vec![listed.clone()])));
    assert_eq!(gossip_requests(&server.take_actions()), [], "this is the process that went offline");
    listed.v2 = listed.v2.map(|v2| EntryV2 { instance: v2.instance + 1, ..v2 });
    server.start_list_updates();
    server.take_actions();
    server.on_list_read(Ok(Message::new(vec![listed])));
    assert_ne!(gossip_requests(&server.run(2)).len(), 0);
}

#[test]
fn the_only_online_server_among_five_thousand_seeds_is_found_within_half_a_minute() {
    for stamp in [WALL, WALL - 30 * 24 * HOUR] {
        let mut server = Server::new("a");
        server.take_actions();
        let listed = (0..5_000).map(|number| entry(&format!("s{number}"), ONLINE, WALL - 30 * 24 * HOUR, Some(1)));
        let mut listed: Vec<_> = listed.collect();
        listed.push(entry("online", ONLINE, stamp, Some(1)));
        server.on_list_read(Ok(Message::new(listed)));
        let mut most = 0;
        for tenth in 0.. {
            assert!(tenth < 300);
            let sent = gossip_requests(&server.tick());
            most = most.max(sent.len());
            for (id, to) in &sent {
                if *to != url("online") {
                    server.fail(*id, refused());
                }
            }
            if sent.iter().any(|(_, to)| *to == url("online")) {
                // Seeds with a recent stamp are tried first.
                assert!(stamp != WALL || tenth < 10, "{tenth}");
                break;
            }
        }
        assert!(most <= 64, "{most}");
    }
}

#[test]
fn all_of_five_thousand_silent_seeds_are_tried_with_few_exchanges_under_way() {
    let mut server = Server::new("a");
    server.take_actions();
    let listed = (0..5_000).map(|number| entry(&format!("s{number}"), ONLINE, WALL, Some(1)));
    server.on_list_read(Ok(Message::new(listed.collect())));
    let (mut tried, mut waiting) = (BTreeSet::new(), Vec::new());
    for tenth in 0..1_000 {
        waiting.retain(|(id, until)| {
            let is_over = *until <= server.now.mono;
            if is_over {
                server.fail(*id, ExchangeError::TimedOut);
            }
            !is_over
        });
        for action in server.tick() {
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
fn a_server_that_is_alone_keeps_trying_its_seeds() {
    let mut server = Server::new("a");
    server.take_actions();
    server.on_list_read(Ok(Message::new(vec![entry("b", ONLINE, WALL, Some(1))])));
    let early = server.run_with_refusals("b", 10);
    assert!((3..=6).contains(&early), "{early}");
    assert!(server.run_with_refusals("b", 600) >= 15);
}

#[test]
fn seeds_are_retried_with_backoff_even_if_the_list_is_read_often() {
    let mut server = Server::with_settings(&Settings { interval: Duration::from_secs(300), ..settings("a") });
    let mut tries = Vec::new();
    for second in 0..3_600 {
        for action in server.run(1) {
            match action {
                Action::Gossip { id, to, .. } => {
                    if to != url("a") {
                        tries.push(second);
                    }
                    server.fail(id, ExchangeError::Other("refused".into()));
                }
                Action::SyncList { .. } => {
                    let listed = vec![entry("b", ONLINE, WALL, Some(1)), server.own_entry().clone()];
                    if server.on_list_read(Ok(Message::new(listed))).is_some() {
                        server.on_list_written();
                    }
                }
                _ => {}
            }
        }
    }
    assert!((15..30).contains(&tries.len()) && tries.iter().any(|second| *second > 3_000), "{tries:?}");
}
