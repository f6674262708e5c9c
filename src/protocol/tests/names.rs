//! DNS names that lead to servers.

use super::*;
use crate::protocol::discovery::MAX_PLACES;

/// A server that looks up one name and reads no list.
fn server() -> Server {
    Server::with_settings(&Settings { lists: Vec::new(), names: vec!["the name".into()], ..settings("a") })
}

fn place(number: usize) -> Place {
    let address = std::net::Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).expect("small"));
    Place { url: url("app"), address: Some(address.into()) }
}

fn lookups(actions: &[Action]) -> Vec<RequestId> {
    actions.iter().filter_map(|action| if let Action::LookUp { id, .. } = action { Some(*id) } else { None }).collect()
}

fn questions(actions: &[Action]) -> Vec<(RequestId, Place)> {
    let question = |action: &Action| {
        if let Action::Identify { id, place, .. } = action { Some((*id, place.clone())) } else { None }
    };
    actions.iter().filter_map(question).collect()
}

impl Server {
    // Answers the current lookup. Returns the questions that follow.
    fn look_up(&mut self, found: Result<Vec<Place>, String>) -> Vec<(RequestId, Place)> {
        let id = *lookups(&self.take_actions()).last().expect("a lookup");
        self.core.handle_looked_up(self.now, id, found);
        questions(&self.take_actions())
    }

    fn identify(&mut self, id: RequestId, answer: Result<ServerUrl, ExchangeError>) -> Vec<Action> {
        self.core.handle_identified(self.now, id, answer);
        self.take_actions()
    }
}

#[test]
fn the_server_at_an_address_is_contacted_at_its_base_url_and_listed_when_it_answers() {
    let mut server = server();
    let asked = server.look_up(Ok(vec![place(1)]));
    assert_eq!(asked.len(), 1);
    let contacts = gossip_requests(&server.identify(asked[0].0, Ok(url("b"))));
    assert_eq!(contacts.len(), 1);
    assert_eq!((&contacts[0].1, server.state_of("b")), (&url("b"), None), "it is not a member yet");
    assert!(!server.take_events().contains(&Event::Started), "the first contact is under way");
    server.fail(contacts[0].0, refused());
    assert!(server.take_events().contains(&Event::Started));
    assert_eq!(server.state_of("b"), None, "DNS lists nobody");
}

#[test]
fn a_server_that_is_alone_looks_up_every_five_seconds_and_asks_at_all_places() {
    let mut server = server();
    let mut asked: BTreeSet<_> = server.look_up(Ok((0..2 * MAX_PLACES).map(place).collect())).into_iter().collect();
    let mut lookups_made = 0;
    for _ in 0..300 {
        for action in server.tick() {
            match action {
                Action::LookUp { id, .. } => {
                    lookups_made += 1;
                    let found = (0..2 * MAX_PLACES).map(place).collect();
                    server.core.handle_looked_up(server.now, id, Ok(found));
                }
                Action::Identify { id, place, .. } => {
                    asked.insert((id, place));
                    server.core.handle_identified(server.now, id, Err(ExchangeError::Refused("refused".into())));
                }
                _ => {}
            }
        }
    }
    assert!((5..=7).contains(&lookups_made), "{lookups_made}");
    let places: BTreeSet<_> = asked.iter().map(|(_, place)| place).collect();
    assert_eq!(places.len(), MAX_PLACES);
}

#[test]
fn places_of_members_are_not_asked_and_others_seldom_by_a_server_that_knows_others() {
    let mut server = server();
    server.look_up(Ok(Vec::new()));
    let of_address = ServerUrl::parse("http://10.0.0.1/").expect("valid");
    let mut members: Vec<_> = (0..40).map(|it| entry(&format!("m{it}"), ONLINE, WALL, Some(1))).collect();
    members.push(Entry { url: of_address, ..entry("x", ONLINE, WALL, Some(1)) });
    server.receive_v2(&reporter(), members);
    let mut asked = 0;
    let mut minutes = 0;
    for _ in 0..60 * 60 {
        for action in server.run(1) {
            match action {
                Action::LookUp { id, .. } => {
                    minutes += 1;
                    server.core.handle_looked_up(server.now, id, Ok(vec![place(1), place(2)]));
                }
                Action::Identify { id, place: at, .. } => {
                    assert_eq!(at, place(2), "the other is the address of a member");
                    asked += 1;
                    server.core.handle_identified(server.now, id, Err(ExchangeError::Refused("refused".into())));
                }
                _ => {}
            }
        }
        server.receive_v2(&reporter(), Vec::new());
    }
    assert!((50..=70).contains(&minutes), "{minutes}");
    assert!(asked < 15, "42 servers ask about once a minute together: {asked}");
}

