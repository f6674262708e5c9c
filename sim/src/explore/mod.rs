//! Explores small clusters of real cores exhaustively, `--explore`: every run with at most N surprises, for N = 0, 1, 2, …
//!
//! - `schedule`: the clusters, and runs as text. `search` tries all runs, `visited` knows the states.
//! - `state`, `event`: a cluster at one moment. `step` is its usual course, `surprise` what may happen instead.
//! - `canonical`: when two processes are in the same state.
//!
//! **Time.** All monotonic clocks run at the same rate. A message takes between [`step::LATENCY`] and the timeout of its
//! sender. It is handled when it arrives or, if it is postponed, just after a later event of its receiver. Timers fire when
//! they are due or, if they are postponed, just after the next event of their server.
//!
//! **Order.** Servers share nothing but messages, so events of different servers commute: a state depends only on the order of
//! events at each server. Of all orders that differ in nothing else, only the order of time is explored. At each state the
//! earliest event is a persistent set: a later event of another server can affect it only by a message, which takes at least
//! the latency, so it would arrive later. This depends on the state alone, not on the path to it, so it is sound together with
//! a set of visited states. (Sleep sets are not, without more care.) A test explores every other order as well, and finds the
//! same states of each server and the same states at the end.
//!
//! **Symmetry** is not used. The order of servers on the ring and the times of their rounds follow from their base URLs and
//! their starts, so a state in which two servers change places does not behave the same.

mod canonical;
mod event;
mod schedule;
mod search;
mod state;
mod step;
mod surprise;
mod visited;

use std::time::Instant;

use crate::output::{print_line, show_progress};
use crate::world::Violation;

pub use schedule::{Cluster, Schedule};
use search::{Failure, Progress, Search, Tried};
use visited::{MAX_LEFT, Visited};

/// Explores clusters until this number of states is visited: first all runs without surprises, then those with one, with
/// two, and so on. Returns whether no invariant is violated.
pub fn run(clusters: &[Cluster], states: usize) -> bool {
    let visited = Visited::new(states);
    let progress = Progress::default();
    let began = Instant::now();
    let places = clusters.iter().enumerate().map(|(place, cluster)| (clusters.len() - place, *cluster));
    let mut passes = (0..=MAX_LEFT).flat_map(|surprises| places.clone().map(move |it| (surprises, it)));
    let failure = passes.find_map(|(surprises, (to_come, cluster))| {
        // An equal share of what is left: what one cluster does not need is for the next.
        let before = visited.len();
        let share = states.saturating_sub(before) / to_come;
        if share == 0 {
            return None;
        }
        show_progress(&format!("{} with {surprises} surprises", cluster.name()));
        let result = Search::new(cluster, &visited, &progress, before + share).run(surprises);
        show_progress("");
        if let Ok(tried) = result {
            let share = match tried {
                Tried::Nothing => "stopped in the run without surprises".into(),
                Tried::First(..) if surprises == 0 => "the run without surprises".into(),
                Tried::First(first, of) if first == of => format!("all {of} first surprises tried"),
                Tried::First(first, of) => format!("{first} of {of} first surprises tried to the end"),
            };
            let (states, time) = (visited.len() - before, began.elapsed().as_secs_f64());
            print_line(&format!(
                "{}, at most {surprises} surprises: {share}; {states} more states, {time:.0} s",
                cluster.name()
            ));
        }
        result.err()
    });
    let (states, seconds) = (visited.len(), began.elapsed().as_secs_f64());
    let (rate, ends, healed) = (states as f64 / seconds, progress.ends.into_inner(), progress.healed.into_inner());
    print_line(&format!(
        "{states} states in {seconds:.0} s, {rate:.0} a second; {ends} runs to their end, {healed} tries to heal"
    ));
    print_line(&failure.as_deref().map_or_else(|| "no invariant is violated".into(), describe));
    failure.is_none()
}

fn describe(Failure { schedule, violation }: &Failure) -> String {
    format!("{violation}\n  npm run sim -- --explore --replay \"{schedule}\"")
}

/// Plays one run and prints what happens. Returns whether no invariant is violated.
pub fn replay(schedule: &Schedule) -> bool {
    let (log, violation) = play(schedule);
    for line in log {
        print_line(&line);
    }
    let verdict =
        violation.as_ref().map_or_else(|| "no invariant is violated, all lists are right".into(), Violation::to_string);
    print_line(&verdict);
    violation.is_none()
}

// The lines that describe a run, and what it violates.
fn play(schedule: &Schedule) -> (Vec<String>, Option<Violation>) {
    let mut state = match schedule.cluster.start() {
        Ok(state) => state,
        Err(violation) => return (Vec::new(), Some(violation)),
    };
    state.log = Some(Vec::new());
    let result = search::follow_schedule(&mut state, &schedule.surprises);
    (state.log.take().unwrap_or_default(), result.err())
}

#[cfg(test)]
mod tests;
