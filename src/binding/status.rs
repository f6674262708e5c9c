//! Writes member events and the counters as JSON arrays without property names, and the members as JSON objects.
//!
//! `lib/events.js`, `lib/status.js` and `lib/counters.js` turn the arrays into objects. Arrays cost less time and code than objects.

use std::fmt::Write;
use std::time::Duration;

use napi_derive::napi;
use serde::Serialize;

use crate::clock::Now;
use crate::engine::{DURATION_BOUNDS, Engine, ExchangeTotals};
use crate::error::Error;
use crate::membership::{LastFailure, Member};
use crate::message::{Entry, OWN_VERSION, Reason, ServerUrl, State, Tags};
use crate::protocol::{Core, FailureCode, ListStatus, MemberEvent, MemberEventKind};

/// Member events: `[[kind, URL, whether it is a monitor, last update, reason, author, at, known after, tags, code
/// and text of the failure, whether it is ready], …]`.
pub fn events(events: &[MemberEvent]) -> String {
    let mut json = JsonArray::default();
    json.list(|json| {
        for event in events {
            json.list(|json| {
                json.text(Some(match event.kind {
                    MemberEventKind::Online => "online",
                    MemberEventKind::Offline | MemberEventKind::Tombstone => "offline",
                    MemberEventKind::Suspect => "suspect",
                    MemberEventKind::Tags => "tags",
                    MemberEventKind::Ready => "ready",
                }));
                entry(json, &event.entry);
                json.number(event.at);
                json.number(event.known_after);
                json.tags(event.entry.tags().as_ref());
                json.text(event.failure.as_ref().map(|failure| failure.code.to_string()).as_deref());
                json.text(event.failure.as_ref().map(|failure| failure.text.as_str()));
                json.number(u64::from(event.entry.is_ready()));
            });
        }
    });
    json.0
}

/// The status of this server and of all members.
#[napi(object, object_from_js = false)]
pub struct PackedStatus {
    /// `[now, interval in ms, own URL, own state, whether it is a monitor, last inbound at, its URL, last outbound at, its URL,
    /// [[code, message, since, subject], …] of the warnings that hold, how many more hold]` as JSON.
    pub own: String,
    /// The members as a JSON array of `MemberStatus` objects: with 10 000 of them, creating objects only to write them as JSON
    /// would block the event loop for 40 ms.
    pub members: String,
}

pub fn status(engine: &Engine) -> Result<PackedStatus, Error> {
    let settings = engine.settings();
    engine.look(|core, now| {
        let counters = core.counters();
        let own = core.members().local();
        let mut json = JsonArray::default();
        json.list(|json| {
            json.number(now.wall);
            json.number(settings.interval.as_millis() as u64);
            json.text(Some(settings.base_url.as_str()));
            json.text(Some(own_state(own)));
            json.number(u64::from(own.is_some_and(|own| own.monitor)));
            json.maybe(counters.last_inbound.as_ref().map(|(at, _)| *at));
            json.text(counters.last_inbound.as_ref().and_then(|(_, from)| from.as_ref()).map(ServerUrl::as_str));
            json.maybe(counters.last_outbound.as_ref().map(|(at, _)| *at));
            json.text(counters.last_outbound.as_ref().map(|(_, to)| to.as_str()));
            warnings(json, engine, now);
        });
        let members: Vec<_> = core.members().iter().map(|it| MemberStatus::of(engine, core, it, now)).collect();
        // Serialising strings and numbers to memory cannot fail.
        PackedStatus { own: json.0, members: serde_json::to_string(&members).unwrap_or_default() }
    })
}

/// In short, whether this server can be given work: `ready`, or why not.
pub fn health(engine: &Engine) -> Result<&'static str, Error> {
    engine.look(|core, _| match core.members().local() {
        own if own_state(own) != "online" => own_state(own),
        _ if !engine.is_started() => "starting",
        Some(own) if !own.is_ready() => "not ready",
        _ => "ready",
    })
}

/// Whether this process was found at its base URL.
pub fn is_found(engine: &Engine) -> Result<bool, Error> {
    engine.look(|core, _| core.is_found())
}