#[test]
fn a_resolver_that_fails_is_reported_once_and_what_it_found_before_stays() {
    let mut server = server();
    let asked = server.look_up(Ok(vec![place(1)]));
    server.identify(asked[0].0, Err(ExchangeError::Refused("refused".into())));
    let (mut failures, mut warnings, mut asked) = (0, 0, 0);
    for _ in 0..600 {
        for action in server.tick() {
            match action {
                Action::LookUp { id, .. } => server.core.handle_looked_up(server.now, id, Err("no such name".into())),
                Action::Identify { id, .. } => {
                    asked += 1;
                    server.core.handle_identified(server.now, id, Err(ExchangeError::Refused("refused".into())));
                }
                _ => {}
            }
        }
        for event in server.take_events() {
            match event {
                Event::ListFailed(why) => {
                    assert_eq!(why, "the name cannot be looked up: no such name");
                    failures += 1;
                }
                Event::ListUnusable { .. } => warnings += 1,
                _ => {}
            }
        }
    }
    assert!(failures > 8 && warnings == 1 && asked > 5, "{failures} {warnings} {asked}");
}

#[test]
fn an_empty_answer_is_no_failure_and_ends_the_first_contacts() {
    let mut server = server();
    assert_eq!(server.look_up(Ok(Vec::new())), []);
    let events = server.take_events();
    assert!(events.contains(&Event::Started), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::ListFailed(_))));
}

#[test]
fn a_server_that_has_been_alone_for_ten_intervals_says_once_what_it_tried() {
    let mut server = server();
    let asked = server.look_up(Ok(vec![place(1)]));
    server.identify(asked[0].0, Err(ExchangeError::SecretRejected));
    server.run(290);
    let alone = |server: &mut Server| {
        let events = server.take_events().into_iter();
        events.filter_map(|event| if let Event::Alone(tried) = event { Some(tried) } else { None }).collect::<Vec<_>>()
    };
    assert_eq!(alone(&mut server).len(), 0);
    server.run(100);
    let expected = ["the name has 1 address", "http://app/ at 10.0.0.1: it refuses our SHAZBOT_SECRET"];
    assert_eq!(alone(&mut server), [expected.map(str::to_owned)]);
    server.run(900);
    assert_eq!(alone(&mut server).len(), 0);
}

#[test]
fn the_servers_that_the_program_discovers_are_contacted_and_asked_for_every_five_seconds_while_alone() {
    let mut server = server();
    let id = *lookups(&server.take_actions()).last().expect("a lookup");
    server.core.handle_discovered(server.now, id, Ok(Message::new(vec![entry("b", ONLINE, 0, None)])));
    let contacts = gossip_requests(&server.take_actions());
    assert_eq!(contacts.iter().map(|(_, to)| to).collect::<Vec<_>>(), [&url("b")]);
    assert_eq!(server.state_of("b"), None, "it is not a member yet");
    let mut calls = 0;
    for _ in 0..100 {
        for id in lookups(&server.run(1)) {
            calls += 1;
            server.core.handle_discovered(server.now, id, Err("the cloud is away".into()));
        }
    }
    assert!((15..25).contains(&calls), "{calls}");
    assert!(
        !server.take_events().iter().any(|event| matches!(event, Event::ListUnusable { .. } | Event::ListFailed(_)))
    );
    let (_, status) = server.core.list_statuses().next().expect("its status");
    assert!(status.failing.as_ref().is_some_and(|(_, error)| error.contains("the cloud is away")));
}
