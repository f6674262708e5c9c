//! Others' words: taken, or looked into first.

use super::*;

fn death(name: &str, stamp: u64, incarnation: u64) -> Entry {
    let v2 = EntryV2 { incarnation, instance: 1, reason: Some(Reason::Failed), author: Some(url("x")) };
    Entry { v2: Some(v2), ..entry(name, OFFLINE, stamp, None) }
}

fn other() -> Entry {
    entry("other", ONLINE, WALL, Some(1))
}

#[test]
fn a_death_that_another_tells_of_is_listed_at_once_where_we_know_no_better() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(5))]);
    server.hear_ours(&other(), vec![death("b", WALL + 1, 5)], Envelope::default());
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_has_just_spoken_to_us_is_looked_for_before_it_is_called_dead() {
    for (answers, state) in [(true, ONLINE), (false, OFFLINE)] {
        let mut server = Server::new("a");
        server.meet("b", Some(5));
        server.settle();
        server.hear_ours(&other(), vec![death("b", WALL + 1, 5)], Envelope::default());
        assert_eq!(server.state_of("b"), Some(ONLINE));
        let sent = server.actions();
        let Action::Gossip { id, to, message, .. } = &sent[0] else { panic!("{sent:?}") };
        assert_eq!(*to, url("b"));
        assert!(message.entries.contains(&death("b", WALL + 1, 5)), "it is told what is said of it");
        if answers {
            server.answered(*id, &entry("b", ONLINE, WALL + 2, Some(WALL + 2)), vec![], Envelope::default());
        } else {
            server.core.handle_response(server.now, *id, Err(ExchangeError::TimedOut));
            let again = gossips(&server.actions());
            server.core.handle_response(server.now, again[0].0, Err(ExchangeError::TimedOut));
        }
        assert_eq!(server.state_of("b"), Some(state));
        assert!(!server.core.verifier.has_reports());
    }
}

