//! Tags and readiness in random schedules: half of the servers change theirs between the faults, and all know them in the end.

use clustershazbot::message::{Entry, State, Tags};
use rand::RngExt;

use super::MAX_NAMED;
use super::cluster::FaultyCluster;
use crate::world::Version;

/// How often a server changes its tags after a fault.
const CHANGES: f64 = 0.2;
/// Longer ones are left out where a version 1 server may read them.
const LONG: usize = 200;

impl FaultyCluster {
    /// A program may set its tags and its readiness. Servers with odd numbers have no tags and are ready.
    pub fn change_tags(&mut self) {
        if !self.world.rng.random_bool(CHANGES) {
            return;
        }
        let server = self.world.rng.random_range(0..self.world.servers().len()) & !1;
        let number = self.world.rng.random_range(0..100);
        let note = if self.world.rng.random_bool(0.3) { "x".repeat(LONG) } else { String::new() };
        let pairs = [("version", format!("1.0.{number}")), ("note", note)];
        let tags = Tags::new(pairs.map(|(key, value)| (key.to_owned(), value)));
        if let Ok(tags) = tags
            && self.world.server(server).is_up()
        {
            let is_ready = self.world.rng.random_bool(0.5);
            self.world.call(server, |process, now| {
                process.handle_tags(now, tags);
                process.handle_ready(now, is_ready);
            });
        }
    }

    /// Checks that all servers know the tags that each one online has, and whether it is ready.
    pub fn check_tags(&mut self) {
        let servers = self.world.servers();
        let is_v2 = |index: &usize| servers[*index].version == Version::V2 && servers[*index].is_available();
        let v2: Vec<_> = (0..servers.len()).filter(is_v2).collect();
        let pairs = v2.iter().flat_map(|by| v2.iter().map(move |about| (*by, *about)));
        let wrong = pairs.filter_map(|(by, about)| {
            let said = |entry: &Entry| (entry.tags(), entry.is_ready());
            let own = servers[about].own_entry().map(said)?;
            let known = servers[by].entry(servers[about].url()).filter(|it| it.state == State::Online).map(said)?;
            (known != own).then(|| format!("server {by} lists {about} with {known:?} and not {own:?}"))
        });
        let wrong: Vec<_> = wrong.take(MAX_NAMED).collect();
        if !wrong.is_empty() {
            self.world.report_violation("all know the tags of each server", wrong.join("; "));
        }
    }
}
