//! The state that a server saves for its next start.

use super::*;

fn server_that_saves_its_state() -> Server {
    Server::with_settings(&Settings { keeps_state: true, ..settings("a") })
}

fn saved_states(actions: &[Action]) -> Vec<Vec<ServerUrl>> {
    let saved = |action: &Action| match action {
        Action::SaveState(state) => Some(state.entries.iter().map(|entry| entry.url.clone()).collect()),
        _ => None,
    };
    actions.iter().filter_map(saved).collect()
}

#[test]
fn a_server_contacts_saved_servers_without_a_master_list() {
    let mut server = server_that_saves_its_state();
    let state = Message::new(vec![entry("a", ONLINE, WALL, Some(1)), entry("b", ONLINE, WALL, Some(1))]);
    server.core.handle_saved_state(server.now, &state);
    let sent = gossip_requests(&server.take_actions());
    assert_eq!(sent.iter().map(|(_, to)| to.clone()).collect::<Vec<_>>(), [url("b")]);
    assert!(!server.take_events().contains(&Event::Started));
    server.respond(sent[0].0, Message::new(vec![entry("b", ONLINE, WALL, Some(1))]));
    assert!(server.take_events().contains(&Event::Started), "it does not wait for the master list");
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_whose_saved_servers_do_not_answer_waits_for_the_master_list() {
    let mut server = server_that_saves_its_state();
    server.core.handle_saved_state(server.now, &Message::new(vec![entry("b", ONLINE, WALL, Some(1))]));
    let sent = gossip_requests(&server.take_actions());
    server.fail(sent[0].0, refused());
    assert!(!server.take_events().contains(&Event::Started));
    server.on_list_read(Ok(Message::default()));
    assert!(server.take_events().contains(&Event::Started));
    assert_eq!(
        saved_states(&server.run(60)),
        Vec::<Vec<ServerUrl>>::new(),
        "the saved state is not replaced by an empty one"
    );
}

#[test]
fn the_state_is_saved_soon_after_a_change_and_only_then() {
    let mut server = server_that_saves_its_state();
    server.receive_v1(vec![entry("b", ONLINE, server.now.wall, Some(1))]);
    assert_eq!(saved_states(&server.run(11)), [[url("b")]]);
    assert_eq!(saved_states(&server.run(60)).len(), 0);
    server.receive_v1(vec![entry("c", ONLINE, server.now.wall, Some(1))]);
    assert_eq!(saved_states(&server.run(11)).iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    assert!(saved_states(&Server::new("d").run(60)).is_empty(), "nothing is saved unless it is configured");
}

#[test]
fn a_failed_save_is_retried() {
    let mut server = server_that_saves_its_state();
    server.receive_v1(vec![entry("b", ONLINE, server.now.wall, Some(1))]);
    assert_eq!(saved_states(&server.run(11)).len(), 1);
    server.core.handle_state_saved(Err("no room".into()));
    assert_eq!(saved_states(&server.run(11)).len(), 1);
}

#[test]
fn a_server_that_is_alone_keeps_trying_saved_servers() {
    let mut server = server_that_saves_its_state();
    server.core.handle_saved_state(server.now, &Message::new(vec![entry("b", ONLINE, WALL, Some(1))]));
    server.on_list_read(Err("no answer".into()));
    server.run_with_refusals("b", 600);
    assert!(server.run_with_refusals("b", 100) > 0);
}
