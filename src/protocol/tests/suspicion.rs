//! From a failed probe to a verdict.

use super::*;

const REFUSED: fn() -> ExchangeError = || ExchangeError::Refused("refused".into());

fn asks(name: &'static str) -> impl Fn(&Message) -> bool {
    move |message| message.envelope.as_ref().is_some_and(|envelope| envelope.probe_requests.contains(&url(name)))
}

/// A server that knows `b` and some others, and whose probe of `b` has failed.
fn suspicious(others: usize, error: ExchangeError) -> Server {
    let mut server = Server::new("a");
    for i in 0..others {
        server.meet(&format!("other{i}"), Some(1));
    }
    server.meet("b", Some(1));
    server.settle();
    let probe = server.core.send(Request::new(url("b"), Purpose::Probe), server.now);
    server.core.handle_response(server.now, probe, Err(error));
    server
}

#[test]
fn a_server_that_does_not_answer_is_tried_anew_at_once_and_three_others_are_asked_to() {
    let mut server = suspicious(20, REFUSED());
    let sent = server.actions();
    let fresh: Vec<_> =
        sent.iter().filter(|action| matches!(action, Action::Gossip { new_connection: true, .. })).collect();
    assert!(matches!(fresh[..], [Action::Gossip { to, .. }] if *to == url("b")), "{fresh:?}");
    let asked = sent.iter().filter(|it| matches!(it, Action::Gossip { message, .. } if asks("b")(message)));
    assert_eq!(asked.count(), 3);
}

#[test]
fn a_server_that_everybody_is_refused_by_is_offline_within_seconds_and_the_entry_says_why() {
    let mut server = suspicious(20, REFUSED());
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.fail_probes_of("b", 1);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
    let v2 = server.core.members().get(&url("b")).and_then(|b| b.entry.v2.clone()).expect("one of ours");
    assert_eq!((v2.incarnation, v2.reason, v2.author), (1, Some(Reason::Failed), Some(url("a"))));
}

