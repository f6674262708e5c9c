//! What Node sees: one class, which `index.js` makes once for each time it is loaded. It takes no decision.
//!
//! Refusals are returned, not thrown: an error made here would belong to the realm that loaded the addon, which under
//! Jest is not the caller's. Lists cross packed: a string, a `Float64Array` and a `Uint8Array` cost a tenth of what as
//! many objects would.

#![allow(clippy::needless_pass_by_value, reason = "napi hands arguments over by value")]

mod packed;
mod status;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{Either, Float64ArraySlice, FnArgs, Function, PromiseRaw};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, JsValue, Status};
use napi_derive::napi;

use crate::config::{Config, Environment};
use crate::engine::{Done, Engine, Report};
use crate::error::Error;
use crate::message::{ServerUrl, State};

use packed::{Answer, Lists, Packed, number, unpack};

/// Log records that wait for a busy event loop; more are dropped. Warnings, which come once each, are not.
const MAX_WAITING_RECORDS: usize = 1_000;

/// Why a call was refused.
#[napi(object, object_from_js = false)]
pub struct Failure {
    pub code: &'static str,
    pub status: u16,
    pub message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: error.code(), status: error.status(), message: error.to_string() }
    }
}

type Observe = ThreadsafeFunction<Report, (), FnArgs<(String, String, bool)>, Status, false, true>;
type Settle = Box<dyn FnOnce(Env) -> napi::Result<Option<Failure>>>;
type Slot = Mutex<Option<Engine>>;

/// The engine of one load of the package.
#[napi(js_name = "Engine")]
pub struct NodeEngine {
    slot: Arc<Slot>,
}

#[napi]
impl NodeEngine {
    #[napi(constructor)]
    pub fn new(env: Env) -> napi::Result<Self> {
        let slot = Arc::<Slot>::default();
        // The engine's thread must not outlive the worker thread that it works for.
        env.add_env_cleanup_hook(Arc::downgrade(&slot), |slot| {
            if let Some(slot) = slot.upgrade() {
                drop(lock(&slot).take());
            }
        })?;
        Ok(Self { slot })
    }

