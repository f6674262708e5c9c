//! Tests of the exploration: what it leaves out, and that its runs can be played again.

use std::collections::HashSet;
use std::time::Duration;

use clustershazbot::message::State as Listed;

use super::event::Event;
use super::state::State;
use super::step::LATENCY;
use super::surprise::Surprise;
use super::*;
use crate::world::{Health, Violation};

/// All states of the cluster up to a moment, in the order of time, or in each order in which nothing can arrive too late.
struct Orders {
    is_any: bool,
    end: Duration,
    visited: HashSet<(u64, u8)>,
    // What the servers know at any time, and all states in which nothing is left to happen until the end.
    of_servers: HashSet<(usize, u64)>,
    last: HashSet<u64>,
}

impl Orders {
    fn explore(cluster: Cluster, time: Duration, is_any: bool) -> Result<Self, Violation> {
        let start = cluster.start()?;
        let end = start.now + time;
        let (visited, of_servers, last) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut it = Self { is_any, end, visited, of_servers, last };
        it.visit(start, 1)?;
        Ok(it)
    }

    fn visit(&mut self, mut state: State, left: u8) -> Result<(), Violation> {
        let whole = state.fingerprint();
        if !self.visited.insert((whole, left)) {
            return Ok(());
        }
        for server in 0..state.nodes().len() {
            self.of_servers.insert((server, state.fingerprint_of(server).hash));
        }
        let next = self.next(&state);
        if next.is_empty() {
            self.last.insert(whole);
        }
        for event in next {
            // Which event is the next known one depends on the order.
            let surprises = state.surprises(&event).into_iter().filter(|it| *it != Surprise::Postpone);
            for surprise in surprises.filter(|_| left > 0) {
                let mut state = state.clone();
                state.surprise(&event, surprise)?;
                self.visit(state, left - 1)?;
            }
            let mut state = state.clone();
            state.handle(event)?;
            self.visit(state, left)?;
        }
        Ok(())
    }

    fn next(&self, state: &State) -> Vec<Event> {
        let servers = (0..state.nodes().len()).filter_map(|server| state.next_event_of(server));
        let mut next: Vec<_> = servers.filter(|event| event.at < self.end).collect();
        next.sort_by_key(Event::order);
        if let Some(first) = next.first().map(|event| event.at) {
            next.retain(|event| self.is_any && event.at < first + LATENCY);
        }
        if next.is_empty() { state.next_event().filter(|it| it.at < self.end).into_iter().collect() } else { next }
    }
}

#[test]
fn the_order_of_events_at_different_servers_leads_to_no_other_state() {
    for cluster in Cluster::ALL {
        let orders = |is_any| Orders::explore(cluster, Duration::from_secs(1), is_any).expect("no violation");
        let (by_time, any) = (orders(false), orders(true));
        assert!(any.visited.len() > by_time.visited.len());
        assert_eq!(any.of_servers, by_time.of_servers, "{}", cluster.name());
        assert_eq!(any.last, by_time.last, "{}", cluster.name());
    }
}

#[test]
fn a_schedule_is_read_as_it_is_written_and_gives_the_same_run() {
    let text = "three 3:lose 12:close-1 20:restart";
    let schedule = Schedule::parse(text).expect("valid");
    assert_eq!(schedule.to_string(), text);
    assert_eq!(play(&schedule), play(&schedule));
    assert_eq!(play(&schedule).1, None);
    for wrong in ["", "four", "three 3", "three x:lose", "three 3:lost"] {
        assert!(Schedule::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_schedule_that_does_not_fit_its_cluster_is_not_played() {
    for text in ["two 9999:kill", "two 0:close-7"] {
        let schedule = Schedule::parse(text).expect("valid");
        assert_eq!(play(&schedule).1.map(|it| it.invariant), Some("a schedule that fits"), "{text}");
    }
}

/// Runs the usual course for a while, and returns the violation.
fn run(state: &mut State, seconds: u64) -> Option<Violation> {
    let end = state.now + Duration::from_secs(seconds);
    while state.next_event().is_some_and(|event| event.at < end) {
        if let Err(violation) = state.step() {
            return Some(violation);
        }
    }
    None
}

fn surprised(cluster: Cluster, surprise: Surprise) -> State {
    let mut state = cluster.start().expect("it starts");
    let event = state.next_event().expect("an event");
    assert!(state.surprise(&event, surprise).expect("no violation"));
    state
}

#[test]
fn a_request_to_a_suspended_server_times_out_before_the_server_continues() {
    let mut state = surprised(Cluster::Two, Surprise::Suspend);
    let suspended = state.nodes().iter().position(|node| node.server.health == Health::Hung).expect("it is suspended");
    assert_eq!(run(&mut state, 5), None);
    assert_eq!(state.nodes()[suspended].server.health, Health::Hung);
    let other = &state.nodes()[1 - suspended].server;
    let core = other.core().expect("it runs");
    assert!(core.counters().suspicions > 0);
}

#[test]
fn the_checks_find_what_is_wrong() {
    let mut disobeys = Cluster::Two.start().expect("it starts");
    disobeys.node_mut(0).server.intended = Listed::Offline;
    assert_eq!(run(&mut disobeys, 10).map(|it| it.invariant), Some("own entry"));
    // The others rightly list it as failed, but the checks are not told that it is suspended.
    let mut falsely = surprised(Cluster::Three, Surprise::Suspend);
    for server in 0..3 {
        falsely.node_mut(server).is_disturbed = false;
    }
    assert_eq!(run(&mut falsely, 30).map(|it| it.invariant), Some("no running server is declared failed"));
    let mut killed = surprised(Cluster::Three, Surprise::Kill);
    let found = search::wrong_list(&killed).map(|it| it.invariant);
    assert_eq!(found, Some("all lists become right"), "nobody can know yet");
    assert_eq!(run(&mut killed, 20), None);
    assert_eq!(search::wrong_list(&killed), None);
}

/// Canonical forms leave fields out by their names alone, so a new field with one of these names must not come to mean
/// something else.
#[test]
fn the_names_of_fields_that_are_left_out_or_renamed_are_those_that_were_meant() {
    let state = Cluster::Two.start().expect("it starts");
    let text = format!("{:?}", state.nodes()[0].server.process);
    let count = |name: &&str| text.matches(&format!(" {name}: ")).count();
    // `last_failure` and `changed_at` of both members, `last_failure` of the seeds.
    assert_eq!(canonical::IGNORED.iter().map(count).collect::<Vec<_>>(), [1, 1, 3, 2, 1, 1, 1, 1]);
    // `contacts` of the bootstrap, and a rate limit of the verifier, of which the name of its type comes first.
    assert_eq!(canonical::IDS.iter().map(count).collect::<Vec<_>>(), [1, 2, 1, 1, 1]);
}