#[test]
fn a_server_that_does_not_answer_in_time_has_more_time_than_a_stall_of_ten_seconds_takes() {
    let mut server = suspicious(20, ExchangeError::TimedOut);
    // The probe itself has taken 5 s.
    server.fail_probes(&["b"], 6, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.fail_probes(&["b"], 4, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_server_that_another_reaches_is_not_called_dead() {
    let mut server = suspicious(20, ExchangeError::TimedOut);
    let (_, helper, _) = server.sent_until(asks("b"));
    let helper = server.core.members().get(&helper).expect("known").entry.clone();
    let envelope = Envelope { probe_successes: vec![url("b")], ..Envelope::default() };
    server.hear_ours(&helper, vec![], envelope);
    server.fail_probes(&["b"], 12, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
}

#[test]
fn two_servers_alone_find_each_other_dead_with_nobody_to_ask() {
    let mut server = suspicious(0, REFUSED());
    server.fail_probes_of("b", 3);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn nobody_is_accused_for_two_rounds_while_all_our_exchanges_time_out() {
    let mut server = suspicious(0, ExchangeError::TimedOut);
    server.fail_probes(&["b"], 55, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(ONLINE));
    server.fail_probes(&["b"], 45, &ExchangeError::TimedOut);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_clock_that_jumps_is_reason_to_begin_anew() {
    let mut server = suspicious(20, REFUSED());
    server.now.wall += HOUR;
    server.core.handle_timeout(server.now);
    assert!(!server.core.is_suspect(&url("b")));
}

#[test]
fn who_is_asked_tries_the_server_twice_and_says_that_it_is_reached() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.meet("asker", Some(1));
    server.actions();
    let envelope = Envelope { probe_requests: vec![url("b"), url("stranger")], ..Envelope::default() };
    server.hear_ours(&entry("asker", ONLINE, WALL, Some(1)), vec![], envelope);
    let sent = gossips(&server.actions());
    assert_eq!(sent.iter().map(|(_, to)| to.clone()).collect::<Vec<_>>(), [url("b")], "nobody is sent to a stranger");
    server.core.handle_response(server.now, sent[0].0, Err(ExchangeError::TimedOut));
    let again = gossips(&server.actions());
    server.answered(again[0].0, &entry("b", ONLINE, WALL + 5, Some(1)), vec![], Envelope::default());
    let (_, to, message) =
        server.sent_until(|it| it.envelope.as_ref().is_some_and(|envelope| !envelope.probe_successes.is_empty()));
    assert_eq!((to, message.entries[1].url.clone()), (url("asker"), url("b")));
}

#[test]
fn another_server_that_answers_at_the_address_is_no_sign_of_life() {
    let mut server = suspicious(0, REFUSED());
    let again = gossips(&server.actions());
    server.answered(again[0].0, &entry("c", ONLINE, WALL, Some(1)), vec![], Envelope::default());
    server.fail_probes_of("b", 3);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn each_round_probes_the_two_that_follow_on_the_ring_and_one_at_random() {
    let mut server = Server::new("a");
    for i in 0..30 {
        server.meet(&format!("other{i}"), Some(1));
    }
    server.settle();
    let ring: Vec<_> = server.core.members.successors().take(2).cloned().collect();
    let mut random = BTreeSet::new();
    let mut rounds = [0, 0];
    for _ in 0..20 {
        let sent = gossips(&server.pass(30));
        for (id, to) in &sent {
            let answer = server.nod(to);
            server.core.handle_response(server.now, *id, Ok(answer));
        }
        for (rounds, successor) in rounds.iter_mut().zip(&ring) {
            *rounds += sent.iter().filter(|(_, to)| to == successor).count();
        }
        random.extend(sent.into_iter().map(|(_, to)| to).filter(|to| !ring.contains(to)));
    }
    assert!(rounds.iter().all(|rounds| (18..=23).contains(rounds)) && random.len() > 8, "{rounds:?} {random:?}");
}

#[test]
fn a_server_that_should_have_probed_us_and_has_not_is_probed() {
    let mut server = Server::new("a");
    for i in 0..30 {
        server.meet(&format!("other{i}"), Some(1));
    }
    server.settle();
    let before = server.core.members.predecessors().next().cloned().expect("somebody");
    let speaker = server.core.members.get(&before).expect("known").entry.clone();
    let (mut probes, mut others) = (0, 0);
    for second in 0..600 {
        // For five minutes it speaks to us each half minute, and then no more.
        if second % 30 == 0 && second < 300 {
            server.hear_ours(&speaker, vec![], Envelope::default());
        }
        for (id, to) in gossips(&server.pass(1)) {
            *(if second < 330 { &mut others } else { &mut probes }) += usize::from(to == before);
            let answer = server.nod(&to);
            server.core.handle_response(server.now, id, Ok(answer));
        }
    }
    assert!(others <= 3 && probes >= 6, "{others} {probes}");
}

#[test]
fn a_version_1_server_is_probed_in_its_turn() {
    let mut server = Server::new("a");
    for i in 0..10 {
        server.meet(&format!("v{i}"), None);
    }
    let mut probed = BTreeSet::new();
    for _ in 0..11 {
        for (id, to) in gossips(&server.pass(30)) {
            probed.insert(to);
            server.core.handle_response(server.now, id, Ok(Message::default()));
        }
    }
    probed.remove(&url("a"));
    assert_eq!(probed.len(), 10);
}

#[test]
fn what_began_before_a_stall_of_our_own_accuses_nobody() {
    let mut server = suspicious(20, ExchangeError::TimedOut);
    let probe = server.core.send(Request::new(url("other1"), Purpose::Probe), server.now);
    server.now.mono += Duration::from_secs(60);
    server.now.wall += 60_000;
    server.core.handle_heartbeat(server.now);
    server.core.handle_response(server.now, probe, Err(ExchangeError::TimedOut));
    assert!(!server.core.is_suspect(&url("b")));
}

#[test]
fn eight_more_are_asked_where_the_first_three_were_no_help() {
    let mut server = suspicious(30, ExchangeError::TimedOut);
    let mut asked = 0;
    for action in server.pass(5) {
        asked += usize::from(matches!(action, Action::Gossip { message, .. } if asks("b")(&message)));
    }
    assert_eq!(asked, 3 + 8);
}

#[test]
fn a_suspect_is_told_and_speaks_up() {
    let mut server = suspicious(3, ExchangeError::TimedOut);
    let (_, to, _) =
        server.sent_until(|message| message.envelope.as_ref().is_some_and(|envelope| envelope.suspects_receiver));
    assert_eq!(to, url("b"));
    let mut suspect = Server::new("b");
    suspect.meet("a", Some(1));
    suspect.settle();
    let envelope = Envelope { suspects_receiver: true, ..Envelope::default() };
    suspect.hear_ours(&entry("a", ONLINE, WALL, Some(1)), vec![], envelope);
    assert_eq!(gossips(&suspect.actions()).first().map(|(_, to)| to.clone()), Some(url("a")));
}

#[test]
fn a_flood_of_questions_makes_a_bounded_number_of_tries() {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    server.meet("asker", Some(1));
    server.settle();
    for _ in 0..500 {
        let envelope = Envelope { probe_requests: vec![url("b"); 4], ..Envelope::default() };
        server.hear_ours(&entry("asker", ONLINE, WALL, Some(1)), vec![], envelope);
    }
    assert!(gossips(&server.actions()).len() <= 12);
}
