//! Changes are told on at once.

use super::*;

fn with_others(count: usize) -> Server {
    let mut server = Server::new("a");
    for i in 0..count {
        server.meet(&format!("s{i}"), Some(1));
    }
    // Those were rumours too.
    server.settle();
    server
}

fn tell(server: &mut Server, name: &str) {
    let from = entry("s1", ONLINE, WALL, Some(1));
    server.hear_ours(&from, vec![entry(name, ONLINE, WALL, Some(1))], Envelope::default());
}

#[test]
fn news_goes_to_the_next_on_the_ring_and_to_two_others_in_one_message_and_once() {
    let mut server = with_others(20);
    tell(&mut server, "new1");
    tell(&mut server, "new2");
    let sent = server.pass_tenth().into_iter().chain(server.pass_tenth());
    let sent: Vec<_> = sent
        .filter_map(|action| match action {
            Action::Gossip { to, message, .. } => Some((to, message)),
            Action::SyncList { .. } | Action::SaveState(_) => None,
        })
        .collect();
    assert_eq!(sent.len(), 3);
    let next = server.core.members.successors().next().cloned();
    assert_eq!(Some(&sent[0].0), next.as_ref());
    let told: Vec<_> = sent[1].1.entries.iter().map(|entry| entry.url.clone()).collect();
    assert_eq!(told, [url("a"), url("new1"), url("new2")]);
    // The same news again is none.
    tell(&mut server, "new1");
    assert!(server.core.broadcasts.is_empty());
}

#[test]
fn heartbeats_are_no_rumours() {
    let mut server = with_others(20);
    let from = entry("s1", ONLINE, WALL + 1, Some(1));
    server.hear_ours(&from, vec![entry("s2", ONLINE, WALL + 9, Some(1))], Envelope::default());
    assert!(server.core.broadcasts.is_empty());
}

#[test]
fn where_the_next_on_the_ring_fails_the_one_after_is_told() {
    let mut server = with_others(20);
    tell(&mut server, "new");
    let ring: Vec<_> = server.core.members.successors().take(4).cloned().collect();
    let mut sent: VecDeque<_> = gossips(&server.pass(1)).into();
    for to in &ring[..3] {
        let (id, told) = sent.pop_front().expect("one more is told");
        assert_eq!(told, *to);
        // The random ones take it.
        sent.drain(..).for_each(|(id, _)| server.core.handle_response(server.now, id, Ok(Message::default())));
        server.core.handle_response(server.now, id, Err(ExchangeError::TimedOut));
        sent.extend(gossips(&server.actions()));
    }
    assert!(sent.is_empty(), "then it is left to the digests");
}

#[test]
fn a_storm_of_news_makes_a_bounded_number_of_messages() {
    let mut server = with_others(50);
    let mut sent = 0;
    for i in 0..600 {
        tell(&mut server, &format!("new{i}"));
        sent += gossips(&server.pass_tenth()).len();
    }
    // A minute of 2 a second, what is left of 8 at once, and two rounds.
    assert!((110..150).contains(&sent), "{sent}");
    assert!(server.core.broadcasts.len() < 30);
}

#[test]
fn a_refutation_waits_for_nobody() {
    let mut server = with_others(20);
    let accuser = entry("s1", ONLINE, WALL + 1, Some(1));
    let mut death = entry("a", OFFLINE, server.now.wall, Some(WALL));
    death.v2 = death.v2.map(|v2| EntryV2 { reason: Some(Reason::Failed), author: Some(url("s1")), ..v2 });
    server.hear_ours(&accuser, vec![death], Envelope::default());
    server.core.handle_timeout(server.now);
    assert_eq!(gossips(&server.actions()).len(), 3);
}

#[test]
fn what_an_invented_server_does_not_take_goes_to_one_that_has_answered() {
    let mut server = with_others(3);
    for i in 0..3 {
        server.core.members.on_response(&url(&format!("s{i}")), server.now);
    }
    for i in 0..200 {
        tell(&mut server, &format!("invented{i}"));
    }
    let is_invented = |to: &ServerUrl| to.as_str().contains("invented");
    let refused: Vec<_> = gossips(&server.pass_tenth()).into_iter().filter(|(_, to)| is_invented(to)).collect();
    assert!(!refused.is_empty(), "nearly all are");
    for (id, _) in refused {
        server.core.handle_response(server.now, id, Err(ExchangeError::Refused("refused".into())));
        let instead = gossips(&server.actions());
        assert!(instead.len() == 1 && !is_invented(&instead[0].1), "{instead:?}");
    }
}
