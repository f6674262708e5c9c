//! `Shared`: the state that the engine's thread shares with the threads that call the engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::core_lock::CoreLock;
use super::milestone::Milestone;
use super::names::{LookUpServices, ServiceLookups};
use super::random_seed;
use super::redact::Redactor;
use super::report::{Observer, Report, Reporter};
use super::stats::ExchangeStats;
use crate::auth::{PeerTimes, ReplayGuard};
use crate::clock::{Clock, Now};
use crate::config::Config;
use crate::error::Error;
use crate::message::Validator;
use crate::protocol::Core;
use crate::server_url::ServerUrl;

pub struct Shared {
    pub core: CoreLock,
    pub stats: ExchangeStats,
    pub redactor: Arc<Redactor>,
    pub config: Config,
    /// The first gossip round is over.
    pub started: Milestone,
    /// The leave is over.
    pub left: Milestone,
    pub service_lookups: ServiceLookups,
    replay_guard: Mutex<ReplayGuard>,
    peer_times: Mutex<PeerTimes>,
    reporter: Mutex<Reporter>,
}

impl Shared {
    pub fn new(config: Config, observer: Observer, look_up: LookUpServices, clock: Clock, seed: u64) -> Self {
        let redactor = Arc::new(Redactor::new(&config));
        Self {
            core: CoreLock::new(clock, Arc::clone(&redactor), |now| Core::new(&config.settings, now, seed)),
            stats: ExchangeStats::default(),
            reporter: Mutex::new(Reporter::new(observer, Arc::clone(&redactor))),
            redactor,
            started: Milestone::new(),
            left: Milestone::new(),
            service_lookups: ServiceLookups::new(look_up),
            // Not the seed, which can be derived from the core's messages.
            replay_guard: Mutex::new(ReplayGuard::new(random_seed())),
            peer_times: Mutex::default(),
            config,
        }
    }

    /// Which signed requests were handled already.
    pub fn replay_guard(&self) -> MutexGuard<'_, ReplayGuard> {
        self.replay_guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last known time of each peer.
    pub fn peer_times(&self) -> MutexGuard<'_, PeerTimes> {
        self.peer_times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports to the program. Do not hold it while calling the core.
    pub fn reporter(&self) -> MutexGuard<'_, Reporter> {
        self.reporter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports warnings that contain only our own text.
    pub fn warn(&self, warnings: Vec<Report>) {
        self.reporter().warn(warnings, self.core.clock.now().mono);
    }

    /// A protocol 2 server sent the name of its cluster, or none.
    pub fn check_cluster_name(&self, of: &ServerUrl, name: Option<&str>) {
        let message = match (&self.config.peer_auth.cluster, name) {
            (Some(own), None) => format!("this server has SHAZBOT_CLUSTER={own}, and {of} has none"),
            (None, Some(name)) => format!("{of} has SHAZBOT_CLUSTER={name}, and this server has none"),
            (None, None) | (Some(_), Some(_)) => return,
        };
        let message = format!(
            "{message}: they are one cluster all the same. If that is meant, set the same SHAZBOT_CLUSTER on all servers. If \
             not, set another one on the servers of the other cluster, so that they refuse each other"
        );
        let now = self.core.clock.now().mono;
        self.reporter().warn_of("SHAZBOT_CLUSTER_NAME".into(), "", &message, now);
    }

    /// The context to validate incoming entries.
    pub fn validator<'a>(&'a self, now: Now, known: &'a dyn Fn(&str) -> Option<ServerUrl>) -> Validator<'a> {
        Validator { wall: now.wall, origins: &self.config.origins, known }
    }

    /// The engine ended: calls all waiting callbacks.
    pub fn finish(&self, result: &Result<(), Error>) {
        if let Err(error) = result {
            self.core.fail(error.clone());
        }
        self.started.reach(result);
        self.left.reach(&Ok(()));
    }
}
