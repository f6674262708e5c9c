//! The core at work: behind one lock, with a thread of its own that sleeps until the next timer and carries out the
//! core's actions. The lock is held for as long as the core takes, microseconds to a message's size, and never across an
//! await.

mod file;
mod http;
mod list_http;
mod master_list;
mod meter;
#[cfg(test)]
mod races;
mod report;
mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ring::rand::SecureRandom;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use crate::clock::{Clock, Now};
use crate::config::{Config, Settings};
use crate::error::Error;
use crate::message::{Entry, Message, RawEntry, ServerUrl, State, Validator};
use crate::protocol::{Action, Core, Event, ExchangeError, MemberEvent};

use http::{Http, find_ourselves};
use meter::Meter;
pub use meter::{BUCKETS, Measured};
pub use report::Report;
use report::{Reporter, Secrets};
use store::{StateFile, Store};

/// Most threads that look up names or wait for files, for as long as that takes.
const MAX_BLOCKING_THREADS: usize = 8;

/// Most events that the program is told at once: it keeps no more than it handles.
const MAX_EVENTS: usize = 250;

/// What is called once when a start or a leave is over.
pub type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;
/// What is called, on the engine's thread, with what people or programs may want to know.
pub type Observer = Box<dyn Fn(Report) + Send>;

