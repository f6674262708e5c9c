//! Self-probes: when a server makes them, and which results it reports.

use super::*;

/// Runs while each self-probe ends with this result. Returns the times at which they began, ms.
fn run_self_probes(
    server: &mut Server,
    seconds: u64,
    answer: impl Fn(&Server) -> Result<Message, ExchangeError>,
) -> Vec<u128> {
    let mut began = Vec::new();
    for _ in 0..seconds * 10 {
        for (id, to) in gossip_requests(&server.tick()) {
            if to == url("a") {
                began.push(server.now.mono.as_millis());
                let answer = answer(server);
                server.core.handle_response(server.now, id, answer);
            } else {
                server.respond(id, server.empty_answer_of(&to));
            }
        }
    }
    began
}

fn ours(server: &Server) -> Message {
    Message::new_v2(server.own_entry().clone(), None, Envelope::default())
}

fn other_process(server: &Server) -> Message {
    let entry = entry("a", ONLINE, server.now.wall, Some(1));
    Message::new_v2(entry, None, Envelope::default())
}

fn not_found(_: &Server) -> Result<Message, ExchangeError> {
    Err(ExchangeError::Other(Failure { code: FailureCode::Http(404), text: "it answered 404".into() }))
}

fn server_with_peer() -> Server {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server
}

/// A server with a peer that has never contacted it.
fn server_with_silent_peer() -> Server {
    let mut server = Server::new("a");
    server.core.members.put(entry("b", ONLINE, WALL, Some(1)), server.now);
    server.core.members.on_response(&url("b"), None, server.now);
    server
}

fn findings(server: &mut Server) -> Vec<Event> {
    let is_finding = |event: &Event| matches!(event, Event::SelfProbeFailed(..) | Event::Resolved(Resolved::SelfProbe));
    server.take_events().into_iter().filter(is_finding).collect()
}

#[test]
fn a_server_probes_itself_once_after_its_start_if_that_succeeds() {
    let mut server = server_with_silent_peer();
    let began = run_self_probes(&mut server, 600, |it| Ok(ours(it)));
    assert_eq!(began.len(), 1, "{began:?}");
    assert!((1_000..2_700).contains(&began[0]), "{began:?}");
    assert_eq!(findings(&mut server), []);
}

#[test]
fn a_server_that_a_peer_contacts_first_does_not_probe_itself() {
    let mut server = server_with_peer();
    assert_eq!(run_self_probes(&mut server, 600, |it| Ok(ours(it))).len(), 0);
}

#[test]
fn an_identity_question_does_not_prove_that_the_base_url_works() {
    let mut server = server_with_silent_peer();
    let question = Message { envelope: Some(Envelope::default()), ..Message::default() };
    server.core.handle_gossip(server.now, &question);
    assert_eq!(run_self_probes(&mut server, 600, |it| Ok(ours(it))).len(), 1);
}

#[test]
fn a_wrong_answer_that_comes_twice_is_reported_within_seconds_and_once() {
    let mut server = server_with_silent_peer();
    run_self_probes(&mut server, 4, not_found);
    let [Event::SelfProbeFailed(at, error)] = &findings(&mut server)[..] else { panic!("not exactly one") };
    assert_eq!((at, Err(error.clone())), (&url("a"), not_found(&server)));
    let began = run_self_probes(&mut server, 600, not_found);
    assert!((18..30).contains(&began.len()), "at most once an interval in the end: {began:?}");
    assert_eq!(findings(&mut server), []);
}

#[test]
fn a_single_wrong_answer_is_not_reported() {
    let mut server = server_with_silent_peer();
    while run_self_probes(&mut server, 1, not_found).is_empty() {}
    run_self_probes(&mut server, 60, |it| Ok(ours(it)));
    assert_eq!(findings(&mut server), []);
}

#[test]
fn wrong_answers_to_self_probes_that_began_together_count_once() {
    let mut server = Server::new("a");
    run_self_probes(&mut server, 5, |it| Ok(ours(it)));
    let round = (0..60).map(|_| run_self_probes(&mut server, 1, not_found)).find(|began| !began.is_empty());
    assert!(matches!(round.as_deref(), Some([first, second]) if first == second), "{round:?}");
    run_self_probes(&mut server, 60, |it| Ok(ours(it)));
    assert_eq!(findings(&mut server), []);
}

#[test]
fn a_program_may_begin_to_listen_seconds_after_its_start() {
    for error in [refused(), ExchangeError::TimedOut, ExchangeError::NotReady("502".into())] {
        let mut server = server_with_silent_peer();
        run_self_probes(&mut server, 5, |_| Err(error.clone()));
        assert_eq!(findings(&mut server), [], "{error}");
        run_self_probes(&mut server, 5, |_| Err(error.clone()));
        assert_eq!(findings(&mut server), [Event::SelfProbeFailed(url("a"), error)]);
    }
}

#[test]
fn a_local_shortage_of_resources_is_not_a_finding() {
    let mut server = server_with_silent_peer();
    run_self_probes(&mut server, 60, |_| Err(ExchangeError::Local("EMFILE".into())));
    assert_eq!(findings(&mut server), []);
}

#[test]
fn a_finding_ends_when_the_server_answers_itself() {
    let mut server = server_with_silent_peer();
    run_self_probes(&mut server, 60, not_found);
    findings(&mut server);
    run_self_probes(&mut server, 60, |it| Ok(ours(it)));
    assert_eq!(findings(&mut server), [Event::Resolved(Resolved::SelfProbe)]);
    assert_eq!(run_self_probes(&mut server, 600, |it| Ok(ours(it))).len(), 0);
}

