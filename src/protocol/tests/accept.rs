//! What a server does at once with a peer's entry of another server.

use super::*;

#[test]
fn a_reported_failure_of_a_silent_server_is_listed_at_once() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(5))]);
    server.receive_v2(&reporter(), vec![failed("b", WALL + 1, 5)]);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_leave_is_listed_at_once() {
    let mut server = Server::new("a");
    server.add_member("b", Some(5));
    server.receive_v2(&reporter(), vec![offline("b", WALL + 1, 6, Reason::Left, "b")]);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_failed_server_is_listed_online_when_another_server_reports_it_online() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 5)]);
    server.receive_v2(&reporter(), vec![entry("b", ONLINE, WALL + 10, Some(WALL + 10))]);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_sender_that_is_listed_as_failed_is_told_so() {
    let mut server = Server::new("a");
    server.receive_v2(&reporter(), vec![failed("b", WALL, 5)]);
    let answer = server.receive_v2(&entry("b", ONLINE, WALL + 1, Some(5)), vec![]);
    assert!(answer.entries.contains(&failed("b", WALL, 5)));
}

#[test]
fn a_leave_wins_over_a_failure_that_others_report_soon_after_it() {
    let mut leaver = Server::new("b");
    leaver.core.handle_leave(leaver.now);
    let mut server = Server::new("a");
    server.receive_v2(&entry("b", ONLINE, WALL, Some(WALL)), vec![]);
    server.receive_v2(&reporter(), vec![leaver.own_entry().clone()]);
    server.receive_v2(&reporter(), vec![failed("b", WALL + 20_000, WALL)]);
    let reason = server.entry_of(&url("b")).v2.and_then(|v2| v2.reason);
    assert_eq!(reason, Some(Reason::Left));
}

#[test]
fn a_server_that_spoke_recently_is_told_that_another_reports_its_leave() {
    for (seconds, messages) in [(0, 1), (31, 0)] {
        let mut server = Server::new("a");
        server.add_member("b", Some(5));
        server.finish_broadcasts();
        server.advance(seconds * 1_000);
        let left = offline("b", WALL + 1, 6, Reason::Left, "b");
        server.receive_v2(&reporter(), vec![left.clone()]);
        let sent = server.take_actions();
        let tells_b = |action: &&Action| match action {
            Action::Gossip { to, message, .. } => *to == url("b") && message.entries.contains(&left),
            Action::SyncList { .. } | Action::SaveState(_) => false,
        };
        assert_eq!(sent.iter().filter(tells_b).count(), messages, "{sent:?}");
    }
}