/// A running server. Ends when it has left, or when it is dropped.
pub struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts a server. `started` is called when the first round is over.
    pub fn start(config: Config, observer: Observer, started: Done) -> Self {
        let clock = Clock::new();
        let core = Core::new(&config.settings, clock.now(), random_seed());
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner { core, notices: Vec::new(), events: Vec::new() }),
            clock,
            meter: Meter::default(),
            secrets: Secrets::of(&config),
            config,
            wake: Notify::new(),
            stop: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            waiting: Mutex::new(Waiting { started: Some(vec![started]), left: Some(Vec::new()) }),
        });
        let for_thread = Arc::clone(&shared);
        let spawned = std::thread::Builder::new().name("clustershazbot".into()).spawn(move || for_thread.run(observer));
        if spawned.is_err() {
            shared.finish(&Err(Error::Failed));
        }
        Self { shared, thread: spawned.ok() }
    }

    /// Calls `started` when the first round is over; at once if it is.
    pub fn when_started(&self, started: Done) {
        self.shared.wait(|waiting| &mut waiting.started, started);
    }

    /// Leaves the cluster, and calls `left` when that is over. The engine has ended then.
    pub fn leave(&self, left: Done) {
        self.shared.wait(|waiting| &mut waiting.left, left);
        // A failed engine has ended, and has called everybody who waits.
        let _ = self.shared.with_core(Core::handle_leave);
    }

    /// The program's event loop turns.
    pub fn beat(&self) {
        // A failed engine needs no beat.
        let _ = self.shared.with_core(Core::handle_heartbeat);
    }

    /// Whether the engine works.
    pub fn is_working(&self) -> bool {
        !self.shared.failed.load(Ordering::Acquire)
    }

    /// Checks the header of a gossip request that is not signed.
    pub fn authorize_gossip(&self, header: &str) -> Result<(), Error> {
        let Config { peer_auth: gate, settings, .. } = &self.shared.config;
        gate.check_request(header, None, &settings.base_url).map(drop)
    }

    /// Checks the header of a control request.
    pub fn authorize_control(&self, header: &str) -> Result<(), Error> {
        if self.shared.config.control.matches(header) {
            Ok(())
        } else {
            Err(Error::Unauthorized("SHAZBOT_CONTROL_SECRET"))
        }
    }

    /// Checks the header of a request for the list. Returns whether the offline servers are shown too.
    pub fn authorize_list(&self, header: &str) -> Result<bool, Error> {
        let Config { control, peer_auth: gate, list_needs_secret, .. } = &self.shared.config;
        let is_control = control.matches(header);
        if is_control || !list_needs_secret || gate.secrets.matches(header) {
            Ok(is_control)
        } else {
            Err(Error::Unauthorized("SHAZBOT_SECRET or SHAZBOT_CONTROL_SECRET"))
        }
    }

    /// The lists of a peer of version 1, authorised already. Returns those that are the answer.
    pub fn gossip<'a>(&self, entries: impl Iterator<Item = (State, RawEntry<'a>)>) -> Result<Vec<Entry>, Error> {
        self.shared.with_core(|core, now| {
            core.admit(now)?;
            let known = |text: &str| core.members().known(text);
            let message = Message::from_raw(entries, self.shared.validator(now, &known))?;
            Ok(core.handle_gossip(now, &message).entries)
        })?
    }

    /// The header and the field of a message of ours. Returns the field of the answer; None where it is of a protocol that
    /// we do not speak.
    pub fn exchange(&self, header: &str, text: &str) -> Result<Option<String>, Error> {
        let Config { peer_auth: gate, settings, .. } = &self.shared.config;
        let own = &settings.base_url;
        let proof = gate.check_request(header, Some(text), own)?;
        let answer = self.shared.with_core(|core, now| {
            core.admit(now)?;
            let known = |text: &str| core.members().known(text);
            let Some(message) = Message::from_field(text, self.shared.validator(now, &known)).transpose()? else {
                return Ok(None);
            };
            gate.check_cluster(message.cluster())?;
            core.admit_from(&message, now)?;
            Ok(core.handle_gossip(now, &message).to_field())
        })??;
        Ok(answer.map(|text| gate.sign_response(&proof, own, gate.with_cluster(text))))
    }

    /// A control request, authorised already.
    pub fn control(&self, online: bool) -> Result<(), Error> {
        self.shared.with_core(|core, now| core.handle_control(now, online))
    }

    /// A number that differs whenever [`Engine::entries`] would.
    pub fn version(&self) -> Result<u64, Error> {
        self.shared.with_core(|core, _| core.members().revision())
    }

    /// What has become of servers since this was asked last, the first of it: none once all is taken.
    pub fn take_events(&self) -> Vec<MemberEvent> {
        let events = self.shared.with_inner(|inner, _| {
            inner.collect();
            let rest = inner.events.split_off(inner.events.len().min(MAX_EVENTS));
            std::mem::replace(&mut inner.events, rest)
        });
        // A failed engine has said so.
        events.unwrap_or_default()
    }

    /// Gives `read` everything.
    pub fn look<R>(&self, read: impl FnOnce(&Core, Now) -> R) -> Result<R, Error> {
        self.shared.with_core(|core, now| read(core, now))
    }

    /// The wall time of an earlier moment.
    pub fn wall(&self, at: Duration, now: Now) -> u64 {
        self.shared.clock.wall(at, now)
    }

    /// What the exchanges that we began have cost.
    pub fn measured(&self) -> Measured {
        self.shared.meter.read()
    }

    /// How it is configured.
    pub fn settings(&self) -> &Settings {
        &self.shared.config.settings
    }

    /// A text in which no secret is.
    pub fn blanked(&self, text: &str) -> String {
        self.shared.secrets.blanked(text)
    }

    /// Gives `read` everything known, in the order of the hashes of the URLs, and a number that is the same as long as
    /// all of it but the stamps is.
    pub fn entries<R>(&self, read: impl FnOnce(u64, &mut dyn Iterator<Item = &Entry>) -> R) -> Result<R, Error> {
        self.shared.with_core(|core, _| read(core.members().digest(0).hash, &mut core.members().entries()))
    }
}

impl Drop for Engine {
    // Joined, because Node may unload the code that the thread runs.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // run() catches its panics.
            let _ = thread.join();
        }
    }
}

struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
    meter: Meter,
    secrets: Secrets,
    config: Config,
    wake: Notify,
    stop: AtomicBool,
    failed: AtomicBool,
    waiting: Mutex<Waiting>,
}

struct Inner {
    core: Core,
    // What has happened: not reported yet, and not told to the program yet. The latter does not grow while the program
    // hangs: after 5 s of that the core asks nobody, and so nothing comes in.
    notices: Vec<Event>,
    events: Vec<MemberEvent>,
}

impl Inner {
    fn collect(&mut self) {
        while let Some(notice) = self.core.poll_event() {
            if let Event::Member(event) = &notice {
                self.events.push(event.clone());
            }
            self.notices.push(notice);
        }
    }
}

// None once it is over.
struct Waiting {
    started: Option<Vec<Done>>,
    left: Option<Vec<Done>>,
}

