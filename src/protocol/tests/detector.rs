//! The failure detector: which servers are probed, and when one is declared failed.

use super::*;
use crate::message::ProbeTicket;

/// Whether a message requests an indirect probe of a server.
pub(super) fn requests_probe_of(name: &'static str) -> impl Fn(&Message) -> bool {
    move |message| {
        message
            .envelope
            .as_ref()
            .is_some_and(|envelope| envelope.probe_requests.iter().any(|ticket| ticket.url == url(name)))
    }
}

/// A server that suspects `b` after a failed probe, and knows some others that can help.
pub(super) fn server_with_suspect(others: usize, error: ExchangeError) -> Server {
    let mut server = Server::new("a");
    for i in 0..others {
        server.add_member(&format!("other{i}"), Some(1));
    }
    server.add_member("b", Some(1));
    server.finish_broadcasts();
    let probe = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    server.fail(probe, error);
    server
}

pub(super) fn ticket(name: &str, token: u32) -> ProbeTicket {
    ProbeTicket { token, url: url(name) }
}

#[test]
fn a_failed_probe_does_not_count_if_the_server_stamped_itself_after_the_probe_began() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    let probe = server.next_exchange();
    server.fail(probe, ExchangeError::Other("timeout".into()));
    // Stamped a second after the probe began, by its own clock.
    server.receive_v1(vec![entry("b", ONLINE, server.now.wall + 1_000, Some(1))]);
    let second = server.next_exchange();
    server.fail(second, ExchangeError::Other("timeout".into()));
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_new_stamp_that_arrives_during_a_probe_excuses_its_failure() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    let probe = server.next_exchange();
    server.tick();
    server.receive_v1(vec![entry("b", ONLINE, server.now.wall, Some(1))]);
    server.fail(probe, ExchangeError::Other("timeout".into()));
    assert_eq!(server.run_with_refusals("b", 10), 0, "the failed probe has no consequence");
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_server_that_keeps_sending_messages_but_never_answers_is_declared_failed() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.add_member("c", Some(1));
    for round in 0..10 {
        assert!(round > 5 || server.state_of("b") == Some(ONLINE), "it has some reprieves first");
        for _ in 0..30 {
            server.run_with_failures(&["b"], 1, &ExchangeError::Other("it answered 404".into()));
            server.receive_v2(&entry("b", ONLINE, server.now.wall, Some(1)), vec![]);
        }
    }
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_reaches_nobody_does_not_declare_servers_failed_that_contact_it() {
    let mut server = Server::new("a");
    for name in ["b", "c"] {
        server.add_member(name, Some(1));
    }
    for _ in 0..600 {
        server.run_with_failures(&["b", "c"], 1, &ExchangeError::TimedOut);
        for name in ["b", "c"] {
            server.receive_v2(&entry(name, ONLINE, server.now.wall, Some(1)), vec![]);
        }
    }
    assert_eq!((server.state_of("b"), server.state_of("c")), (Some(ONLINE), Some(ONLINE)));
}

#[test]
fn a_new_stamp_excuses_a_server_whose_clock_has_stepped_back() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL + HOUR, Some(1))]);
    server.run(20);
    server.receive_v1(vec![entry("b", ONLINE, WALL + HOUR + 1, Some(1))]);
    // Its answer shows its clock.
    server.core.members.on_response(&url("b"), None, server.now);
    let probe = server.next_exchange();
    server.fail(probe, ExchangeError::TimedOut);
    server.receive_v1(vec![entry("b", ONLINE, WALL + HOUR + 60_000, Some(1))]);
    server.run_with_refusals("b", 15);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_stamp_from_before_the_probe_does_not_excuse_its_failure() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.finish_broadcasts();
    let probe = server.next_exchange();
    server.fail(probe, ExchangeError::Other("refused".into()));
    // Stamped before the probe began, but received after it.
    server.receive_v1(vec![entry("b", ONLINE, server.now.wall - 10_000, Some(1))]);
    server.run_with_refusals("b", 15);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_answers_with_errors_has_no_startup_grace() {
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(1))]);
    server.run_with_failures(&["b"], 150, &ExchangeError::SecretRejected);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_starting_server_that_sends_messages_is_not_declared_failed() {
    let mut server = Server::new("a");
    let starting = |server: &Server| entry("b", ONLINE, server.now.wall, Some(1));
    for _ in 0..18 {
        server.receive_v2(&starting(&server), vec![]);
        server.run_with_refusals("b", 3);
        assert_eq!(server.state_of("b"), Some(ONLINE));
    }
}

