//! The engine's thread: sleeps until the core's next timer, carries out the core's actions, and reports its events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::exchange::exchange;
use super::gossip_http::GossipClient;
use super::http::{ClientFactory, resolve_own_address};
use super::list_http::ListClient;
use super::list_store::ListStore;
use super::list_update::ListUpdate;
use super::report::{Observer, Report, Reporter};
use super::shared::Shared;
use super::state_file::StateFile;
use crate::clock;
use crate::error::Error;
use crate::message::Message;
use crate::protocol::{Action, Event};

/// Most threads that look up names or wait for files, which may take long.
const MAX_BLOCKING_THREADS: usize = 8;

struct Driver {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
    state_file: Option<Arc<StateFile>>,
    stores: Vec<Arc<ListStore>>,
    // The current update of each list.
    updates: Vec<Option<AbortHandle>>,
    tasks: JoinSet<Result<(), Error>>,
}

struct Clients {
    gossip: GossipClient,
    lists: ListClient,
}

/// Runs the engine until it has left, is stopped or has failed.
pub fn run(shared: &Arc<Shared>, observer: Observer) {
    let mut reporter = Reporter::new(observer, &shared.redactor);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(MAX_BLOCKING_THREADS).build();
        let runtime = runtime.map_err(|_| Error::Failed)?;
        let result = runtime.block_on(drive(shared, &mut reporter));
        // Does not wait for name lookups: they cannot be interrupted.
        runtime.shutdown_background();
        result
    }));
    let result = outcome.unwrap_or(Err(Error::Failed));
    if result == Err(Error::Failed) {
        reporter.failed();
    }
    shared.finish(&result);
}

async fn drive(shared: &Arc<Shared>, reporter: &mut Reporter<'_>) -> Result<(), Error> {
    let mut driver = Driver::new(shared, reporter)?;
    driver.load_state(reporter).await?;
    while !shared.core.is_stopped() {
        let work = shared.core.work()?;
        for event in work.events {
            match event {
                Event::Started => shared.started.reach(&Ok(())),
                Event::Left => return Ok(()),
                event => reporter.report(event),
            }
        }
        work.actions.into_iter().for_each(|action| driver.start(action));
        driver.wait(work.wait).await?;
    }
    Ok(())
}

impl Driver {
    fn new(shared: &Arc<Shared>, reporter: &Reporter<'_>) -> Result<Self, Error> {
        let config = &shared.config;
        let invalid = |problem| Error::InvalidConfig(vec![problem]);
        let (factory, warnings) = ClientFactory::new(&config.network).map_err(invalid)?;
        let gossip = GossipClient::new(&factory, config).map_err(invalid)?;
        let lists = ListClient::new(&factory, &config.master_lists).map_err(invalid)?;
        reporter.warn(warnings);
        let weak = config.weak.iter();
        reporter.warn(weak.map(|weak| Report::warning("SHAZBOT_WEAK_SECRET", weak.clone())).collect());
        let stores: Vec<_> =
            config.master_lists.lists.iter().map(|list| Arc::new(ListStore::new(list.clone()))).collect();
        Ok(Self {
            shared: Arc::clone(shared),
            clients: Arc::new(Clients { gossip, lists }),
            state_file: config.state_file.clone().map(|path| Arc::new(StateFile::new(path))),
            updates: stores.iter().map(|_| None).collect(),
            stores,
            tasks: JoinSet::new(),
        })
    }

    // Looks up our own name and reads the state. A stop interrupts both.
    async fn load_state(&self, reporter: &Reporter<'_>) -> Result<(), Error> {
        let load = async {
            resolve_own_address(&self.shared.config).await;
            match &self.state_file {
                Some(file) => Some((file, file.read().await)),
                None => None,
            }
        };
        let Some((file, json)) = self.shared.core.unless_stopped(load).await.flatten() else { return Ok(()) };
        let validator = self.shared.validator(self.shared.core.clock.now(), &|_| None);
        match json.and_then(|json| Message::from_master_list(&json, validator).map_err(|error| error.to_string())) {
            Ok(state) => self.shared.core.with(|core, now| core.handle_saved_state(now, &state)),
            Err(error) => {
                let message = format!("the state file {file} is ignored: {error}");
                reporter.warn(vec![Report::warning("SHAZBOT_STATE_UNUSABLE", message)]);
                Ok(())
            }
        }
    }

    fn start(&mut self, action: Action) {
        let (shared, clients) = (Arc::clone(&self.shared), Arc::clone(&self.clients));
        match action {
            Action::Gossip { id, to, message, timeout, new_connection } => {
                self.tasks.spawn(async move {
                    let began = shared.core.clock.now().mono;
                    let response = exchange(&shared, &clients.gossip, &to, &message, (timeout, new_connection)).await;
                    // A self-probe does not count as an exchange.
                    if to != shared.config.settings.base_url {
                        shared.stats.ended(&response, shared.core.clock.now().mono.saturating_sub(began));
                    }
                    shared.core.with(|core, now| core.handle_response(now, id, response))
                });
            }
            Action::SyncList { id, list, write, if_changed, timeout } => {
                // The core only waits for the newest update.
                if let Some(earlier) = self.updates[list].take() {
                    earlier.abort();
                }
                let store = Arc::clone(&self.stores[list]);
                let update = ListUpdate { id, write, if_changed, timeout };
                let task = async move { update.run(&shared, &clients.lists, &store).await };
                self.updates[list] = Some(self.tasks.spawn(task));
            }
            Action::SaveState(state) => {
                let Some(file) = self.state_file.clone() else { return };
                self.tasks.spawn(async move {
                    let saved = file.save(&state).await;
                    shared.core.with(|core, _| core.handle_state_saved(saved))
                });
            }
        }
    }

    // Waits for the next timer of the core, for a call that needs the thread, or for the end of a task.
    async fn wait(&mut self, timer: Option<Duration>) -> Result<(), Error> {
        tokio::select! {
            () = self.shared.core.woken() => {}
            () = clock::sleep(timer.unwrap_or(Duration::MAX)) => {}
            Some(ended) = self.tasks.join_next() => match ended {
                Err(error) if error.is_panic() => return Err(Error::Failed),
                _ => {}
            },
        }
        Ok(())
    }
}
