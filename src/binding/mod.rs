//! The native class `Engine` that JavaScript uses: converts values between JavaScript and Rust, and decides nothing.
//!
//! `lib/engine.js` creates one instance each time it is loaded. Failures are returned, not thrown: an error created here
//! would belong to the realm that loaded the addon, which under Jest is not the caller's. Lists cross the boundary packed:
//! two strings, a `Float64Array` and a `Uint8Array` cost a tenth of as many objects.

#![allow(clippy::needless_pass_by_value, reason = "napi hands arguments over by value")]

mod answering;
mod callbacks;
mod packed;
mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{
    AsyncTask, BigUint64ArraySlice, Buffer, Either, Float64ArraySlice, FnArgs, Function, PromiseRaw,
};
use napi::{Env, JsValue};
use napi_derive::napi;
use url::Url;

use crate::config::{Config, Environment};
use crate::engine::{Done, Engine, reason_against_list};
use crate::error::Error;
use crate::message::{State, Tags};
use crate::ownership::owners;

use answering::Answering;
use callbacks::{look_up, observer};
use packed::{PackedAnswer, PackedLists, PackedMessage, number, unpack};
use status::PackedStatus;

/// Why a call failed: the fields of a `ShazbotError`.
#[napi(object, object_from_js = false)]
pub struct Failure {
    pub code: &'static str,
    pub status: u16,
    pub message: String,
    /// What caused it, in words: for the program, not for clients.
    pub cause: Option<String>,
    /// The number of the system's error that caused it.
    pub errno: Option<i32>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (cause, errno) = error.cause().map_or((None, None), |(cause, errno)| (Some(cause.to_owned()), errno));
        Self { code: error.code(), status: error.status(), message: error.to_string(), cause, errno }
    }
}

type Settle = Box<dyn FnOnce(Env) -> napi::Result<Option<Failure>>>;
type Slot = Mutex<Option<Engine>>;

/// The gossip engine. It can be started again after `end`.
#[napi(js_name = "Engine")]
pub struct NodeEngine {
    slot: Arc<Slot>,
}

#[napi]
impl NodeEngine {
    #[napi(constructor)]
    pub fn new(env: Env) -> napi::Result<Self> {
        let slot = Arc::<Slot>::default();
        // The engine's thread must not outlive the worker thread that created it.
        env.add_env_cleanup_hook(Arc::downgrade(&slot), |slot| {
            if let Some(slot) = slot.upgrade() {
                drop(lock(&slot).take());
            }
        })?;
        Ok(Self { slot })
    }

