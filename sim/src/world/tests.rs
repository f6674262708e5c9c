//! What the world does to servers, seen on version 1's, whose policy does not change: an exchange fails after 5 s, and
//! once more 3 s later.

use super::store::Condition;
use super::*;
use crate::cluster::{listed, settings, start_within};
use clustershazbot::message::{Entry, EntryV2, Message};

const INTERVAL: Duration = Duration::from_secs(2);

fn cluster(kind: Kind, servers: usize) -> World {
    let mut world = World::new(1);
    for server in 0..servers {
        world.add(settings(server, INTERVAL).expect("valid"), kind, 0);
    }
    let entries = (0..servers).map(|server| listed(world.url(server).clone())).collect();
    world.store.put(entries);
    start_within(&mut world, &(0..servers).collect::<Vec<_>>(), INTERVAL);
    world.pass(INTERVAL * 10);
    world.changes = Some(Vec::new());
    world
}

// After how long server 0 lists server 1 offline.
fn until_called_dead(world: &mut World) -> Option<Duration> {
    let began = world.now();
    world.want(&[(1, State::Offline)], |server| server == 0);
    world.run(began + Duration::from_secs(60), true).then(|| world.now().saturating_sub(began))
}

#[test]
fn a_server_at_a_standstill_answers_what_waited_when_it_goes_on() {
    for health in [Health::Blocked, Health::Hung] {
        let mut world = cluster(Kind::V1, 2);
        world.set_health(1, health);
        world.pass(Duration::from_secs(4));
        world.set_health(1, Health::Up);
        world.pass(Duration::from_secs(20));
        assert!(world.changes.as_ref().is_some_and(Vec::is_empty), "{:?}", world.changes);
        world.set_health(1, health);
        let seconds = until_called_dead(&mut world).expect("it is called dead").as_secs_f64();
        assert!((13.0..16.0).contains(&seconds), "{seconds}");
    }
}

#[test]
fn a_process_that_ended_refuses_and_a_host_that_vanished_does_not_answer() {
    for (health, expected) in [(Health::Down, 3.0..6.0), (Health::Gone, 13.0..16.0)] {
        let mut world = cluster(Kind::V1, 2);
        world.set_health(1, health);
        let seconds = until_called_dead(&mut world).expect("it is called dead").as_secs_f64();
        assert!(expected.contains(&seconds), "{health:?}: {seconds}");
    }
}

#[test]
fn a_server_whose_base_url_is_wrong_talks_and_is_refused() {
    let mut world = cluster(Kind::V1, 2);
    world.set_listens(1, false);
    assert!(until_called_dead(&mut world).is_some());
    world.want(&[(1, State::Online)], |server| server == 0);
    assert!(world.run(world.now() + INTERVAL * 2, true), "it is heard");
}

#[test]
fn an_engine_goes_on_while_its_event_loop_is_blocked() {
    let mut world = cluster(Kind::Ours, 2);
    for (health, goes_on) in [(Health::Blocked, true), (Health::Hung, false)] {
        world.set_health(0, health);
        world.meter.reset(world.now());
        world.pass(INTERVAL * 2);
        assert_eq!(world.meter.each[0].peak > 0, goes_on, "{health:?}");
        world.set_health(0, Health::Up);
        world.pass(INTERVAL * 10);
    }
}

#[test]
fn a_clock_is_off_by_what_it_is_set_to_and_time_goes_on() {
    let mut world = cluster(Kind::Ours, 2);
    world.set_clock(0, -3_600_000);
    let (ours, other) = (world.now_of(0), world.now_of(1));
    assert_eq!((ours.mono, ours.wall + 3_600_000), (other.mono, other.wall));
}

#[test]
fn a_slow_store_is_written_after_its_caller_has_given_up() {
    let mut world = World::new(1);
    let mut access = |condition| {
        world.store.condition = condition;
        world.store.access(0, world.now, Duration::from_secs(10), &mut world.rng)
    };
    assert!(access(Condition::Fine).works);
    assert_eq!(access(Condition::Failing).done, None);
    let slow = access(Condition::Slow);
    assert!(!slow.works && slow.done.is_some_and(|done| done > slow.told), "{slow:?}");
}

#[test]
fn what_must_not_be_is_noticed() {
    let mut world = World::new(1);
    for server in 0..2 {
        world.add(settings(server, INTERVAL).expect("valid"), Kind::Ours, 0);
    }
    world.invariants = Some(Box::new(Invariants::new(2)));
    world.start(0);
    world.start(1);
    let wall = world.now_of(1).wall;
    let life = EntryV2 { incarnation: wall + 7, instance: 1, reason: None, author: None };
    let url = world.url(1).clone();
    let invented = Entry { url, monitor: false, state: State::Online, stamp: wall, v2: Some(life) };
    world.handle(0, |node, now| node.handle_gossip(now, &Message::new(vec![invented])));
    // Behind the back of whoever tells it.
    world.handle(1, |node, now| node.handle_control(now, false));
    let invariants = world.invariants.as_mut().expect("they are looked at");
    invariants.sent(0, Kind::Ours, (invariants::MAX_BODY + 1, false), world.now);
    for _ in 0..=invariants::MAX_MESSAGES {
        invariants.sent(1, Kind::Ours, (1, true), world.now);
    }
    for _ in 0..=invariants::MAX_WAKES {
        invariants.woken(0, world.now);
    }
    let mut named: Vec<_> = invariants.violations.iter().map(|it| it.invariant).collect();
    named.sort_unstable();
    named.dedup();
    let expected = ["bounded bodies", "bounded messages", "no invented incarnation", "no spinning", "own word"];
    assert_eq!(named, expected);
}
