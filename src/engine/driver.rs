//! The engine's thread: sleeps until the core's next timer, carries out the core's actions, and reports its events.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::core_lock::PAUSE;
use super::exchange::{Writer, exchange};
use super::gossip_http::GossipClient;
use super::http::{ClientFactory, Identity, IdentityFiles, TlsFiles, follow_own_name};
use super::list_http::ListClient;
use super::list_store::ListStore;
use super::list_update::ListUpdate;
use super::names::{discover, find_places, identify};
use super::report::Report;
use super::shared::Shared;
use super::state_file::StateFile;
use super::watch::Watches;
use super::workers::Workers;
use crate::clock;
use crate::config::{List, Network};
use crate::error::Error;
use crate::message::Message;
use crate::protocol::{Action, Event};

/// How long a start waits for the lookup of its own name.
const OWN_NAME_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a start waits for the certificate files.
const CERTIFICATES_TIMEOUT: Duration = Duration::from_secs(5);
/// The least time between two reads of the client certificate's files. They are read once a round.
const MIN_RENEWAL: Duration = Duration::from_secs(1);

struct Driver {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
    names: Arc<Workers>,
    state_file: Option<Arc<StateFile>>,
    stores: Vec<Arc<ListStore>>,
    // The current update of each list.
    updates: Vec<Option<AbortHandle>>,
    tasks: JoinSet<Result<(), Error>>,
    identity: Option<Arc<Identity>>,
    writer: Writer,
    watches: Watches,
}

struct Clients {
    gossip: GossipClient,
    lists: ListClient,
}

/// The threads for blocking calls.
struct Threads {
    names: Arc<Workers>,
    files: Arc<Workers>,
}

impl Threads {
    fn start() -> io::Result<Self> {
        let start = |name| Workers::start(name).map(Arc::new);
        Ok(Self { names: start("shazbot-names")?, files: start("shazbot-files")? })
    }
}

/// Runs the engine until it has left, is stopped or has failed.
pub fn run(shared: &Arc<Shared>) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (threads, runtime) = Threads::start()
            .and_then(|threads| Ok((threads, runtime?)))
            .map_err(|error| Error::no_resources(&error))?;
        // Does not wait for blocking calls, which cannot be interrupted.
        runtime.block_on(drive(shared, &threads))
    }));
    let result = outcome.unwrap_or_else(|panic| Err(shared.core.panicked(&*panic)));
    if let Err(error @ Error::Failed(_)) = &result {
        shared.reporter().failed(error);
    }
    shared.finish(&result);
}

async fn drive(shared: &Arc<Shared>, threads: &Threads) -> Result<(), Error> {
    let reading = tls_files(&shared.config.network, &threads.files);
    let Some(files) = shared.core.unless_stopped(reading).await else { return Ok(()) };
    let mut driver = Driver::new(shared, threads, files)?;
    driver.load_state(threads).await?;
    while !shared.core.is_stopped() {
        let work = shared.core.work()?;
        report(shared, work.reports.events, work.reports.dropped);
        if work.reports.has_started {
            shared.started.reach(&Ok(()));
        }
        if work.reports.has_left {
            driver.watches.close_all().await;
            return Ok(());
        }
        if let Some(problem) = driver.identity.as_ref().and_then(|it| it.take_problem()) {
            let message = format!(
                "{problem}. The files have changed since the start, and this server goes on with the certificate that it has: \
                 correct them before that one expires"
            );
            shared.warn(vec![Report::warning("SHAZBOT_CLIENT_CERTIFICATE", message)]);
        }
        work.actions.into_iter().for_each(|action| driver.start(action));
        if !work.has_more {
            driver.wait(work.wait).await?;
        }
        read_what_has_arrived().await;
    }
    Ok(())
}

// Reports events until the engine is stopped.
fn report(shared: &Shared, events: VecDeque<Event>, dropped: u64) {
    for event in events {
        if shared.core.is_stopped() {
            return;
        }
        shared.reporter().report(event, shared.core.clock.now().mono);
    }
    if dropped > 0 {
        shared.reporter().dropped(dropped);
    }
}

// Lets all tasks read what has arrived before the core's timers judge anybody: after a pause of this thread, answers wait
// in the sockets. The first turn looks at the sockets, the next ones let connections and exchanges read.
async fn read_what_has_arrived() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