    /// Starts the engine with the given environment variables and resolves after the first gossip round. If the engine
    /// runs already, the call only waits for that round. `onReport` gets each log record and warning: its code, its text
    /// and whether it is a warning. `lookUpServices` is asked for the SRV records of a name, for `endLookup`.
    /// `authorities` are the certificates that Node trusts instead of its built-in ones, in PEM.
    #[napi(ts_return_type = "Promise<Failure | null> | Failure")]
    pub fn start<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "NodeJS.ProcessEnv")] environment: Environment,
        on_report: Function<'_, FnArgs<(String, String, bool)>, ()>,
        look_up_services: Function<'_, FnArgs<(u32, String)>, ()>,
        authorities: Option<String>,
    ) -> napi::Result<Either<PromiseRaw<'env, Option<Failure>>, Failure>> {
        let mut slot = lock(&self.slot);
        if let Some(engine) = slot.as_ref() {
            return self::promise(env, |started| engine.when_started(started)).map(Either::A);
        }
        let mut config = match Config::from_environment(&environment) {
            Ok(config) => config,
            Err(error) => return Ok(Either::B(error.into())),
        };
        config.network.authorities = authorities;
        let (observer, look_up) = (observer(on_report)?, look_up(look_up_services)?);
        let promise = self::promise(env, |started| *slot = Some(Engine::start(config, observer, look_up, started)))?;
        Ok(Either::A(promise))
    }

    /// What `lookUpServices` has found: the hosts and the ports, in pairs, or why there are none. For the name `discover()`
    /// the URLs that the program's function returned, each with the port 0.
    #[napi]
    pub fn end_lookup(&self, number: u32, hosts: Vec<String>, ports: Vec<u16>, error: Option<String>) {
        if let Some(engine) = lock(&self.slot).as_ref() {
            engine.end_lookup(number, error.map_or_else(|| Ok(hosts.into_iter().zip(ports).collect()), Err));
        }
    }

    /// Gives a warning that JavaScript has found, unless it holds already for this subject. `onReport` gets it, and the
    /// status shows it until `endWarning`.
    #[napi]
    pub fn warn(&self, code: String, message: String, subject: Option<String>) {
        if let Some(engine) = lock(&self.slot).as_ref() {
            engine.warn(code, subject.as_deref().unwrap_or_default(), &message);
        }
    }

    /// The cause of a warning that JavaScript has found is gone.
    #[napi]
    pub fn end_warning(&self, code: String, subject: Option<String>) {
        if let Some(engine) = lock(&self.slot).as_ref() {
            engine.end_warning(&code, subject.as_deref().unwrap_or_default());
        }
    }

    /// Checks environment variables without starting: returns a failure that names all that are wrong, or a warning for
    /// each that is weak or probably not meant.
    #[napi]
    pub fn check(#[napi(ts_arg_type = "NodeJS.ProcessEnv")] environment: Environment) -> Either<Failure, Vec<String>> {
        match Config::from_environment(&environment) {
            Ok(config) => Either::B(config.warnings.into_iter().map(|warning| warning.message).collect()),
            Err(error) => Either::A(error.into()),
        }
    }

    /// For each URL, the reason for which a server with these environment variables would not list it. Null if it would,
    /// or if the variables are wrong.
    #[napi(ts_return_type = "Array<string | null>")]
    pub fn check_urls(
        #[napi(ts_arg_type = "NodeJS.ProcessEnv")] environment: Environment,
        urls: Vec<String>,
    ) -> Vec<Option<&'static str>> {
        let config = Config::from_environment(&environment).ok();
        let reason = |url: &String| config.as_ref()?.origins.parse(url).err();
        urls.iter().map(reason).collect()
    }

    /// The reason for which a master list is not read from the last of these URLs, to which those before it have redirected.
    /// `addresses` are those of its name, if it has one.
    #[napi]
    pub fn check_list_url(urls: Vec<String>, addresses: Vec<String>) -> Option<&'static str> {
        let Ok(urls) = urls.iter().map(|it| Url::parse(it)).collect::<Result<Vec<_>, _>>() else {
            return Some("it is not a URL");
        };
        let addresses: Vec<_> = addresses.iter().filter_map(|it| it.parse().ok()).collect();
        reason_against_list(&urls, &addresses)
    }

    /// Leaves the cluster and resolves when the other servers have been told. Call `end` afterwards.
    #[napi(ts_return_type = "Promise<Failure | null>")]
    pub fn leave<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<Failure>>> {
        promise(env, |left| match lock(&self.slot).as_ref() {
            Some(engine) => engine.leave(left),
            None => left(Ok(())),
        })
    }

    /// Ends the engine at once, without telling the other servers.
    #[napi]
    pub fn end(&self) {
        drop(lock(&self.slot).take());
    }

    /// Proves that the event loop is running. The engine stops gossiping when it gets no heartbeat for 5 s.
    #[napi]
    pub fn heartbeat(&self) {
        if let Some(engine) = lock(&self.slot).as_ref() {
            engine.heartbeat();
        }
    }

    /// How often to call `heartbeat`, in ms.
    #[napi(getter)]
    // JavaScript has getters of objects only.
    #[allow(clippy::unused_self)]
    pub fn heartbeat_interval(&self) -> u32 {
        Engine::heartbeat_interval().as_millis() as u32
    }

    /// Whether the engine is started and has not failed.
    #[napi]
    pub fn is_working(&self) -> bool {
        lock(&self.slot).as_ref().is_some_and(Engine::is_working)
    }

    /// Fails unless the header is the gossip secret and unsigned messages are accepted.
    #[napi]
    pub fn authorize_gossip(&self, header: String) -> Option<Failure> {
        failure(self.with(|engine| engine.inbound().authorize_gossip(&header)))
    }

    /// Fails unless the header is the control secret.
    #[napi]
    pub fn authorize_control(&self, header: String) -> Option<Failure> {
        failure(self.with(|engine| engine.inbound().authorize_control(&header)))
    }

    /// Merges the lists that a version 1 server sent, and returns this server's lists. Authorise the request first. `host`
    /// here and below: the `Host` header.
    #[napi]
    pub fn gossip(&self, message: PackedMessage, host: Option<String>) -> Either<PackedAnswer, Failure> {
        let entries = self.with(|engine| engine.inbound().at(host.as_deref()).gossip(unpack(&message)));
        either(entries.map(|entries| PackedAnswer::of(&entries)))
    }

    /// Checks the header of a protocol 2 message (its `shazbot` field), merges the message and returns the `shazbot` field
    /// of the answer. Null if the message is of a protocol that this version does not know.
    #[napi(ts_return_type = "string | null | Failure")]
    pub fn exchange(&self, header: String, message: String, host: Option<String>) -> Either<Option<String>, Failure> {
        either(self.with(|engine| engine.inbound().at(host.as_deref()).exchange(&header, &message)))
    }

    /// Checks the header of a gossip request and handles its body. Returns the body of the response.
    #[napi]
    pub fn answer(&self, header: String, body: &[u8], host: Option<String>) -> Either<String, Failure> {
        either(self.with(|engine| engine.inbound().at(host.as_deref()).answer(&header, body)))
    }

    /// The same on another thread, for a body so large that it would block the event loop. The body is copied first.
    #[napi(ts_return_type = "Promise<string | Failure> | Failure")]
    pub fn answer_on_thread(
        &self,
        header: String,
        body: &[u8],
        host: Option<String>,
    ) -> Either<AsyncTask<Answering>, Failure> {
        let inbound = self.with(|engine| Ok(engine.inbound().at(host.as_deref()).for_thread()));
        either(inbound.map(|inbound| AsyncTask::new(Answering { inbound, header, body: body.to_vec() })))
    }

    /// Whether a list request with this header may see the offline servers. Fails if it may not see the list at all.
    #[napi]
    pub fn authorize_list(&self, header: String) -> Either<bool, Failure> {
        either(self.with(|engine| engine.inbound().authorize_list(&header)))
    }

    /// Drains this server (false), or lists it online again (true).
    #[napi]
    pub fn control(&self, online: bool) -> Option<Failure> {
        failure(self.with(|engine| engine.inbound().control(online)))
    }

    /// A number that changes whenever the result of `list` changes.
    #[napi]
    pub fn list_version(&self) -> Either<f64, Failure> {
        either(self.with(|engine| Ok(engine.version()? as f64)))
    }

    /// The `digest` that the result of `list` has now: it changes whenever anything except `lastUpdates` does.
    #[napi]
    pub fn list_digest(&self) -> Either<f64, Failure> {
        either(self.with(|engine| engine.entries(|digest, _| number(digest))))
    }

    /// All servers that the engine knows, and if asked for the tags and the hashes of those online.
    #[napi]
    pub fn list(&self, with_details: bool) -> Either<PackedLists, Failure> {
        // JavaScript values are created after the lock is released: that takes longer than the lock may be held.
        either(self.with(|engine| engine.entries(|digest, entries| PackedLists::of(digest, entries, with_details))))
    }

    /// The base URLs of the suspects: those online that do not answer this server.
    #[napi]
    pub fn suspects(&self) -> Either<Vec<String>, Failure> {
        either(self.with(|engine| engine.look(|core, _| core.suspects().map(ToString::to_string).collect())))
    }

    /// Replaces the tags of this server: keys and values in turn.
    #[napi]
    pub fn set_tags(&self, pairs: Vec<String>) -> Option<Failure> {
        let mut texts = pairs.into_iter();
        let pairs = std::iter::from_fn(|| Some((texts.next()?, texts.next()?)));
        let tags = Tags::new(pairs).map_err(Error::InvalidTags);
        failure(self.with(|engine| engine.set_tags(tags?)))
    }

    /// Whether this server may be given work.
    #[napi]
    pub fn set_ready(&self, is_ready: bool) -> Option<Failure> {
        failure(self.with(|engine| engine.set_ready(is_ready)))
    }

    /// The program could not reach the server with this base URL: it is probed, at a bounded rate.
    #[napi]
    pub fn hint(&self, url: String) -> Option<Failure> {
        failure(self.with(|engine| engine.hint(&url)))
    }

    /// The places in `servers`, hashes of `list`, of the first owners of a key.
    #[napi]
    pub fn owners(key: String, servers: BigUint64ArraySlice<'_>, count: u32) -> Vec<u32> {
        owners(&key, &servers, count as usize).into_iter().map(|place| place as u32).collect()
    }

    /// The body of the response to a list request: the same as `list`, as JSON.
    #[napi]
    pub fn list_json(&self, includes_offline: bool) -> Either<Buffer, Failure> {
        either(self.with(|engine| engine.entries(|_, entries| packed::list_json(entries, includes_offline).into())))
    }

    /// Updates the `lastUpdates` arrays of a list in place, and returns true, if nothing else has changed since `list`
    /// returned it with this digest. New arrays would cost three times as much as writing to these.
    #[napi]
    #[allow(unsafe_code, reason = "napi offers no other way to write to an array of JavaScript")]
    pub fn refresh_last_updates(
        &self,
        digest: f64,
        mut online: Float64ArraySlice<'_>,
        mut offline: Float64ArraySlice<'_>,
    ) -> Either<bool, Failure> {
        // SAFETY: lib/server-lists.js passes two different arrays, both from `list`. No other thread sees them, and
        // JavaScript waits for this call.
        let (online, offline) = unsafe { (online.as_mut(), offline.as_mut()) };
        either(self.with(|engine| {
            engine.entries(|now, entries| {
                let is_same = number(now).total_cmp(&digest).is_eq();
                if is_same {
                    let (mut online, mut offline) = (online.iter_mut(), offline.iter_mut());
                    for entry in entries {
                        let next = if entry.state == State::Online { online.next() } else { offline.next() };
                        if let Some(stamp) = next {
                            *stamp = entry.stamp as f64;
                        }
                    }
                }
                is_same
            })
        }))
    }

    /// The oldest member events that were not yet taken, as JSON rows (see `binding/status.rs`). Empty text if there are
    /// no more; call it until then.
    #[napi]
    pub fn take_events(&self) -> String {
        let events = lock(&self.slot).as_ref().map(Engine::take_events).unwrap_or_default();
        if events.is_empty() { String::new() } else { status::events(&events) }
    }

    /// The status of this server and of all members.
    #[napi]
    pub fn status(&self) -> Either<PackedStatus, Failure> {
        either(self.with(status::status))
    }

    /// `ready`, or why this server cannot be given work.
    #[napi]
    pub fn health(&self) -> &'static str {
        self.with(status::health).unwrap_or("not started")
    }

    /// Whether another server, or this one itself, has found this process at its base URL.
    #[napi]
    pub fn is_found(&self) -> bool {
        self.with(status::is_found).unwrap_or(false)
    }

    /// Counters since the start, as a JSON row (see `binding/status.rs`).
    #[napi]
    pub fn counters(&self) -> Either<String, Failure> {
        either(self.with(status::counters))
    }

    fn with<R>(&self, act: impl FnOnce(&Engine) -> Result<R, Error>) -> Result<R, Error> {
        lock(&self.slot).as_ref().map_or(Err(Error::NotStarted), act)
    }
}

fn lock(slot: &Slot) -> MutexGuard<'_, Option<Engine>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failure(result: Result<(), Error>) -> Option<Failure> {
    result.err().map(Failure::from)
}

fn either<T>(result: Result<T, Error>) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.into()),
    }
}

// Creates a promise and hands `act` the function that resolves it, which may be called on any thread.
fn promise(env: &Env, act: impl FnOnce(Done)) -> napi::Result<PromiseRaw<'_, Option<Failure>>> {
    let (deferred, promise) = env.create_deferred::<Option<Failure>, Settle>()?;
    act(Box::new(move |result| {
        deferred.resolve(Box::new(move |_| Ok(failure(result))));
    }));
    Ok(PromiseRaw::new(env.raw(), promise.raw()))
}
