//! What a server keeps for its next start.

use super::*;

fn keeper() -> Server {
    Server::with(&Settings { keeps_state: true, ..settings("a") })
}

fn saved(actions: &[Action]) -> Vec<Vec<ServerUrl>> {
    let saved = |action: &Action| match action {
        Action::SaveState(state) => Some(state.entries.iter().map(|entry| entry.url.clone()).collect()),
        Action::Gossip { .. } | Action::SyncList { .. } => None,
    };
    actions.iter().filter_map(saved).collect()
}

#[test]
fn a_server_that_knew_others_meets_them_without_the_list() {
    let mut server = keeper();
    let state = Message::new(vec![entry("a", ONLINE, WALL, Some(1)), entry("b", ONLINE, WALL, Some(1))]);
    server.core.handle_saved_state(server.now, &state);
    let sent = gossips(&server.actions());
    assert_eq!(sent.iter().map(|(_, to)| to.clone()).collect::<Vec<_>>(), [url("b")]);
    assert!(!server.notices().contains(&Event::Started));
    server.core.handle_response(server.now, sent[0].0, Ok(Message::new(vec![entry("b", ONLINE, WALL, Some(1))])));
    assert!(server.notices().contains(&Event::Started), "whatever becomes of the list");
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_whose_state_is_of_no_use_waits_for_the_list() {
    let mut server = keeper();
    server.core.handle_saved_state(server.now, &Message::new(vec![entry("b", ONLINE, WALL, Some(1))]));
    let sent = gossips(&server.actions());
    server.core.handle_response(server.now, sent[0].0, Err(ExchangeError::Refused("refused".into())));
    assert!(!server.notices().contains(&Event::Started));
    server.list(Ok(Message::default()));
    assert!(server.notices().contains(&Event::Started));
    assert_eq!(saved(&server.pass(60)), Vec::<Vec<ServerUrl>>::new(), "what it had is not replaced by nothing");
}

#[test]
fn the_state_is_saved_soon_after_it_has_changed_and_only_then() {
    let mut server = keeper();
    server.hear(vec![entry("b", ONLINE, server.now.wall, Some(1))]);
    assert_eq!(saved(&server.pass(11)), [[url("b")]]);
    assert_eq!(saved(&server.pass(60)).len(), 0);
    server.hear(vec![entry("c", ONLINE, server.now.wall, Some(1))]);
    assert_eq!(saved(&server.pass(11)).iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    assert!(saved(&Server::new("d").pass(60)).is_empty(), "where nobody asks for it nothing is kept");
}

#[test]
fn a_state_that_was_not_saved_is_saved_later() {
    let mut server = keeper();
    server.hear(vec![entry("b", ONLINE, server.now.wall, Some(1))]);
    assert_eq!(saved(&server.pass(11)).len(), 1);
    server.core.handle_state_saved(Err("no room".into()));
    assert_eq!(saved(&server.pass(11)).len(), 1);
}

#[test]
fn who_is_alone_does_not_forget_whom_it_knew() {
    let mut server = keeper();
    server.core.handle_saved_state(server.now, &Message::new(vec![entry("b", ONLINE, WALL, Some(1))]));
    server.list(Err("no answer".into()));
    server.fail_probes_of("b", 600);
    assert!(server.fail_probes_of("b", 100) > 0);
}
