//! Nothing that comes in makes us grow.

use super::*;

#[test]
fn a_flood_of_messages_is_refused_and_passes() {
    let mut server = Server::new("a");
    let refused = |server: &mut Server| {
        let results = (0..1_500).map(|_| server.core.admit(server.now));
        results.filter(|result| *result == Err(Error::Limit(1_000))).count()
    };
    assert_eq!(refused(&mut server), 500);
    server.pass(1);
    assert_eq!(refused(&mut server), 500);
}

#[test]
fn one_server_that_floods_us_does_not_silence_the_others() {
    let mut server = Server::new("a");
    let message = |name| Message::new_v2(entry(name, ONLINE, WALL, Some(1)), None, Envelope::default());
    let admitted = |server: &mut Server, name| {
        (0..300)
            .filter(|_| {
                server.core.admit(server.now).is_ok() && server.core.admit_from(&message(name), server.now).is_ok()
            })
            .count()
    };
    assert_eq!((0..9).map(|_| admitted(&mut server, "b")).sum::<usize>(), 100);
    assert_eq!(admitted(&mut server, "c"), 100);
    server.pass(1);
    assert_eq!(admitted(&mut server, "b"), 100);
}

/// A server that `b` tells of many others, 500 at a time.
fn told_of(name: &str, state: State, count: usize) -> Server {
    let mut server = Server::new("a");
    server.meet("b", Some(1));
    let speaker = entry("b", ONLINE, WALL, Some(1));
    for part in 0..count / 500 {
        let others = (0..500).map(|i| entry(&format!("{name}{}", part * 500 + i), state, WALL, Some(1))).collect();
        server.hear_ours(&speaker, others, Envelope::default());
    }
    server
}

#[test]
fn a_flood_of_invented_servers_leaves_room_for_those_that_answer() {
    let mut server = told_of("x", ONLINE, 30_000);
    let known = server.core.members().entries().count();
    assert!(known <= crate::membership::MAX_UNREACHED + 2, "{known}");
    let full = server.notices().into_iter().filter(|notice| *notice == Event::Full).count();
    assert_eq!(full, 11, "once for each message that names too many");
    // One that is there is called back, and listed when it answers.
    server.pass(60);
    server.actions();
    let new = entry("new", ONLINE, server.now.wall, Some(1));
    server.hear_ours(&new, vec![], Envelope::default());
    assert_eq!(server.state_of("new"), None);
    let call = gossips(&server.actions()).into_iter().find(|(_, to)| *to == url("new")).expect("it is called back");
    server.answered(call.0, &new, vec![], Envelope::default());
    assert_eq!(server.state_of("new"), Some(ONLINE));
}

#[test]
fn a_thousand_invented_servers_in_every_answer_for_an_hour_harm_nobody() {
    const LIVE: [&str; 3] = ["b", "c", "d"];
    let mut server = Server::new("a");
    LIVE.iter().chain(&["liar"]).for_each(|name| server.meet(name, Some(1)));
    let (mut invented, mut answers, mut busiest, mut sent) = (0, 0, 0, 0);
    for _ in 0..3_600 {
        let mut in_second = 0;
        for _ in 0..10 {
            for (id, to) in gossips(&server.pass_tenth()) {
                in_second += 1;
                let answer = if to == url("liar") {
                    answers += 1;
                    let lie = |n| entry(&format!("x{n}"), ONLINE, server.now.wall, (answers % 2 == 0).then_some(1));
                    let lies = (invented..invented + 1_000).map(lie);
                    invented += 1_000;
                    let liar = entry("liar", ONLINE, server.now.wall, Some(1));
                    Ok(if answers % 2 == 0 {
                        Message::new_v2(liar, lies, Envelope::default())
                    } else {
                        Message::new(std::iter::once(liar).chain(lies).collect())
                    })
                } else if LIVE.iter().any(|name| url(name) == to) {
                    Ok(server.nod(&to))
                } else {
                    Err(ExchangeError::Refused("refused".into()))
                };
                server.core.handle_response(server.now, id, answer);
            }
        }
        busiest = busiest.max(in_second);
        sent += in_second;
        for name in LIVE {
            assert_eq!(server.state_of(name), Some(ONLINE), "{name}");
        }
    }
    let known = server.core.members().entries().count();
    assert!(answers >= 100, "{answers}");
    assert!(known <= crate::membership::MAX_UNREACHED + 10, "{known}");
    // Whoever refuses a rumour is probed, and all that are invented refuse at once.
    assert!(busiest <= 200, "{busiest}");
    assert!(sent <= 20 * 3_600, "{sent}");
}

#[test]
fn servers_that_are_online_displace_the_dead_of_yesterday() {
    // A day of deployments, each with names of its own.
    let mut server = told_of("old", OFFLINE, 25_000);
    let live = (0..500).map(|i| entry(&format!("new{i}"), ONLINE, WALL, Some(1))).collect();
    server.hear_ours(&entry("b", ONLINE, WALL, Some(1)), live, Envelope::default());
    assert!((0..500).all(|i| server.state_of(&format!("new{i}")) == Some(ONLINE)));
    assert!(server.core.members().entries().count() <= crate::membership::MAX_UNREACHED + 2);
}

#[test]
fn a_drained_server_does_not_give_its_own_place_away() {
    let mut server = told_of("x", ONLINE, 25_000);
    server.core.handle_control(server.now, false);
    // It is the only one offline.
    server.hear_ours(
        &entry("b", ONLINE, WALL, Some(1)),
        vec![entry("new", ONLINE, WALL, Some(1))],
        Envelope::default(),
    );
    assert_eq!((server.state_of("a"), server.state_of("new")), (Some(OFFLINE), None));
}