fn own_state(own: Option<&Entry>) -> &'static str {
    let reason = own.and_then(|own| own.v2.as_ref()?.reason);
    match (own.map(|own| own.state), reason) {
        (Some(State::Offline), Some(Reason::Left)) => "left",
        (Some(State::Offline), _) => "drained",
        _ => "online",
    }
}

/// `MemberStatus` of index.d.ts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberStatus<'a> {
    base_url: &'a str,
    monitor: bool,
    last_update: u64,
    state: &'static str,
    protocol: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<u64>,
    since: u64,
    changed_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard: Option<u64>,
    failures: u32,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<ExchangeFailure<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Tags>,
}

/// `ExchangeFailure` of index.d.ts.
#[derive(Serialize)]
struct ExchangeFailure<'a> {
    code: String,
    message: &'a str,
    at: u64,
}

impl<'a> MemberStatus<'a> {
    fn of(engine: &Engine, core: &Core, member: &'a Member, now: Now) -> Self {
        let entry = &member.entry;
        // Calculated from the age, because the wall clock may have been changed since.
        let wall = |at: Duration| engine.wall(at, now);
        let (reason, author) = why_offline(entry);
        Self {
            base_url: entry.url.as_str(),
            monitor: entry.monitor,
            last_update: entry.stamp,
            state: match entry.state {
                State::Offline => "offline",
                State::Online if core.is_suspect(&entry.url) => "suspect",
                State::Online => "online",
            },
            protocol: if entry.v2.is_some() { 2 } else { 1 },
            reason,
            // A server that left or was drained is its own author.
            by: author.filter(|author| *author != entry.url.as_str()),
            incarnation: entry.v2.as_ref().map(|v2| v2.incarnation),
            since: wall(member.first_seen()),
            changed_at: wall(core.changed_at(member)),
            answered: member.last_answered().map(wall),
            heard: member.last_seen().map(wall),
            failures: member.failures(),
            last_error: member.last_failure().map(|LastFailure { failure, at, .. }| ExchangeFailure {
                code: failure.code.to_string(),
                message: &failure.text,
                at: wall(*at),
            }),
            ready: entry.is_ready(),
            version: if entry.url == *core.members().local_url() { Some(OWN_VERSION) } else { member.version() },
            tags: entry.tags(),
        }
    }
}

/// Counters since the start: `[exchanges by result, upper bounds of the duration histogram in ms, exchanges in each class, sum
/// of the durations in ms, bytes sent and received, [updates, suspicions, deaths, refutations], members by state, master
/// lists, [watches open, closed by the other side, vanished, not opened, probes that hints started], [code and number
/// of the members whose last exchange failed so, in turn], [code and number of the warnings that hold, in turn]]`.
pub fn counters(engine: &Engine) -> Result<String, Error> {
    let ExchangeTotals { outcomes, durations, total_duration, bytes } = engine.exchange_totals();
    engine.look(|core, now| {
        let counters = core.counters();
        let mut states = [0_u64; 6];
        // A map would be faster, and some kB larger in the binary. There are few different codes.
        let mut failures = Vec::<(FailureCode, u64)>::new();
        for it in core.members().iter() {
            let state = state(core, &it.entry);
            states[state] += 1;
            // It is expected that a server which left does not answer.
            if let Some(last) = it.last_failure().filter(|_| state != DRAINED && state != LEFT) {
                let code = last.failure.code;
                match failures.iter_mut().find(|(known, _)| *known == code) {
                    Some((_, count)) => *count += 1,
                    None => failures.push((code, 1)),
                }
            }
        }
        let mut json = JsonArray::default();
        json.list(|json| {
            json.numbers(&outcomes);
            json.numbers(&DURATION_BOUNDS);
            json.numbers(&durations);
            json.number(total_duration.as_millis() as u64);
            json.numbers(&bytes);
            json.numbers(&[counters.updates, counters.suspicions, counters.failures, counters.refutations]);
            json.numbers(&states);
            json.list(|json| {
                for (name, status) in core.list_statuses() {
                    json.list(|json| list(json, engine, name, status));
                }
            });
            let watches = counters.watches;
            let open = core.open_watches() as u64;
            json.numbers(&[open, watches.closed, watches.vanished, watches.not_opened, watches.probes]);
            json.list(|json| {
                for (code, count) in failures {
                    json.text(Some(&code.to_string()));
                    json.number(count);
                }
            });
            engine.look_at_warnings(|warnings| {
                json.list(|json| {
                    for (code, count) in warnings.counts(now.mono) {
                        json.text(Some(code));
                        json.number(count);
                    }
                });
            });
        });
        json.0
    })
}

