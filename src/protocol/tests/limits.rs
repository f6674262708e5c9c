//! Nothing that comes in makes us grow.

use super::*;

#[test]
fn a_flood_of_messages_is_refused_and_passes() {
    let mut server = Server::new("a");
    let refused = |server: &mut Server| {
        let results = (0..1_500).map(|_| server.core.admit(server.now));
        results.filter(|result| *result == Err(Error::Limit(1_000))).count()
    };
    assert_eq!(refused(&mut server), 500);
    server.pass(1);
    assert_eq!(refused(&mut server), 500);
}

#[test]
fn one_server_that_floods_us_does_not_silence_the_others() {
    let mut server = Server::new("a");
    let message = |name| Message::of_ours(entry(name, ONLINE, WALL, Some(1)), None, Ours::default());
    let admitted = |server: &mut Server, name| {
        (0..300)
            .filter(|_| server.core.admit(server.now).is_ok() && server.core.admit_from(&message(name)).is_ok())
            .count()
    };
    assert_eq!(admitted(&mut server, "b"), 100);
    assert_eq!(admitted(&mut server, "c"), 100);
    server.pass(1);
    assert_eq!(admitted(&mut server, "b"), 100);
}

#[test]
fn a_flood_of_invented_servers_leaves_room_for_those_that_answer() {
    let mut server = Server::new("a");
    server.meet("liar", Some(1));
    let liar = entry("liar", ONLINE, WALL, Some(1));
    for part in 0..60 {
        let invented = (0..500).map(|i| entry(&format!("x{}", part * 500 + i), ONLINE, WALL, Some(1))).collect();
        server.hear_ours(&liar, invented, Ours::default());
    }
    let known = server.core.members().entries().count();
    assert!(known <= crate::membership::MAX_UNREACHED + 2, "{known}");
    let full = server.notices().into_iter().filter(|notice| *notice == Notice::Full).count();
    assert_eq!(full, 1);
    // One that is there is called back, and listed when it answers.
    server.pass(60);
    server.actions();
    let new = entry("new", ONLINE, server.now.wall, Some(1));
    server.hear_ours(&new, vec![], Ours::default());
    assert_eq!(server.state_of("new"), None);
    let call = gossips(&server.actions()).into_iter().find(|(_, to)| *to == url("new")).expect("it is called back");
    server.answered(call.0, &new, vec![], Ours::default());
    assert_eq!(server.state_of("new"), Some(ONLINE));
}

#[test]
fn a_skipped_entry_is_reported_once() {
    let mut server = Server::new("a");
    for _ in 0..3 {
        let skipped = vec![Skipped { name: "x".into(), reason: "because" }];
        server.core.handle_gossip(server.now, &Message { skipped, ..Message::default() });
    }
    let reported = server.notices().into_iter().filter(|notice| matches!(notice, Notice::EntrySkipped(_)));
    assert_eq!(reported.count(), 1);
}