async fn tls_files(network: &Network, files: &Workers) -> TlsFiles {
    let extra = async {
        let path = network.extra_ca_certs.clone()?;
        Some(read_file(files, move || std::fs::read(path).map_err(|error| error.to_string())).await)
    };
    let identity = async {
        let config = network.client_certificate.clone()?;
        Some(read_file(files, move || IdentityFiles::read(&config)).await)
    };
    let (extra, identity) = tokio::join!(extra, identity);
    TlsFiles { extra, identity }
}

async fn read_file<T: Send + 'static>(
    files: &Workers,
    read: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let reading = clock::timeout(CERTIFICATES_TIMEOUT, files.run(move || Ok(read())));
    reading.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).unwrap_or_else(|error| Err(error.to_string()))
}

// Certificates are replaced while the process runs, for example by cert-manager.
async fn renew(identity: Arc<Identity>, shared: Arc<Shared>, files: Arc<Workers>) -> Result<(), Error> {
    let Some(config) = &shared.config.network.client_certificate else { return Ok(()) };
    loop {
        clock::sleep(shared.config.settings.interval.max(MIN_RENEWAL)).await;
        let config = config.clone();
        identity.renew(read_file(&files, move || IdentityFiles::read(&config)).await);
    }
}

impl Driver {
    fn new(shared: &Arc<Shared>, threads: &Threads, files: TlsFiles) -> Result<Self, Error> {
        let config = &shared.config;
        let invalid = |problem| Error::InvalidConfig(vec![problem]);
        let (factory, warnings) = ClientFactory::new(&config.network, &threads.names, files).map_err(invalid)?;
        let gossip = GossipClient::new(&factory, config).map_err(invalid)?;
        let lists = ListClient::new(&factory, &config.master_lists).map_err(invalid)?;
        let doubts = config.warnings.iter().map(Report::of_config);
        shared.warn(warnings.into_iter().chain(doubts).collect());
        let store = |list: &List| Arc::new(ListStore::new(list.clone(), &threads.files));
        let stores: Vec<_> = config.master_lists.lists.iter().map(store).collect();
        let mut tasks = JoinSet::new();
        let identity = factory.identity.clone();
        if let Some(identity) = identity.clone() {
            tasks.spawn(renew(identity, Arc::clone(shared), Arc::clone(&threads.files)));
        }
        Ok(Self {
            shared: Arc::clone(shared),
            clients: Arc::new(Clients { gossip, lists }),
            names: Arc::clone(&threads.names),
            state_file: config.state_file.clone().map(|path| Arc::new(StateFile::new(path, &threads.files))),
            updates: stores.iter().map(|_| None).collect(),
            stores,
            tasks,
            identity,
            writer: Writer::default(),
            watches: Watches::new(&factory, &config.origins),
        })
    }

    // Looks up our own name and reads the state. A stop interrupts both.
    async fn load_state(&mut self, threads: &Threads) -> Result<(), Error> {
        let (shared, names) = (Arc::clone(&self.shared), Arc::clone(&threads.names));
        let (found, is_found) = oneshot::channel::<()>();
        self.tasks.spawn(async move {
            follow_own_name(&shared.config.origins, &shared.config.settings.base_url, &names, found).await;
            Ok(())
        });
        let load = async {
            // The lookup continues after this timeout.
            let _ = clock::timeout(OWN_NAME_TIMEOUT, is_found).await;
            match &self.state_file {
                Some(file) => Some((file, file.check_folder().await, file.read().await)),
                None => None,
            }
        };
        let loaded = self.shared.core.unless_stopped(load).await.flatten();
        let Some((file, folder, json)) = loaded else { return Ok(()) };
        if let Err(error) = folder {
            self.shared.reporter().report(Event::StateNotSaved(error), self.shared.core.clock.now().mono);
        }
        let validator = self.shared.validator(self.shared.core.clock.now(), &|_| None);
        match json.and_then(|json| Message::from_master_list(&json, validator).map_err(|error| error.to_string())) {
            Ok(state) => self.shared.core.with(|core, now| core.handle_saved_state(now, &state)),
            Err(error) => {
                let message = format!("the state file {file} is ignored: {error}");
                let now = self.shared.core.clock.now().mono;
                self.shared.reporter().warn_of("SHAZBOT_STATE_UNUSABLE".into(), "", &message, now);
                Ok(())
            }
        }
    }