#[test]
fn a_finding_ends_when_a_peer_contacts_the_server_which_may_be_unable_to_reach_itself() {
    let mut server = server_with_silent_peer();
    run_self_probes(&mut server, 60, not_found);
    findings(&mut server);
    server.receive_v2(&entry("b", ONLINE, WALL, Some(1)), vec![]);
    assert_eq!(findings(&mut server), [Event::Resolved(Resolved::SelfProbe)]);
    assert_eq!(run_self_probes(&mut server, 600, not_found).len(), 0);
}

#[test]
fn a_finding_of_another_kind_replaces_the_first() {
    let mut server = server_with_silent_peer();
    run_self_probes(&mut server, 60, |_| Err(refused()));
    run_self_probes(&mut server, 120, not_found);
    let kinds: Vec<_> = findings(&mut server).iter().map(|event| matches!(event, Event::Resolved(_))).collect();
    assert_eq!(kinds, [false, true, false]);
}

#[test]
fn self_probes_continue_without_a_report_while_another_process_answers() {
    let mut server = server_with_silent_peer();
    let began = run_self_probes(&mut server, 60, |it| Ok(other_process(it)));
    assert!(began.len() > 10, "{began:?}");
    assert_eq!(findings(&mut server), []);
}

#[test]
fn a_server_that_others_declare_failed_probes_itself() {
    let mut server = server_with_peer();
    let incarnation = server.incarnation().expect("protocol 2");
    let (id, to, _) = server.next_message(|_| true);
    let from = server.entry_of(&to);
    let failure = offline("a", server.now.wall, incarnation, Reason::Failed, "b");
    server.respond_v2(id, &from, vec![failure]);
    run_self_probes(&mut server, 5, not_found);
    assert_eq!(findings(&mut server).len(), 1);
}

#[test]
fn a_server_whose_program_hangs_does_not_report_itself() {
    let mut server = server_with_silent_peer();
    server.run_stalled(60);
    for (id, _) in gossip_requests(&server.run_stalled(60)) {
        server.fail(id, ExchangeError::TimedOut);
    }
    assert_eq!(findings(&mut server), []);
}

/// Begins a leave and returns its self-probe, the only message.
fn leave_and_ask(server: &mut Server) -> RequestId {
    server.take_actions();
    server.core.handle_leave(server.now);
    let requests = gossip_requests(&server.take_actions());
    let [(id, to)] = &requests[..] else { panic!("not exactly one: {requests:?}") };
    assert_eq!(*to, url("a"));
    *id
}

#[test]
fn a_leave_is_not_announced_if_another_process_answers_at_the_base_url() {
    for seconds in [0, 5] {
        let mut server = server_with_silent_peer();
        run_self_probes(&mut server, seconds, |it| Ok(other_process(it)));
        let id = leave_and_ask(&mut server);
        let answer = other_process(&server);
        server.core.handle_response(server.now, id, Ok(answer));
        assert_eq!(gossip_requests(&server.take_actions()), []);
        assert_eq!(server.own_entry().state, ONLINE);
        let events = server.take_events();
        assert!(events.contains(&Event::Left) && events.contains(&Event::DuplicateUrl(url("a"))), "{events:?}");
        assert_eq!(server.core.poll_timeout(), None);
    }
}

#[test]
fn a_leave_is_announced_if_this_process_answers_at_the_base_url_or_nobody_does() {
    for answer in [|it: &Server| Ok(ours(it)), |_: &Server| Err(refused()), not_found] {
        let mut server = server_with_silent_peer();
        let id = leave_and_ask(&mut server);
        let answer = answer(&server);
        server.core.handle_response(server.now, id, answer);
        let receivers: Vec<_> = gossip_requests(&server.take_actions()).into_iter().map(|(_, to)| to).collect();
        assert_eq!(receivers, [url("b")]);
        assert_eq!(server.reason(), Some(Reason::Left));
    }
}

#[test]
fn a_server_that_was_found_at_its_base_url_announces_its_leave_at_once() {
    let mut server = server_with_silent_peer();
    run_self_probes(&mut server, 5, |it| Ok(ours(it)));
    server.core.handle_leave(server.now);
    assert_eq!(server.reason(), Some(Reason::Left));
}

#[test]
fn a_leave_ends_within_six_seconds_even_if_nothing_answers_at_the_base_url() {
    let mut server = server_with_silent_peer();
    leave_and_ask(&mut server);
    server.run(6);
    assert!(server.take_events().contains(&Event::Left));
}

/// `b` contacts this server at the port of its base URL, or at another one.
fn contact(server: &mut Server, is_at_other_port: bool) {
    let message = Message::new_v2(entry("b", ONLINE, server.now.wall, Some(1)), None, Envelope::default());
    server.core.handle_gossip(server.now, &Message { is_at_other_port, ..message });
}

#[test]
fn contacts_at_another_port_do_not_prove_that_the_base_url_works() {
    let mut server = server_with_silent_peer();
    for _ in 0..10 {
        contact(&mut server, true);
        run_self_probes(&mut server, 1, |_| Err(refused()));
    }
    assert!(matches!(findings(&mut server)[..], [Event::SelfProbeFailed(..)]));
    contact(&mut server, false);
    assert_eq!(findings(&mut server), [Event::Resolved(Resolved::SelfProbe)]);
    contact(&mut server, true);
    assert_eq!(run_self_probes(&mut server, 600, not_found).len(), 0, "the proof holds");
}
