//! The rate limits of incoming messages.

use super::*;
use crate::message::Skipped;

fn admitted_of(server: &mut Server, sender: &str, messages: usize) -> usize {
    let url = url(sender);
    (0..messages).filter(|_| server.core.admit_v2(Some(url.as_str()), server.now).is_ok()).count()
}

#[test]
fn each_kind_of_sender_has_a_limit_that_refills_within_a_second() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    for _ in 0..3 {
        assert_eq!(admitted_of(&mut server, "b", 1_500), 100);
        assert_eq!((0..1_500).filter(|_| server.core.admit_v1(server.now).is_ok()).count(), 500);
        assert_eq!((0..1_500).filter(|_| server.core.admit_v2(None, server.now).is_ok()).count(), 500);
        server.run(1);
    }
}

#[test]
fn a_member_that_sends_all_the_time_gets_its_rate_and_no_more() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    let mut admitted = 0;
    for _ in 0..100 {
        admitted += admitted_of(&mut server, "b", 50);
        server.tick();
    }
    assert!((1_000..=1_110).contains(&admitted), "{admitted} in ten seconds");
}

#[test]
fn a_flood_under_any_name_leaves_the_other_members_their_share() {
    let mut server = Server::new("a");
    let members: Vec<_> = (0..12).map(|i| format!("s{i}")).collect();
    for name in &members {
        server.add_member(name, Some(1));
    }
    for i in 0..5_000 {
        admitted_of(&mut server, &format!("invented{i}"), 1);
        admitted_of(&mut server, "s0", 1);
        let _ = server.core.admit_v1(server.now);
    }
    for name in &members[1..] {
        assert_eq!(admitted_of(&mut server, name, 10), 10, "{name}");
    }
}

#[test]
fn a_flood_of_bad_entries_is_reported_at_a_bounded_rate() {
    let mut server = Server::new("a");
    let skipped = vec![Skipped { name: "x".into(), reason: "wrong" }; 20];
    let message = Message { skipped, ..Message::default() };
    let mut reported = 0;
    for _ in 0..10 {
        for _ in 0..300 {
            server.core.handle_gossip(server.now, &message);
        }
        server.run(1);
        for event in server.take_events() {
            reported += if let Event::EntriesSkipped { entries, .. } = event { entries.len() } else { 0 };
        }
    }
    assert!((100..=300).contains(&reported), "{reported} in ten seconds");
}

#[test]
fn a_server_that_says_it_is_busy_is_up() {
    let mut server = Server::new("a");
    for name in ["b", "c"] {
        server.add_member(name, Some(1));
    }
    server.run_with_failures(&["b"], 600, &ExchangeError::Busy);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_flood_in_the_names_of_many_members_leaves_the_quiet_ones_their_share() {
    let mut server = Server::new("a");
    let members: Vec<_> = (0..60).map(|i| format!("s{i}")).collect();
    for name in &members {
        server.add_member(name, Some(1));
    }
    let (mut flood, mut refused) = (0, 0);
    for ms in 0..10_000 {
        for i in 0..4 {
            flood += admitted_of(&mut server, &members[(ms * 4 + i) % 40], 1);
        }
        if ms % 100 == 0 {
            refused += members[40..].iter().filter(|name| admitted_of(&mut server, name, 1) == 0).count();
        }
        server.advance(1);
    }
    assert_eq!(refused, 0);
    assert!((20_000..25_000).contains(&flood), "{flood} in ten seconds");
}
