//! How exchanges are made.

use super::*;

#[test]
fn an_offline_server_is_contacted_on_a_new_connection() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.take_actions();
    let is_on_new_connection = |server: &mut Server| {
        server.core.send(Request::new(url("b"), Purpose::Contact), server.now);
        server.take_actions().iter().any(|action| matches!(action, Action::Gossip { new_connection: true, .. }))
    };
    assert!(!is_on_new_connection(&mut server));
    server.core.members.merge(entry("b", OFFLINE, server.now.wall + 1, Some(1)), server.now);
    assert!(is_on_new_connection(&mut server));
}