#[test]
fn a_death_from_the_other_side_of_a_partition_is_looked_into_where_the_server_has_stamped_itself_since() {
    let mut server = Server::new("a");
    server.hear(vec![entry("b", ONLINE, WALL, Some(5))]);
    server.pass(120);
    server.hear_ours(&other(), vec![entry("b", ONLINE, WALL + 100_000, Some(5))], Envelope::default());
    server.hear_ours(&other(), vec![death("b", WALL + 50_000, 5)], Envelope::default());
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_that_left_is_listed_at_once() {
    let mut server = Server::new("a");
    server.meet("b", Some(5));
    let mut left = death("b", WALL + 1, 6);
    left.v2 = left.v2.map(|v2| EntryV2 { reason: Some(Reason::Left), author: Some(url("b")), ..v2 });
    server.hear_ours(&other(), vec![left], Envelope::default());
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn nobody_dead_is_revived_by_its_own_word_alone() {
    let mut server = Server::new("a");
    server.hear_ours(&other(), vec![death("b", WALL, 5)], Envelope::default());
    server.actions();
    let alive = entry("b", ONLINE, WALL + 10, Some(WALL + 10));
    let answer = server.hear_ours(&alive, vec![], Envelope::default());
    assert!(!answer.entries.contains(&death("b", WALL, 5)), "its word goes beyond what we hold of it");
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    let call = gossips(&server.actions());
    assert_eq!(call[0].1, url("b"), "it is called back");
    server.answered(call[0].0, &alive, vec![], Envelope::default());
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_that_cannot_be_called_back_stays_offline_whatever_it_says() {
    let mut server = Server::new("a");
    server.hear_ours(&other(), vec![death("b", WALL, 5)], Envelope::default());
    for i in 1..40 {
        let incarnation = WALL + i * 10;
        let alive = entry("b", ONLINE, server.now.wall, Some(incarnation));
        server.hear_ours(&alive, vec![], Envelope::default());
        server.fail_probes_of("b", 30);
        assert_eq!(server.state_of("b"), Some(OFFLINE));
    }
}

#[test]
fn another_server_of_ours_is_believed_that_a_dead_one_is_back() {
    let mut server = Server::new("a");
    server.hear_ours(&other(), vec![death("b", WALL, 5)], Envelope::default());
    server.hear_ours(&other(), vec![entry("b", ONLINE, WALL + 10, Some(WALL + 10))], Envelope::default());
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_sender_that_is_called_dead_is_told_so() {
    let mut server = Server::new("a");
    server.hear_ours(&other(), vec![death("b", WALL, 5)], Envelope::default());
    let answer = server.hear_ours(&entry("b", ONLINE, WALL + 1, Some(5)), vec![], Envelope::default());
    assert!(answer.entries.contains(&death("b", WALL, 5)));
}

#[test]
fn a_flood_of_claims_is_looked_into_at_a_bounded_rate() {
    let mut server = Server::new("a");
    for i in 0..500 {
        server.meet(&format!("s{i}"), Some(5));
    }
    server.actions();
    let deaths = (0..500).map(|i| death(&format!("s{i}"), WALL + 1, 5)).collect();
    server.hear_ours(&other(), deaths, Envelope::default());
    let sent = gossips(&server.pass(10)).len();
    assert!((20..60).contains(&sent), "{sent}");
}

#[test]
fn a_message_full_of_deaths_takes_no_longer_than_its_length() {
    let mut server = Server::new("a");
    let names: Vec<_> = (0..20_000).map(|i| format!("s{i}")).collect();
    server.hear(names.iter().map(|name| entry(name, ONLINE, WALL, Some(5))).collect());
    let began = crate::clock::Clock::new();
    server.hear(names.iter().map(|name| death(name, WALL + 1, 5)).collect());
    // Quadratic it would be minutes.
    assert!(began.now().mono < Duration::from_secs(5));
    assert!(names.iter().all(|name| server.core.verifier.report(&url(name)).is_some()));
}

#[test]
fn a_server_that_speaks_while_it_is_looked_for_is_not_called_dead() {
    let mut server = Server::new("a");
    server.meet("b", Some(5));
    server.settle();
    server.hear_ours(&other(), vec![death("b", server.now.wall, 5)], Envelope::default());
    let check = gossips(&server.actions())[0].0;
    server.pass(1);
    server.core.handle_response(server.now, check, Err(ExchangeError::TimedOut));
    server.hear_ours(&entry("b", ONLINE, server.now.wall, Some(server.now.wall)), vec![], Envelope::default());
    server.fail_probes(&["b"], 1, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_leave_is_the_later_word_where_others_find_the_server_dead_meanwhile() {
    let mut leaver = Server::new("b");
    leaver.core.handle_leave(leaver.now);
    let mut server = Server::new("a");
    server.hear_ours(&entry("b", ONLINE, WALL, Some(WALL)), vec![], Envelope::default());
    server.hear_ours(&other(), vec![leaver.own().clone()], Envelope::default());
    server.hear_ours(&other(), vec![death("b", WALL + 20_000, WALL)], Envelope::default());
    let held = server.core.members().get(&url("b")).expect("known");
    assert_eq!(held.entry.v2.as_ref().and_then(|v2| v2.reason), Some(Reason::Left));
}

#[test]
fn a_second_death_of_the_same_server_is_no_rumour() {
    let mut server = Server::new("a");
    server.hear_ours(&other(), vec![death("b", WALL, 5)], Envelope::default());
    server.settle();
    server.hear_ours(&other(), vec![death("b", WALL + 500, 5)], Envelope::default());
    assert!(server.core.broadcasts.is_empty());
}

#[test]
fn two_processes_that_contradict_each_other_are_no_endless_rumour() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.settle();
    let mut rumours = 0;
    for i in 0..60 {
        let mut twin = entry("b", ONLINE, server.now.wall, Some(2 + i));
        twin.v2 = twin.v2.map(|v2| EntryV2 { instance: 7 + (i % 2) as u32, ..v2 });
        server.hear_ours(&twin, vec![], Envelope::default());
        rumours += server.core.broadcasts.len();
        server.fail_probes(&[], 1, &ExchangeError::TimedOut);
    }
    assert!((1..=3).contains(&rumours), "{rumours}");
}

#[test]
fn a_v1_server_that_passes_on_its_own_death_lives() {
    let mut server = Server::new("a");
    server.meet("b", None);
    server.settle();
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    let now = server.now.wall;
    let both = vec![entry("b", ONLINE, now, None), entry("b", OFFLINE, now + HOUR, None)];
    server.core.handle_response(server.now, id, Ok(Message::new(both)));
    assert_eq!(server.state_of("b"), Some(ONLINE));
    // One stamp in both is a drain.
    let id = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    let both = vec![entry("b", ONLINE, now + 1, None), entry("b", OFFLINE, now + 1, None)];
    server.core.handle_response(server.now, id, Ok(Message::new(both)));
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_of_which_another_says_that_it_left_is_told_so_if_it_has_just_spoken_to_us() {
    for (waits, told) in [(0, 1), (31, 0)] {
        let mut server = Server::new("a");
        server.meet("b", Some(5));
        server.settle();
        server.now.mono += Duration::from_secs(waits);
        server.now.wall += waits * 1000;
        let mut left = death("b", WALL + 1, 6);
        left.v2 = left.v2.map(|v2| EntryV2 { reason: Some(Reason::Left), author: Some(url("b")), ..v2 });
        server.hear_ours(&other(), vec![left.clone()], Envelope::default());
        let to_b = |action: &Action| matches!(action, Action::Gossip { to, message, .. } if *to == url("b") && message.entries.contains(&left));
        let sent = server.actions();
        assert_eq!(sent.iter().filter(|it| to_b(it)).count(), told, "{sent:?}");
    }
}