    fn start(&mut self, action: Action) {
        let (shared, clients) = (Arc::clone(&self.shared), Arc::clone(&self.clients));
        match action {
            Action::Gossip { id, to, message, timeout, new_connection } => {
                let message = self.writer.write(message, &shared.config.peer_auth);
                self.tasks.spawn(async move {
                    let began = shared.core.clock.now().mono;
                    let response = exchange(&shared, &clients.gossip, &to, &message, (timeout, new_connection)).await;
                    // A self-probe does not count as an exchange.
                    if to != shared.config.settings.base_url {
                        let now = shared.core.clock.now().mono;
                        shared.stats.ended(&response, now.saturating_sub(began));
                        if response.is_ok() {
                            shared.reporter().on_answer(&to, now);
                        }
                    }
                    let mut response = response.map_err(|mut error| {
                        if let Some(text) = error.text_mut() {
                            *text = shared.redactor.redact(text);
                        }
                        error
                    });
                    if let Ok(message) = &mut response {
                        while shared.core.with(|core, now| core.merge_part(now, message, Some(id)))? {
                            clock::sleep(PAUSE).await;
                        }
                    }
                    shared.core.with(|core, now| core.handle_response(now, id, response))
                });
            }
            Action::SyncList { id, list, write, if_changed, timeout } => {
                // The core waits only for the newest update.
                if let Some(earlier) = self.updates[list].take() {
                    earlier.abort();
                }
                let store = Arc::clone(&self.stores[list]);
                let update = ListUpdate { id, write, if_changed, timeout };
                let task = async move { update.run(&shared, &clients.lists, &store).await };
                self.updates[list] = Some(self.tasks.spawn(task));
            }
            Action::OpenWatch { id, to } => self.watches.open(shared, id, to),
            Action::CloseWatch { id } => self.watches.close(id),
            Action::LookUp { id, name, timeout } => {
                let names = Arc::clone(&self.names);
                self.tasks.spawn(async move {
                    if let Some(name) = shared.config.master_lists.names.get(name) {
                        let found = find_places(name, &names, &shared.service_lookups, timeout).await;
                        return shared.core.with(|core, now| core.handle_looked_up(now, id, found));
                    }
                    let found = discover(&shared, timeout).await;
                    shared.core.with(|core, now| core.handle_discovered(now, id, found))
                });
            }
            Action::Identify { id, place, timeout } => {
                self.tasks.spawn(async move {
                    let answer = identify(&shared, &clients.gossip, &place, timeout).await;
                    shared.core.with(|core, now| core.handle_identified(now, id, answer))
                });
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

    // Waits for the next timer of the core, a wake-up, or the end of a task.
    async fn wait(&mut self, timer: Option<Duration>) -> Result<(), Error> {
        tokio::select! {
            () = self.shared.core.woken() => {}
            () = clock::sleep(timer.unwrap_or(Duration::MAX)) => {}
            Some(ended) = self.tasks.join_next() => return self.check(ended),
            Some(ended) = self.watches.tasks.join_next() => return self.check(ended),
        }
        Ok(())
    }

    fn check(&self, ended: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
        match ended {
            Err(error) if error.is_panic() => Err(self.shared.core.panicked(&*error.into_panic())),
            // An update that a newer one replaced, or an engine that has failed.
            Err(_) | Ok(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_answer_that_arrives_while_the_thread_is_stopped_is_read_before_the_next_timer_even_after_its_timeout() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let mut client = TcpStream::connect(address).await.expect("connected");
            let (mut server, _) = listener.accept().await.expect("accepted");
            let timeout = Duration::from_millis(100);
            let reading = tokio::spawn(async move { tokio::time::timeout(timeout, client.read_u8()).await });
            tokio::task::yield_now().await;
            server.write_all(&[7]).await.expect("sent");
            std::thread::sleep(2 * timeout);
            read_what_has_arrived().await;
            assert!(reading.is_finished());
            let read = reading.await.expect("no panic").expect("not too late");
            assert_eq!(read.expect("no error"), 7);
        });
    }
}