fn warnings(json: &mut JsonArray, engine: &Engine, now: Now) {
    engine.look_at_warnings(|warnings| {
        let (shown, more) = warnings.shown(now.mono);
        json.list(|json| {
            for warning in shown {
                json.list(|json| {
                    json.text(Some(&warning.code));
                    json.text(Some(&warning.message));
                    json.number(engine.wall(warning.since, now));
                    json.text(warning.subject().map(|it| engine.redact(it)).as_deref());
                });
            }
        });
        json.number(more as u64);
    });
}

fn entry(json: &mut JsonArray, entry: &Entry) {
    let (reason, author) = why_offline(entry);
    json.text(Some(entry.url.as_str()));
    json.number(u64::from(entry.monitor));
    json.number(entry.stamp);
    json.text(reason);
    json.text(author);
}

// The reason and its author.
fn why_offline(entry: &Entry) -> (Option<&'static str>, Option<&str>) {
    let v2 = entry.v2.as_ref().filter(|_| entry.state == State::Offline);
    let reason = v2.and_then(|v2| v2.reason).and_then(|reason| match reason {
        Reason::Failed => Some("failed"),
        Reason::Drained => Some("drained"),
        Reason::Left => Some("left"),
        Reason::Other(_) => None,
    });
    (reason, v2.and_then(|v2| v2.author.as_ref()).map(ServerUrl::as_str))
}

// Indices of states: online, suspect, drained, left, failed, offline for an unknown reason.
const DRAINED: usize = 2;
const LEFT: usize = 3;

fn state(core: &Core, entry: &Entry) -> usize {
    if entry.state == State::Online {
        return usize::from(core.is_suspect(&entry.url));
    }
    match entry.v2.as_ref().and_then(|v2| v2.reason) {
        Some(Reason::Drained) => DRAINED,
        Some(Reason::Left) => LEFT,
        Some(Reason::Failed) => 4,
        Some(Reason::Other(_)) | None => 5,
    }
}

fn list(json: &mut JsonArray, engine: &Engine, name: &str, status: &ListStatus) {
    json.text(Some(name));
    json.maybe(status.read);
    json.maybe(status.written);
    json.number(status.servers as u64);
    json.number(status.failing.as_ref().map_or(0, |(times, _)| u64::from(*times)));
    json.number(status.failed);
    json.text(status.failing.as_ref().map(|(_, error)| engine.redact(error)).as_deref());
}

// Writes nested JSON arrays of numbers, strings and nulls. With `serde_json::Value` the binary would grow by 30 kB.
#[derive(Default)]
struct JsonArray(String);

impl JsonArray {
    fn list(&mut self, write: impl FnOnce(&mut Self)) {
        self.next();
        self.0.push('[');
        write(self);
        self.0.push(']');
    }

    fn numbers(&mut self, numbers: &[u64]) {
        self.list(|json| numbers.iter().for_each(|number| json.number(*number)));
    }

    #[inline(never)]
    fn maybe(&mut self, number: Option<u64>) {
        self.next();
        // Writing to memory cannot fail.
        let _ = match number {
            Some(number) => write!(self.0, "{number}"),
            None => self.0.write_str("null"),
        };
    }

    fn number(&mut self, number: u64) {
        self.maybe(Some(number));
    }

    #[inline(never)]
    fn text(&mut self, text: Option<&str>) {
        self.next();
        self.0.push_str(&json(text));
    }

    fn tags(&mut self, tags: Option<&Tags>) {
        self.next();
        // Serialising strings to memory cannot fail.
        self.0.push_str(&serde_json::to_string(&tags).unwrap_or_default());
    }

    fn next(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with('[') {
            self.0.push(',');
        }
    }
}

fn json(text: Option<&str>) -> String {
    serde_json::to_string(&text).unwrap_or_default()
}
