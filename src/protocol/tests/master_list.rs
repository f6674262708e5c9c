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
    server.core.handle_answer(server.now, sent[0].0, Err(ExchangeError::Other("refused".into())));
    assert!(!server.notices().contains(&Notice::Started));
    let answer = Message::new(vec![entry("c", ONLINE, WALL, Some(1)), entry("d", ONLINE, WALL, Some(1))]);
    server.core.handle_answer(server.now, sent[1].0, Ok(answer));
    assert!(server.notices().contains(&Notice::Started));
    assert_eq!((server.state_of("c"), server.state_of("d")), (Some(ONLINE), Some(ONLINE)), "its answer is used");
}

#[test]
fn a_list_that_cannot_be_read_ends_the_bootstrap_and_is_tried_again_with_back_off() {
    let mut server = Server::new("a");
    server.actions();
    let mut tries = Vec::new();
    server.list(Err("no answer".into()));
    assert!(server.notices().contains(&Notice::Started));
    for second in 0..300 {
        for _ in syncs(&server.pass(1)) {
            tries.push(second);
            server.list(Err("no answer".into()));
        }
    }
    assert!(tries[0] <= 2 && (8..16).contains(&tries.len()), "{tries:?}");
    let warnings = server.notices().into_iter().filter(|notice| matches!(notice, Notice::ListUnusable(_)));
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
fn a_server_alone_announces_itself_as_often_as_any_and_looks_at_the_list_between() {
    let mut server = Server::new("a");
    server.actions();
    let mut writes = 0;
    let mut reads = 0;
    server.list(Ok(Message::default()));
    for _ in 0..3_600 {
        for _ in syncs(&server.pass(1)) {
            let own = server.own().clone();
            if server.list(Ok(Message::new(vec![own]))).is_some() {
                server.list_written();
                writes += 1;
            } else {
                reads += 1;
            }
        }
    }
    assert!((4..=13).contains(&writes) && (50..=120).contains(&reads), "{writes} {reads}");
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
    server.core.handle_answer(server.now, first[0].0, Err(ExchangeError::Other("time-out".into())));
    assert!(server.notices().contains(&Notice::Started));
}

#[test]
fn seeds_are_tried_less_and_less_often_however_often_the_list_is_read() {
    let mut server = Server::with(Settings { interval: Duration::from_secs(300), ..settings("a") });
    let mut tries = Vec::new();
    for second in 0..3_600 {
        for action in server.pass(1) {
            match action {
                Action::Gossip { id, .. } => {
                    tries.push(second);
                    server.core.handle_answer(server.now, id, Err(ExchangeError::Other("refused".into())));
                }
                Action::SyncList { .. } => {
                    let listed = vec![entry("b", ONLINE, WALL, Some(1)), server.own().clone()];
                    if server.list(Ok(Message::new(listed))).is_some() {
                        server.list_written();
                    }
                }
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
    // v1 peers revive the dead in their lists by stamping them anew.
    let dead = entry("dead", ONLINE, server.now.wall + 1, Some(1));
    let stranger = entry("stranger", ONLINE, server.now.wall, Some(1));
    let listed = vec![dead, stranger];
    assert_eq!(server.update(listed.clone()), [url("a"), url("stranger")]);
    server.fail_probes_of("stranger", 100);
    assert_eq!(server.update(listed), [url("a")]);
}
