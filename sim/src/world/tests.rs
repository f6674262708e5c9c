//! Tests of the world, mostly on version 1 servers, whose policy does not change: an exchange fails after 5 s, and is
//! retried once, 3 s later.

use clustershazbot::message::{Entry, EntryV2, Extensions, Message};

use super::invariants::{MAX_BODY, MAX_WAKES};
use super::network::Direction;
use super::store::Availability;
use super::*;

const INTERVAL: Duration = Duration::from_secs(2);

fn cluster(version: Version, servers: usize) -> World {
    let mut world = World::new(1);
    for server in 0..servers {
        world.add(settings(server, INTERVAL).expect("valid"), version, 0);
    }
    let all: Vec<_> = (0..servers).collect();
    world.fill_master_list(&all);
    world.start_within(&all, INTERVAL);
    world.run_for(INTERVAL * 10);
    world.record_list_changes();
    world
}

/// The time until server 0 lists server 1 offline.
fn time_until_offline(world: &mut World) -> Option<Duration> {
    let began = world.now();
    world.expect_states(&[(1, State::Offline)], |server| server == 0);
    world.run_until_converged(began + Duration::from_secs(60)).then(|| world.now().saturating_sub(began))
}

#[test]
fn a_suspended_server_answers_its_backlog_when_it_continues() {
    for health in [Health::Blocked, Health::Hung] {
        let mut world = cluster(Version::V1, 2);
        world.set_health(1, health);
        world.run_for(Duration::from_secs(4));
        world.set_health(1, Health::Up);
        world.run_for(Duration::from_secs(20));
        assert!(world.list_changes().is_empty(), "{:?}", world.list_changes());
        world.set_health(1, health);
        let seconds = time_until_offline(&mut world).expect("it is listed offline").as_secs_f64();
        assert!((13.0..16.0).contains(&seconds), "{seconds}");
    }
}

#[test]
fn a_stopped_process_refuses_connections_and_a_vanished_host_does_not_answer() {
    for (health, expected) in [(Health::Down, 3.0..6.0), (Health::Gone, 13.0..16.0)] {
        let mut world = cluster(Version::V1, 2);
        world.set_health(1, health);
        let seconds = time_until_offline(&mut world).expect("it is listed offline").as_secs_f64();
        assert!(expected.contains(&seconds), "{health:?}: {seconds}");
    }
}

#[test]
fn a_server_with_a_wrong_base_url_can_send_but_refuses_connections() {
    let mut world = cluster(Version::V1, 2);
    world.set_listens(1, false);
    assert!(time_until_offline(&mut world).is_some());
    world.expect_states(&[(1, State::Online)], |server| server == 0);
    assert!(world.run_until_converged(world.now() + INTERVAL * 2), "its messages arrive");
}

#[test]
fn an_engine_continues_while_its_event_loop_is_blocked() {
    let mut world = cluster(Version::V2, 2);
    for (health, continues) in [(Health::Blocked, true), (Health::Hung, false)] {
        world.set_health(0, health);
        world.traffic.reset(world.now());
        world.run_for(INTERVAL * 2);
        assert_eq!(world.traffic.messages_by_server[0].peak > 0, continues, "{health:?}");
        world.set_health(0, Health::Up);
        world.run_for(INTERVAL * 10);
    }
}

#[test]
fn setting_a_clock_shifts_wall_time_and_not_monotonic_time() {
    let mut world = cluster(Version::V2, 2);
    world.set_clock(0, -3_600_000);
    let (shifted, other) = (world.clock_of(0), world.clock_of(1));
    assert_eq!((shifted.mono, shifted.wall + 3_600_000), (other.mono, other.wall));
}

#[test]
fn a_write_to_a_slow_store_takes_effect_after_its_client_has_given_up() {
    let mut world = World::new(1);
    let mut access = |availability| {
        world.store.availability = availability;
        world.store.access(0, world.now, Duration::from_secs(10), &mut world.rng)
    };
    assert!(access(Availability::Up).succeeds);
    assert_eq!(access(Availability::Failing).applied_at, None);
    let slow = access(Availability::Slow);
    assert!(!slow.succeeds && slow.applied_at.is_some_and(|at| at > slow.answered_at), "{slow:?}");
}

#[test]
fn violations_of_invariants_are_reported() {
    let mut world = World::new(1);
    for server in 0..2 {
        world.add(settings(server, INTERVAL).expect("valid"), Version::V2, 0);
    }
    world.check_invariants();
    world.start(0);
    world.start(1);
    let wall = world.clock_of(1).wall;
    let v2 =
        EntryV2 { incarnation: wall + 7, instance: 1, reason: None, author: None, extensions: Extensions::default() };
    let url = world.url(1).clone();
    let invented = Entry { url, monitor: false, state: State::Online, stamp: wall, v2: Some(v2) };
    world.call(0, |process, now| process.handle_gossip(now, &Message::new(vec![invented])));
    // Drained without `World::control`, so the server's intended state is still online.
    world.call(1, |process, now| process.handle_control(now, false));
    let invariants = world.invariants.as_mut().expect("they are checked");
    invariants.on_sent(0, MAX_BODY + 1, Direction::Response, world.now);
    for _ in 0..=MAX_EXCHANGES {
        invariants.on_sent(1, 1, Direction::Request, world.now);
    }
    for _ in 0..=MAX_WAKES {
        invariants.on_wake(0, world.now);
    }
    let mut named: Vec<_> = world.violations().iter().map(|it| it.invariant).collect();
    named.sort_unstable();
    named.dedup();
    let expected = ["bounded bodies", "bounded exchanges", "no invented incarnation", "no spinning", "own entry"];
    assert_eq!(named, expected);
}
