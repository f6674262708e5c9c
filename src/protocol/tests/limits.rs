//! Nothing that comes in makes us grow.

use super::*;

#[test]
fn a_flood_of_messages_is_refused_and_passes() {
    let mut server = Server::new("a");
    let refused = |server: &mut Server| {
        let results = (0..1_500).map(|_| server.core.admit(server.now));
        results.filter(|result| *result == Err(Error::Limit)).count()
    };
    assert_eq!(refused(&mut server), 500);
    server.pass(1);
    assert_eq!(refused(&mut server), 500);
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