    /// Starts the engine with the environment; resolves when its first round is over. One that is there is left alone.
    /// `observe` is called with code, text and whether it is a warning.
    #[napi(ts_return_type = "Promise<Failure | null> | Failure")]
    pub fn start<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "NodeJS.ProcessEnv")] environment: Environment,
        observe: Function<'_, FnArgs<(String, String, bool)>, ()>,
    ) -> napi::Result<Either<PromiseRaw<'env, Option<Failure>>, Failure>> {
        let mut slot = lock(&self.slot);
        if let Some(engine) = slot.as_ref() {
            return self::promise(env, |started| engine.when_started(started)).map(Either::A);
        }
        let config = match Config::from_environment(&environment) {
            Ok(config) => config,
            Err(error) => return Ok(Either::B(error.into())),
        };
        let waiting = Arc::new(AtomicUsize::new(0));
        let delivered = Arc::clone(&waiting);
        // Made here and not before: as long as it is there, Jest sees an open handle.
        let observe: Observe =
            observe.build_threadsafe_function::<Report>().weak::<true>().callee_handled::<false>().build_callback(
                move |context| {
                    delivered.fetch_sub(1, Ordering::Relaxed);
                    let Report { code, message, is_warning } = context.value;
                    Ok(FnArgs::from((code.to_owned(), message, is_warning)))
                },
            )?;
        let observer = Box::new(move |report: Report| {
            if report.is_warning || waiting.load(Ordering::Relaxed) < MAX_WAITING_RECORDS {
                waiting.fetch_add(1, Ordering::Relaxed);
                // Where the event loop is gone, nobody listens.
                observe.call(report, ThreadsafeFunctionCallMode::NonBlocking);
            }
        });
        let promise = self::promise(env, |started| *slot = Some(Engine::start(config, observer, started)))?;
        Ok(Either::A(promise))
    }

    /// What is wrong with an environment, which is not used otherwise; or what of it deserves a warning.
    #[napi]
    pub fn check(#[napi(ts_arg_type = "NodeJS.ProcessEnv")] environment: Environment) -> Either<Failure, Vec<String>> {
        match Config::from_environment(&environment) {
            Ok(config) => Either::B(config.weak),
            Err(error) => Either::A(error.into()),
        }
    }

    /// Why servers with these URLs would not be listed here, with this environment; null where they would, or where it is
    /// itself wrong.
    #[napi(ts_return_type = "Array<string | null>")]
    pub fn refusals(
        #[napi(ts_arg_type = "NodeJS.ProcessEnv")] environment: Environment,
        urls: Vec<String>,
    ) -> Vec<Option<&'static str>> {
        let config = Config::from_environment(&environment).ok();
        let why = |url: &String| ServerUrl::parse_allowed(url, &config.as_ref()?.origins).err();
        urls.iter().map(why).collect()
    }

    /// Leaves the cluster; resolves when that is over. Call `end` then.
    #[napi(ts_return_type = "Promise<Failure | null>")]
    pub fn leave<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<Failure>>> {
        promise(env, |left| match lock(&self.slot).as_ref() {
            Some(engine) => engine.leave(left),
            None => left(Ok(())),
        })
    }

    /// Ends the engine, whatever it does.
    #[napi]
    pub fn end(&self) {
        drop(lock(&self.slot).take());
    }

    /// Says that the event loop turns.
    #[napi]
    pub fn beat(&self) {
        if let Some(engine) = lock(&self.slot).as_ref() {
            engine.beat();
        }
    }

    /// Whether the engine is started and works.
    #[napi]
    pub fn is_working(&self) -> bool {
        lock(&self.slot).as_ref().is_some_and(Engine::is_working)
    }

    /// Whether a header is the gossip secret, and that is taken.
    #[napi]
    pub fn authorize_gossip(&self, header: String) -> Option<Failure> {
        failure(self.with(|engine| engine.authorize_gossip(&header)))
    }

    /// Whether a header is the control secret.
    #[napi]
    pub fn authorize_control(&self, header: String) -> Option<Failure> {
        failure(self.with(|engine| engine.authorize_control(&header)))
    }

    /// Takes in the lists of a version 1 server, and returns ours.
    #[napi]
    pub fn gossip(&self, message: Packed) -> Either<Answer, Failure> {
        either(self.with(|engine| engine.gossip(unpack(&message))).map(|entries| Answer::of(&entries)))
    }

    /// Takes in what a server of ours says, if the header is right, and returns the answer. Null where it speaks another
    /// protocol.
    #[napi(ts_return_type = "string | null | Failure")]
    pub fn exchange(&self, header: String, message: String) -> Either<Option<String>, Failure> {
        either(self.with(|engine| engine.exchange(&header, &message)))
    }

    /// Whether a request for the list with this header is shown the offline servers too.
    #[napi]
    pub fn authorize_list(&self, header: String) -> Either<bool, Failure> {
        either(self.with(|engine| engine.authorize_list(&header)))
    }

    /// Drains this server, or brings it back.
    #[napi]
    pub fn control(&self, online: bool) -> Option<Failure> {
        failure(self.with(|engine| engine.control(online)))
    }

    /// A number that differs whenever `list` would.
    #[napi]
    pub fn version(&self) -> Either<f64, Failure> {
        either(self.with(|engine| Ok(engine.version()? as f64)))
    }

    /// Everything known.
    #[napi]
    pub fn list(&self) -> Either<Lists, Failure> {
        // No JavaScript value is made yet: that takes longer than the lock may be held.
        either(self.with(|engine| engine.entries(|digest, entries| Lists::of(digest, entries))))
    }

    /// Whether all but the stamps is still as in the list that came with this digest. Then its stamps are brought up to
    /// date: written over, because to make and collect an array costs three times what is in it.
    #[napi]
    #[allow(unsafe_code, reason = "napi writes to an array of JavaScript only so")]
    pub fn refresh(
        &self,
        digest: f64,
        mut online: Float64ArraySlice<'_>,
        mut offline: Float64ArraySlice<'_>,
    ) -> Either<bool, Failure> {
        // SAFETY: lib/requests.js has them from `list`, two different ones that no other thread sees, and it waits.
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

    /// What has become of servers since this was asked last, the first of it, as JSON; empty once all is taken.
    #[napi]
    pub fn take_events(&self) -> String {
        let events = lock(&self.slot).as_ref().map(Engine::take_events).unwrap_or_default();
        if events.is_empty() { String::new() } else { status::events(&events) }
    }

    /// How this server sees itself and the others, as JSON.
    #[napi]
    pub fn status(&self) -> Either<String, Failure> {
        either(self.with(status::status))
    }

    /// Counters since the start, as JSON.
    #[napi]
    pub fn figures(&self) -> Either<String, Failure> {
        either(self.with(status::figures))
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

// A promise, and what settles it from any thread.
fn promise(env: &Env, act: impl FnOnce(Done)) -> napi::Result<PromiseRaw<'_, Option<Failure>>> {
    let (deferred, promise) = env.create_deferred::<Option<Failure>, Settle>()?;
    act(Box::new(move |result| {
        deferred.resolve(Box::new(move |_| Ok(failure(result))));
    }));
    Ok(PromiseRaw::new(env.raw(), promise.raw()))
}
