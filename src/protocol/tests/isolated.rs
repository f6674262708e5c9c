//! A server that nobody answers any more: it says so, and lists the others offline only after a while.

use super::*;

const TIMED_OUT: ExchangeError = ExchangeError::TimedOut;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("s{i}")).collect()
}

/// A server with others that have all answered it.
fn server_with(count: usize) -> Server {
    let mut server = Server::new("a");
    for name in names(count) {
        server.add_member(&name, Some(1));
    }
    server.finish_broadcasts();
    server.take_events();
    server
}

/// Runs while nobody answers. Returns after how many seconds the server said that it is isolated, and when it listed
/// everybody offline.
fn seconds_until_known(server: &mut Server, count: usize) -> (Option<u64>, Option<u64>) {
    let names = names(count);
    let all: Vec<_> = names.iter().map(String::as_str).collect();
    let mut isolated = None;
    for second in 1..=600 {
        server.run_with_failures(&all, 1, &TIMED_OUT);
        if server.take_events().contains(&Event::Isolated) {
            isolated.get_or_insert(second);
        }
        if server.core.members.is_alone() {
            return (isolated, Some(second));
        }
    }
    (isolated, None)
}

#[test]
fn a_server_that_nobody_answers_says_so_long_before_it_lists_the_others_offline() {
    let mut server = server_with(4);
    let (isolated, offline) = seconds_until_known(&mut server, 4);
    // The first probe is in the next round; every exchange fails at once here.
    assert!(isolated.is_some_and(|seconds| seconds <= 45), "{isolated:?}");
    assert!(offline.is_some_and(|seconds| (75..=110).contains(&seconds)), "{offline:?}");
}

#[test]
fn a_server_that_is_cut_off_from_forty_others_lists_them_offline_within_six_intervals() {
    let mut server = server_with(40);
    let (_, offline) = seconds_until_known(&mut server, 40);
    assert!(offline.is_some_and(|seconds| seconds <= 180), "{offline:?}");
}

#[test]
fn a_server_is_not_isolated_any_more_once_another_answers() {
    let mut server = server_with(4);
    let names = names(4);
    let all: Vec<_> = names.iter().map(String::as_str).collect();
    server.run_with_failures(&all, 60, &TIMED_OUT);
    assert!(server.take_events().contains(&Event::Isolated));
    server.run_with_failures(&all[1..], 30, &TIMED_OUT);
    assert!(server.take_events().contains(&Event::Resolved(Resolved::Isolated)));
}

#[test]
fn a_server_that_stays_without_others_is_alone_and_no_longer_isolated() {
    let mut server = server_with(4);
    seconds_until_known(&mut server, 4);
    let names = names(4);
    let all: Vec<_> = names.iter().map(String::as_str).collect();
    server.run_with_failures(&all, 400, &TIMED_OUT);
    let events = server.take_events();
    let at = |is: fn(&Event) -> bool| events.iter().position(is).expect("an event");
    let alone = at(|event| matches!(event, Event::Alone(_)));
    assert!(at(|event| *event == Event::Resolved(Resolved::Isolated)) > alone);
}

#[test]
fn one_of_two_servers_does_not_say_that_it_is_isolated() {
    let mut server = server_with(1);
    assert_eq!(seconds_until_known(&mut server, 1).0, None);
}
