//! Runs the core for real: a thread that carries out its actions over HTTP and files, and [`Engine`], the handle to it.
//!
//! Imports within the engine go one way, from the top down:
//!
//! | layer | files |
//! |---|---|
//! | the handle | `mod.rs`, `inbound.rs` |
//! | the thread | `driver.rs` |
//! | what it carries out | `exchange.rs`, `list_update.rs`, `names.rs`, `watch.rs` |
//! | shared state | `shared.rs`, `core_lock.rs`, `milestone.rs`, `stats.rs` |
//! | access to lists and peers | `list_store.rs`, `state_file.rs`, `gossip_http.rs`, `list_http.rs`, `file.rs`, `dial.rs`, `failure.rs` |
//! | threads for what blocks | `workers.rs`, `shortage.rs` |
//! | clients | `http/` |
//! | text for people | `report.rs`, `active_warnings.rs`, `event_text.rs`, `self_probe_text.rs`, `redact.rs` |

mod active_warnings;
mod core_lock;
mod dial;
mod driver;
mod event_text;
mod exchange;
mod failure;
mod file;
#[cfg(test)]
mod file_tests;
mod gossip_http;
mod http;
mod inbound;
mod list_http;
mod list_store;
mod list_update;
mod milestone;
mod names;
#[cfg(test)]
mod races;
mod redact;
mod report;
mod self_probe_text;
mod shared;
mod shortage;
mod state_file;
mod stats;
mod watch;
mod workers;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ring::rand::SecureRandom;

use crate::clock::{self, Clock, Now};
use crate::config::{Config, Settings};
use crate::error::Error;
use crate::message::{Entry, Tags};
use crate::protocol::{Core, MemberEvent};

use active_warnings::ActiveWarnings;
pub use http::reason_against_list;
pub use inbound::Inbound;
pub use milestone::Done;
pub use names::{LookUpServices, Services};
pub use report::{Observer, Report};
use shared::Shared;
pub use stats::{DURATION_BOUNDS, ExchangeTotals};

/// How often the program proves that its event loop turns. Well below the 5 s after which it counts as stalled.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// A running server. Ends after a leave, or when dropped.
pub struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts a server. `look_up` is called for SRV records; pass its result to [`Self::end_lookup`]. `started` is
    /// called after the first gossip round.
    pub fn start(config: Config, observer: Observer, look_up: LookUpServices, started: Done) -> Self {
        let shared = Arc::new(Shared::new(config, observer, look_up, Clock::new(), random_seed()));
        shared.started.wait(started);
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("clustershazbot".into());
        let spawned = thread.spawn(move || driver::run(&for_thread));
        let thread = spawned.map_err(|error| shared.finish(&Err(Error::no_resources(&error)))).ok();
        Self { shared, thread }
    }

    /// Calls `started` after the first gossip round, or at once if that is over.
    pub fn when_started(&self, started: Done) {
        self.shared.started.wait(started);
    }

    /// Whether the first gossip round is over.
    pub fn is_started(&self) -> bool {
        self.shared.started.is_reached()
    }

    /// Leaves the cluster. Calls `left` when the engine has ended.
    pub fn leave(&self, left: Done) {
        self.shared.left.wait(left);
        // A failed engine has called all waiting callbacks.
        let _ = self.shared.core.with(Core::handle_leave);
    }

    /// The result of a lookup of SRV records.
    pub fn end_lookup(&self, number: u32, services: Services) {
        self.shared.service_lookups.end(number, services);
    }

    /// How often to call [`Self::heartbeat`], in real time.
    pub fn heartbeat_interval() -> Duration {
        clock::real(HEARTBEAT_INTERVAL)
    }

    /// The program's event loop turned.
    pub fn heartbeat(&self) {
        // A failed engine needs no heartbeat.
        let _ = self.shared.core.with(Core::handle_heartbeat);
    }

    /// Replaces the tags of this server.
    pub fn set_tags(&self, tags: Tags) -> Result<(), Error> {
        self.shared.core.with(|core, now| core.handle_tags(now, tags))
    }

    /// Sets whether this server may be given work.
    pub fn set_ready(&self, is_ready: bool) -> Result<(), Error> {
        self.shared.core.with(|core, now| core.handle_ready(now, is_ready))
    }

    /// The program could not reach this server.
    pub fn hint(&self, url: &str) -> Result<(), Error> {
        self.shared.core.with(|core, now| {
            if let Some(url) = core.members().known(url) {
                core.handle_hint(now, &url);
            }
        })
    }

    /// Whether the engine has not failed.
    pub fn is_working(&self) -> bool {
        !self.shared.core.has_failed()
    }

    /// Changes whenever the result of [`Engine::entries`] changes.
    pub fn version(&self) -> Result<u64, Error> {
        self.shared.core.with(|core, _| core.members().revision())
    }

    /// The oldest member events that were not taken yet. Empty when all are taken.
    pub fn take_events(&self) -> Vec<MemberEvent> {
        // A failed engine has reported its error.
        self.shared.core.take_member_events().unwrap_or_default()
    }

    /// Calls `read` with the core.
    pub fn look<R>(&self, read: impl FnOnce(&Core, Now) -> R) -> Result<R, Error> {
        self.shared.core.with(|core, now| read(core, now))
    }

    /// The wall time of an earlier moment.
    pub fn wall(&self, at: Duration, now: Now) -> u64 {
        self.shared.core.clock.wall(at, now)
    }

    /// Counters of the exchanges that this server started.
    pub fn exchange_totals(&self) -> ExchangeTotals {
        self.shared.stats.totals()
    }

    /// The settings of the core.
    pub fn settings(&self) -> &Settings {
        &self.shared.config.settings
    }

    /// Reports a warning of JavaScript, unless one is active for this subject.
    pub fn warn(&self, code: String, subject: &str, message: &str) {
        let now = self.shared.core.clock.now().mono;
        self.shared.reporter().warn_of(code.into(), subject, message, now);
    }

    /// Ends a warning of JavaScript, because its cause is gone.
    pub fn end_warning(&self, code: &str, subject: &str) {
        self.shared.reporter().end_warning(code, subject);
    }

    /// Calls `read` with the active warnings.
    pub fn look_at_warnings<R>(&self, read: impl FnOnce(&ActiveWarnings) -> R) -> R {
        read(self.shared.reporter().warnings())
    }

    /// Redacts and shortens a text.
    pub fn redact(&self, text: &str) -> String {
        self.shared.redactor.redact(text)
    }

    /// Calls `read` with all entries in ring order, and with a digest of everything in them except stamps.
    pub fn entries<R>(&self, read: impl FnOnce(u64, &mut dyn Iterator<Item = &Entry>) -> R) -> Result<R, Error> {
        self.look(|core, _| read(core.members().digest(0).hash, &mut core.members().entries()))
    }
}

impl Drop for Engine {
    // Joins the thread, because Node may unload its code.
    fn drop(&mut self) {
        self.shared.core.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches its panics.
            let _ = thread.join();
        }
    }
}

fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    // The clock is good enough: nothing secret depends on the seed.
    if ring::rand::SystemRandom::new().fill(&mut bytes).is_err() {
        return Clock::new().now().wall;
    }
    u64::from_ne_bytes(bytes)
}
