//! Tests of the exploration: what it leaves out, and that its runs can be played again.

use std::collections::HashSet;
use std::time::Duration;

use super::event::Event;
use super::state::State;
use super::step::LATENCY;
use super::surprise::Surprise;
use super::*;
use crate::world::Violation;

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
    let text = "three 3:lose 11:close-1 20:restart";
    let schedule = Schedule::parse(text).expect("valid");
    assert_eq!(schedule.to_string(), text);
    assert_eq!(play(&schedule), play(&schedule));
    for wrong in ["", "four", "three 3", "three x:lose", "three 3:lost"] {
        assert!(Schedule::parse(wrong).is_err(), "{wrong}");
    }
}