#[test]
fn a_server_that_falls_silent_before_it_listens_is_declared_failed_after_ten_seconds() {
    let mut server = Server::new("a");
    server.receive_v2(&entry("b", ONLINE, WALL, Some(1)), vec![]);
    // The first probe is in the first round, after up to an interval.
    server.run_with_refusals("b", 45);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_starting_server_contacts_its_predecessors_until_somebody_contacts_it() {
    let mut server = Server::new("a");
    server.core.members.put(entry("b", ONLINE, WALL, Some(1)), server.now);
    let contacts = |server: &mut Server| {
        let requests = gossip_requests(&server.run(20));
        for (id, to) in &requests {
            let answer = server.empty_answer_of(to);
            server.respond(*id, answer);
        }
        requests.len()
    };
    let alone = contacts(&mut server);
    assert!((6..=9).contains(&alone), "{alone}");
    server.receive_v2(&entry("b", ONLINE, server.now.wall, Some(1)), vec![]);
    let contacted = contacts(&mut server);
    assert!(contacted <= 3, "{contacted}");
}

#[test]
fn a_failed_probe_is_retried_at_once_and_three_helpers_are_asked() {
    let mut server = server_with_suspect(20, refused());
    let sent = server.take_actions();
    let is_on_new_connection = |action: &&Action| matches!(action, Action::Gossip { new_connection: true, .. });
    let retries: Vec<_> = sent.iter().filter(is_on_new_connection).collect();
    assert!(matches!(retries[..], [Action::Gossip { to, .. }] if *to == url("b")), "{retries:?}");
    let requests =
        sent.iter().filter(|it| matches!(it, Action::Gossip { message, .. } if requests_probe_of("b")(message)));
    assert_eq!(requests.count(), 3);
}

#[test]
fn a_server_that_refuses_connections_is_declared_failed_within_a_second_with_reason_and_author() {
    let mut server = server_with_suspect(20, refused());
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.run_with_refusals("b", 1);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    let v2 = server.entry_of(&url("b")).v2.expect("protocol 2");
    assert_eq!((v2.incarnation, v2.reason, v2.author), (1, Some(Reason::Failed), Some(url("a"))));
}

#[test]
fn a_server_that_times_out_has_more_than_ten_seconds_before_it_is_declared_failed() {
    let mut server = server_with_suspect(20, ExchangeError::TimedOut);
    // The probe itself took 5 s before this.
    server.run_with_failures(&["b"], 6, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.run_with_failures(&["b"], 4, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_suspect_that_a_helper_reaches_is_not_declared_failed() {
    let mut server = server_with_suspect(20, ExchangeError::TimedOut);
    let (_, helper, request) = server.next_message(requests_probe_of("b"));
    let helper = server.entry_of(&helper);
    let report =
        Envelope { probe_successes: request.envelope.expect("protocol 2").probe_requests, ..Envelope::default() };
    server.receive_v2_with(&helper, vec![], report);
    server.run_with_failures(&["b"], 12, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn a_report_of_an_earlier_suspicion_does_not_clear_a_later_one() {
    let mut server = server_with_suspect(20, ExchangeError::TimedOut);
    let (_, helper, request) = server.next_message(requests_probe_of("b"));
    let helper = server.entry_of(&helper);
    let report =
        Envelope { probe_successes: request.envelope.expect("protocol 2").probe_requests, ..Envelope::default() };
    server.receive_v2_with(&helper, vec![], report.clone());
    assert!(!server.core.is_suspect(&url("b")));
    // Somebody replays the report every second, while the server no longer answers.
    let probe = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    server.fail(probe, ExchangeError::TimedOut);
    for _ in 0..15 {
        server.run_with_failures(&["b"], 1, &ExchangeError::TimedOut);
        server.receive_v2_with(&helper, vec![], report.clone());
    }
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_failure_is_declared_even_if_there_are_no_helpers() {
    let mut server = server_with_suspect(0, refused());
    server.run_with_refusals("b", 3);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn no_server_is_declared_failed_for_two_rounds_while_all_exchanges_time_out() {
    let mut server = server_with_suspect(0, ExchangeError::TimedOut);
    server.run_with_failures(&["b"], 55, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.run_with_failures(&["b"], 45, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_helper_tries_the_suspect_twice_and_reports_that_it_answered() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.add_member("asker", Some(1));
    server.take_actions();
    let envelope = Envelope { probe_requests: vec![ticket("b", 7), ticket("unknown", 8)], ..Envelope::default() };
    server.receive_v2_with(&entry("asker", ONLINE, WALL, Some(1)), vec![], envelope);
    let sent = gossip_requests(&server.take_actions());
    assert_eq!(
        sent.iter().map(|(_, to)| to.clone()).collect::<Vec<_>>(),
        [url("b")],
        "an unknown server is not probed"
    );
    server.fail(sent[0].0, ExchangeError::TimedOut);
    let retry = gossip_requests(&server.take_actions());
    server.respond_v2(retry[0].0, &entry("b", ONLINE, WALL + 5, Some(1)), vec![]);
    let (_, to, message) =
        server.next_message(|it| it.envelope.as_ref().is_some_and(|envelope| !envelope.probe_successes.is_empty()));
    assert_eq!((to, message.entries[1].url.clone()), (url("asker"), url("b")));
    assert_eq!(message.envelope.expect("protocol 2").probe_successes, [ticket("b", 7)]);
}

#[test]
fn an_answer_of_another_server_at_the_base_url_does_not_clear_a_suspicion() {
    let mut server = server_with_suspect(0, refused());
    let retry = gossip_requests(&server.take_actions());
    server.respond_v2(retry[0].0, &entry("c", ONLINE, WALL, Some(1)), vec![]);
    server.run_with_refusals("b", 3);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn each_round_probes_the_two_successors_on_the_ring_and_a_random_server() {
    let mut server = Server::new("a");
    for i in 0..30 {
        server.add_member(&format!("other{i}"), Some(1));
    }
    server.finish_broadcasts();
    let successors: Vec<_> = server.core.members.successors().take(2).cloned().collect();
    let mut random = BTreeSet::new();
    let mut probes = [0, 0];
    for _ in 0..20 {
        let sent = gossip_requests(&server.run(30));
        for (id, to) in &sent {
            server.respond(*id, server.empty_answer_of(to));
        }
        for (probes, successor) in probes.iter_mut().zip(&successors) {
            *probes += sent.iter().filter(|(_, to)| to == successor).count();
        }
        random.extend(sent.into_iter().map(|(_, to)| to).filter(|to| !successors.contains(to)));
    }
    assert!(probes.iter().all(|probes| (18..=23).contains(probes)) && random.len() > 8, "{probes:?} {random:?}");
}

#[test]
fn a_predecessor_that_falls_silent_is_probed() {
    let mut server = Server::new("a");
    for i in 0..30 {
        server.add_member(&format!("other{i}"), Some(1));
    }
    server.finish_broadcasts();
    let predecessor = server.core.members.predecessors().next().cloned().expect("there are others");
    let own_entry = server.entry_of(&predecessor);
    let (mut while_it_speaks, mut while_silent) = (0, 0);
    for second in 0..600 {
        // It contacts us every 30 s for five minutes, then stops.
        if second % 30 == 0 && second < 300 {
            server.receive_v2(&own_entry, vec![]);
        }
        for (id, to) in gossip_requests(&server.run(1)) {
            *(if second < 330 { &mut while_it_speaks } else { &mut while_silent }) += usize::from(to == predecessor);
            server.respond(id, server.empty_answer_of(&to));
        }
    }
    assert!(while_it_speaks <= 3 && while_silent >= 6, "{while_it_speaks} {while_silent}");
}

#[test]
fn eight_more_helpers_are_asked_if_the_first_three_report_nothing() {
    let mut server = server_with_suspect(30, ExchangeError::TimedOut);
    let mut requests = 0;
    for action in server.run(5) {
        requests += usize::from(matches!(action, Action::Gossip { message, .. } if requests_probe_of("b")(&message)));
    }
    assert_eq!(requests, 3 + 8);
}

#[test]
fn a_suspect_is_notified_and_contacts_the_server_that_suspects_it() {
    let mut server = server_with_suspect(3, ExchangeError::TimedOut);
    let (_, to, _) =
        server.next_message(|message| message.envelope.as_ref().is_some_and(|envelope| envelope.suspects_receiver));
    assert_eq!(to, url("b"));
    let mut suspect = Server::new("b");
    suspect.add_member("a", Some(1));
    suspect.finish_broadcasts();
    let envelope = Envelope { suspects_receiver: true, ..Envelope::default() };
    suspect.receive_v2_with(&entry("a", ONLINE, WALL, Some(1)), vec![], envelope);
    assert_eq!(gossip_requests(&suspect.take_actions()).first().map(|(_, to)| to.clone()), Some(url("a")));
}

#[test]
fn a_flood_of_probe_requests_causes_a_bounded_number_of_probes() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.add_member("asker", Some(1));
    server.finish_broadcasts();
    for _ in 0..500 {
        let envelope = Envelope { probe_requests: vec![ticket("b", 7); 4], ..Envelope::default() };
        server.receive_v2_with(&entry("asker", ONLINE, WALL, Some(1)), vec![], envelope);
    }
    assert!(gossip_requests(&server.take_actions()).len() <= 12);
}

#[test]
fn an_exchange_that_fails_for_lack_of_a_descriptor_causes_no_suspicion() {
    let lacking = ExchangeError::Local("Too many open files".into());
    let mut server = Server::new("a");
    server.receive_v1(vec![entry("b", ONLINE, WALL, Some(1))]);
    assert!(server.run_with_failures(&["b"], 300, &lacking) >= 5, "it is tried again in each round");
    assert_eq!(server.state_of("b"), Some(ONLINE));
    assert!(!server.core.detector.is_suspect(&url("b")));
    assert_eq!(server.core.members.get(&url("b")).expect("known").failures(), 0);
}

#[test]
fn a_suspicion_ends_when_we_lack_a_descriptor_to_ask_a_helper() {
    let mut server = server_with_suspect(1, ExchangeError::TimedOut);
    let (id, _, _) = server.next_message(requests_probe_of("b"));
    assert!(server.core.detector.is_suspect(&url("b")));
    server.fail(id, ExchangeError::Local("Too many open files".into()));
    assert!(!server.core.detector.is_suspect(&url("b")));
}

#[test]
fn a_suspicion_ends_when_we_lack_a_descriptor_for_another_try() {
    let mut server = server_with_suspect(1, refused());
    server.run_with_failures(&["b"], 20, &ExchangeError::Local("Too many open files".into()));
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.run_with_refusals("b", 60);
    assert_eq!(server.state_of("b"), Some(OFFLINE), "the next probes decide");
}
