//! Helpers: whose word ends a suspicion, and what a lying one can do.

use super::detector::{requests_probe_of, server_with_suspect, ticket};
use super::*;
use crate::message::ProbeTicket;

fn report(successes: Vec<ProbeTicket>, failures: Vec<ProbeTicket>) -> Envelope {
    Envelope { probe_successes: successes, probe_failures: failures, ..Envelope::default() }
}

fn requests_of(message: &Message) -> Vec<ProbeTicket> {
    message.envelope.as_ref().map(|envelope| envelope.probe_requests.clone()).unwrap_or_default()
}

/// Runs while `b` refuses connections and helpers that are asked report. Returns whether it stays online.
fn run_with_reports(server: &mut Server, seconds: u64, reaches: impl Fn(&ServerUrl) -> bool) -> bool {
    for _ in 0..seconds * 10 {
        for action in server.tick() {
            let Action::Gossip { id, to, message, .. } = action else { continue };
            if to == url("b") {
                server.fail(id, refused());
                continue;
            }
            let answer = server.empty_answer_of(&to);
            server.respond(id, answer);
            let (helper, asked) = (server.entry_of(&to), requests_of(&message));
            if !asked.is_empty() {
                let report = if reaches(&to) { report(asked, vec![]) } else { report(vec![], asked) };
                // It seems to have stamped itself just now.
                let stamped = Entry { stamp: server.now.wall, ..server.entry_of(&url("b")) };
                server.receive_v2_with(&helper, vec![stamped], report);
            }
        }
        if server.state_of("b") != Some(ONLINE) {
            return false;
        }
    }
    true
}

#[test]
fn one_helper_that_lies_cannot_hide_a_failure_for_more_than_ten_intervals() {
    let mut server = server_with_suspect(2, refused());
    assert!(!run_with_reports(&mut server, 300, |helper| *helper == url("other0")));
}

#[test]
fn a_suspect_that_only_helpers_reach_stays_online() {
    for others in [1, 2, 3, 20] {
        let mut server = server_with_suspect(others, refused());
        assert!(run_with_reports(&mut server, 3_600, |_| true), "{others}");
    }
}

#[test]
fn a_report_counts_only_if_it_has_the_token_of_the_request_to_its_sender() {
    let mut server = server_with_suspect(3, ExchangeError::TimedOut);
    let (_, asked, request) = server.next_message(requests_probe_of("b"));
    for other in ["other0", "other1", "other2"].map(url).iter().filter(|other| **other != asked) {
        let other = server.entry_of(other);
        server.receive_v2_with(&other, vec![], report(requests_of(&request), vec![]));
        assert!(server.core.is_suspect(&url("b")));
    }
    let asked = server.entry_of(&asked);
    server.receive_v2_with(&asked, vec![], report(requests_of(&request), vec![]));
    assert!(!server.core.is_suspect(&url("b")));
}

#[test]
fn a_helper_reports_that_it_reaches_a_suspect_that_is_busy() {
    let mut server = Server::new("a");
    server.add_member("b", Some(1));
    server.add_member("asker", Some(1));
    server.take_actions();
    let envelope = Envelope { probe_requests: vec![ticket("b", 7)], ..Envelope::default() };
    server.receive_v2_with(&entry("asker", ONLINE, WALL, Some(1)), vec![], envelope);
    let probe = gossip_requests(&server.take_actions())[0].0;
    server.fail(probe, ExchangeError::Busy);
    let reports = server.take_actions().into_iter().filter_map(|action| match action {
        Action::Gossip { to, message, .. } => Some((to, message.envelope.clone()?.probe_successes)),
        _ => None,
    });
    assert_eq!(reports.collect::<Vec<_>>(), [(url("asker"), vec![ticket("b", 7)])]);
}