impl Shared {
    /// The one way to the core. A panic in it is a defect of ours: the core is not used again, and everybody is told.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, Now) -> R) -> Result<R, Error> {
        self.with_inner(|inner, now| act(&mut inner.core, now))
    }

    fn with_inner<R>(&self, act: impl FnOnce(&mut Inner, Now) -> R) -> Result<R, Error> {
        if self.failed.load(Ordering::Acquire) {
            return Err(Error::Failed);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let before = inner.core.poll_timeout();
            let result = act(&mut inner, self.clock.now());
            let core = &inner.core;
            // The thread sleeps until `before`.
            let is_earlier = core.poll_timeout().is_some_and(|at| before.is_none_or(|before| at < before));
            (result, core.has_output() || is_earlier)
        }));
        let (result, wake) = if let Ok((result, wake)) = outcome {
            (Ok(result), wake)
        } else {
            self.failed.store(true, Ordering::Release);
            (Err(Error::Failed), true)
        };
        if wake {
            self.wake.notify_one();
        }
        result
    }

    fn validator<'a>(&'a self, now: Now, known: &'a dyn Fn(&str) -> Option<ServerUrl>) -> Validator<'a> {
        Validator { wall: now.wall, origins: &self.config.origins, known }
    }

    /// Sends a message and reads the answer.
    async fn gossip(
        &self,
        http: &Http,
        to: &ServerUrl,
        message: &Message,
        (timeout, fresh): (Duration, bool),
    ) -> Result<Message, ExchangeError> {
        let gate = &self.config.peer_auth;
        let other = |error: Error| ExchangeError::Other(error.to_string());
        let text = message.to_field().map(|text| gate.with_cluster(text));
        let request = gate.request(to, text.as_deref()).map_err(|why| ExchangeError::Other(why.into()))?;
        let body = message.to_json_with(text);
        self.meter.sent(body.len());
        let body = http.gossip(to, &request.header, body, timeout, fresh).await?;
        self.meter.received(body.len());
        let validator = self.validator(self.clock.now(), &|_| None);
        let answer = match request.nonce {
            None => Message::from_json(&body, validator).map_err(other)?,
            Some(nonce) => {
                let text = Message::field_of(&body).map_err(other)?;
                let text = text.as_deref().and_then(|text| gate.verify_response(&nonce, to, text));
                let answer = text.and_then(|text| Message::from_field(text, validator));
                answer
                    .ok_or_else(|| ExchangeError::Other("its answer is not signed with our secret".into()))?
                    .map_err(other)?
            }
        };
        gate.check_cluster(answer.cluster())
            .map_err(|error| ExchangeError::WrongCluster(format!("its answer: {error}")))?;
        Ok(answer)
    }

    fn run(self: Arc<Self>, observer: Observer) {
        let mut reporter = Reporter::new(observer, &self.secrets);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().max_blocking_threads(MAX_BLOCKING_THREADS).build();
            let runtime = runtime.map_err(|_| Error::Failed)?;
            let result = runtime.block_on(Arc::clone(&self).drive(&mut reporter));
            // A name look-up under way cannot be interrupted, and nobody waits for it.
            runtime.shutdown_background();
            result
        }));
        let result = outcome.unwrap_or(Err(Error::Failed));
        if result == Err(Error::Failed) {
            reporter.failed();
        }
        self.finish(&result);
    }

    async fn drive(self: Arc<Self>, reporter: &mut Reporter<'_>) -> Result<(), Error> {
        let (http, warnings) = Http::new(&self.config).map_err(|problem| Error::InvalidConfig(vec![problem]))?;
        reporter.warn(warnings);
        let weak = self.config.weak.iter();
        reporter.warn(weak.map(|weak| Report::warning("SHAZBOT_WEAK_SECRET", weak.clone())).collect());
        let state_file = self.config.state_file.clone().map(|path| Arc::new(StateFile::new(path)));
        // Neither may keep the program from ending.
        let mut known = pin!(async {
            find_ourselves(&self.config).await;
            match &state_file {
                Some(file) => Some(file.read().await),
                None => None,
            }
        });
        let mut state = None;
        while !self.stop.load(Ordering::Acquire) {
            tokio::select! {
                known = &mut known => {
                    state = known;
                    break;
                }
                () = self.wake.notified() => {}
            }
        }
        if let (Some(json), Some(file)) = (state, &state_file) {
            self.take_up_state(json, file, reporter)?;
        }
        let http = Arc::new(http);
        let mut tasks = JoinSet::new();
        let stores: Vec<_> =
            self.config.master_lists.lists.iter().map(|list| Arc::new(Store::new(list.clone()))).collect();
        let mut list_tasks: Vec<Option<AbortHandle>> = stores.iter().map(|_| None).collect();
        while !self.stop.load(Ordering::Acquire) {
            let (actions, notices, wait) = self.with_inner(|inner, now| {
                inner.core.handle_timeout(now);
                inner.collect();
                let actions: Vec<_> = std::iter::from_fn(|| inner.core.poll_action()).collect();
                let wait = inner.core.poll_timeout().map(|at| at.saturating_sub(now.mono));
                (actions, std::mem::take(&mut inner.notices), wait)
            })?;
            for notice in notices {
                match notice {
                    Event::Started => self.end_wait(|waiting| &mut waiting.started, &Ok(())),
                    Event::Left => return Ok(()),
                    notice => reporter.report(notice),
                }
            }
            for action in actions {
                match action {
                    Action::Gossip { id, to, message, timeout, new_connection } => {
                        let (shared, http) = (Arc::clone(&self), Arc::clone(&http));
                        tasks.spawn(async move {
                            let began = Instant::now();
                            let answer = shared.gossip(&http, &to, &message, (timeout, new_connection)).await;
                            // What a server that is alone asks itself is no exchange.
                            if to != shared.config.settings.base_url {
                                shared.meter.ended(&answer, began.elapsed());
                            }
                            shared.with_core(|core, now| core.handle_response(now, id, answer))
                        });
                    }
                    Action::SyncList { id, list, write, if_changed, timeout } => {
                        // The core waits for the newest only.
                        if let Some(earlier) = list_tasks[list].take() {
                            earlier.abort();
                        }
                        let (shared, http, store) = (Arc::clone(&self), Arc::clone(&http), Arc::clone(&stores[list]));
                        let sync = master_list::Sync { id, write, if_changed, timeout };
                        let sync = async move { master_list::sync(&shared, &http, &store, sync).await };
                        list_tasks[list] = Some(tasks.spawn(sync));
                    }
                    Action::SaveState(state) => {
                        let (shared, file) = (Arc::clone(&self), state_file.clone());
                        tasks.spawn(async move {
                            let Some(file) = file else { return Ok(()) };
                            let saved = file.save(&state).await;
                            shared.with_core(|core, _| core.handle_state_saved(saved))
                        });
                    }
                }
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)) => {}
                Some(ended) = tasks.join_next() => match ended {
                    Err(error) if error.is_panic() => return Err(Error::Failed),
                    _ => {}
                },
            }
        }
        Ok(())
    }

    fn take_up_state(
        &self,
        json: Result<Vec<u8>, String>,
        file: &StateFile,
        reporter: &Reporter<'_>,
    ) -> Result<(), Error> {
        let validator = self.validator(self.clock.now(), &|_| None);
        match json.and_then(|json| Message::from_master_list(&json, validator).map_err(|error| error.to_string())) {
            Ok(state) => self.with_core(|core, now| core.handle_saved_state(now, &state)),
            Err(error) => {
                let message = format!("the state file {file} is ignored: {error}");
                reporter.warn(vec![Report::warning("SHAZBOT_STATE_UNUSABLE", message)]);
                Ok(())
            }
        }
    }

    fn wait(&self, which: impl FnOnce(&mut Waiting) -> &mut Option<Vec<Done>>, done: Done) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = which(&mut waiting) {
            list.push(done);
        } else {
            drop(waiting);
            done(Ok(()));
        }
    }

    fn end_wait(&self, which: impl FnOnce(&mut Waiting) -> &mut Option<Vec<Done>>, result: &Result<(), Error>) {
        let ended = which(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner)).take();
        for done in ended.into_iter().flatten() {
            done(result.clone());
        }
    }

    fn finish(&self, result: &Result<(), Error>) {
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        self.end_wait(|waiting| &mut waiting.started, result);
        self.end_wait(|waiting| &mut waiting.left, &Ok(()));
    }
}

fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    // Without a source of randomness the clock must do: nothing secret depends on the seed.
    if ring::rand::SystemRandom::new().fill(&mut bytes).is_err() {
        return Clock::new().now().wall;
    }
    u64::from_ne_bytes(bytes)
}
