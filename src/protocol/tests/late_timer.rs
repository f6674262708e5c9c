//! Late timers: the thread that reads answers was stopped, so a verdict must wait until it has read them.

use super::detector::server_with_suspect;
use super::*;

/// A server whose suspect refused connections until the second step, whose retry is under way.
fn server_in_second_step() -> (Server, RequestId) {
    let mut server = server_with_suspect(2, refused());
    let retry = retry_of_b(&mut server);
    server.fail(retry, refused());
    server.now.mono = server.core.poll_timeout().expect("the end of the first step");
    server.core.handle_timeout(server.now);
    let retry = retry_of_b(&mut server);
    (server, retry)
}

fn retry_of_b(server: &mut Server) -> RequestId {
    let sent = gossip_requests(&server.take_actions());
    sent.into_iter().find(|(_, to)| *to == url("b")).expect("a retry").0
}

fn run_late(server: &mut Server, millis: u64) {
    let due = server.core.poll_timeout().expect("a timer");
    server.now.wall += (due.saturating_sub(server.now.mono)).as_millis() as u64 + millis;
    server.now.mono = due + Duration::from_millis(millis);
    server.core.handle_heartbeat(server.now);
    server.core.handle_timeout(server.now);
}

#[test]
fn a_suspect_whose_answer_waits_behind_a_late_timer_is_not_declared_failed() {
    for millis in [50, 300, 700, 999, 1_500, 4_000] {
        let (mut server, retry) = server_in_second_step();
        run_late(&mut server, millis);
        assert_eq!(server.state_of("b"), Some(ONLINE), "{millis}");
        server.advance(1);
        server.respond(retry, server.empty_answer_of(&url("b")));
        server.run_with_failures(&[], 5, &refused());
        assert_eq!(server.state_of("b"), Some(ONLINE), "{millis}");
    }
}

#[test]
fn a_suspect_that_does_not_answer_after_a_late_timer_is_declared_failed() {
    let (mut server, retry) = server_in_second_step();
    run_late(&mut server, 700);
    server.fail(retry, refused());
    server.run_with_refusals("b", 1);
    assert_eq!(server.state_of("b"), Some(OFFLINE));
}

#[test]
fn a_suspect_is_declared_failed_although_every_timer_is_late() {
    let (mut server, retry) = server_in_second_step();
    let began = server.now.mono;
    server.fail(retry, refused());
    while server.state_of("b") == Some(ONLINE) {
        run_late(&mut server, 100);
        server.take_actions();
        assert!(server.now.mono < began + Duration::from_secs(4), "its helpers never report");
    }
}

#[test]
fn a_probe_that_began_before_a_timer_was_a_second_late_does_not_count() {
    for (millis, is_suspect) in [(900, true), (1_000, false)] {
        let (mut server, _) = server_in_second_step();
        let probe = server.core.send(Request::new(url("other0"), Purpose::Probe), server.now);
        run_late(&mut server, millis);
        server.fail(probe, ExchangeError::TimedOut);
        assert_eq!(server.core.is_suspect(&url("other0")), is_suspect);
    }
}
