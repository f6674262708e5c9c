//! Writes member events, the status and the counters as JSON arrays without property names.
//!
//! `lib/events.js`, `lib/status.js` and `lib/counters.js` turn them into objects. Arrays cost less time and code than objects.

use std::fmt::Write;
use std::time::Duration;

use crate::clock::Now;
use crate::engine::{DURATION_BOUNDS, Engine, ExchangeTotals};
use crate::error::Error;
use crate::membership::Member;
use crate::message::{Entry, Reason, ServerUrl, State};
use crate::protocol::{Core, ListStatus, MemberEvent, MemberEventKind};

// lib/decode.js has the same bits.
const MONITOR: u64 = 1;
const OFFLINE: u64 = 2;
const SUSPECT: u64 = 4;
const PROTOCOL_2: u64 = 8;

/// Member events: `[[kind, URL, bits, last update, reason, author, at, known after], …]`.
pub fn events(events: &[MemberEvent]) -> String {
    let mut json = JsonArray::default();
    json.list(|json| {
        for event in events {
            json.list(|json| {
                json.text(Some(match event.kind {
                    MemberEventKind::Online => "online",
                    MemberEventKind::Offline => "offline",
                    MemberEventKind::Suspect => "suspect",
                }));
                entry(json, &event.entry, 0);
                json.number(event.at);
                json.number(event.known_after);
            });
        }
    });
    json.0
}

/// The status: `[now, interval in ms, own URL, last inbound at, its URL, last outbound at, its URL, members]`.
pub fn status(engine: &Engine) -> Result<String, Error> {
    let settings = engine.settings();
    engine.look(|core, now| {
        let counters = core.counters();
        let mut json = JsonArray::default();
        json.list(|json| {
            json.number(now.wall);
            json.number(settings.interval.as_millis() as u64);
            json.text(Some(settings.base_url.as_str()));
            json.maybe(counters.last_inbound.as_ref().map(|(at, _)| *at));
            json.text(counters.last_inbound.as_ref().and_then(|(_, from)| from.as_ref()).map(ServerUrl::as_str));
            json.maybe(counters.last_outbound.as_ref().map(|(at, _)| *at));
            json.text(counters.last_outbound.as_ref().map(|(_, to)| to.as_str()));
            json.list(|json| {
                for it in core.members().iter() {
                    json.list(|json| member(json, engine, core, it, now));
                }
            });
        });
        json.0
    })
}

/// Counters since the start: `[exchanges by result, upper bounds of the duration histogram in ms, exchanges in each class, sum
/// of the durations in ms, bytes sent and received, [updates, suspicions, deaths, refutations], members by state, master
/// lists]`.
pub fn counters(engine: &Engine) -> Result<String, Error> {
    let ExchangeTotals { outcomes, durations, total_duration, bytes } = engine.exchange_totals();
    engine.look(|core, _| {
        let counters = core.counters();
        let mut states = [0_u64; 6];
        for it in core.members().iter() {
            states[state(core, &it.entry)] += 1;
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
        });
        json.0
    })
}

fn member(json: &mut JsonArray, engine: &Engine, core: &Core, member: &Member, now: Now) {
    // Calculated from the age, because the wall clock may have been changed since.
    let wall = |at: Duration| engine.wall(at, now);
    entry(json, &member.entry, if core.is_suspect(&member.entry.url) { SUSPECT } else { 0 });
    json.maybe(member.entry.v2.as_ref().map(|v2| v2.incarnation));
    json.number(wall(member.first_seen()));
    json.maybe(member.last_answered().map(wall));
    json.maybe(member.last_heard().map(wall));
    json.number(u64::from(member.failures()));
}

fn entry(json: &mut JsonArray, entry: &Entry, mut bits: u64) {
    bits |= if entry.monitor { MONITOR } else { 0 };
    bits |= if entry.state == State::Offline { OFFLINE } else { 0 };
    bits |= if entry.v2.is_some() { PROTOCOL_2 } else { 0 };
    let v2 = entry.v2.as_ref().filter(|_| entry.state == State::Offline);
    json.text(Some(entry.url.as_str()));
    json.number(bits);
    json.number(entry.stamp);
    json.text(v2.and_then(|v2| v2.reason).map(|reason| match reason {
        Reason::Failed => "failed",
        Reason::Drained => "drained",
        Reason::Left => "left",
    }));
    json.text(v2.and_then(|v2| v2.author.as_ref()).map(ServerUrl::as_str));
}

// Index of a state: online, suspect, drained, left, failed, offline for an unknown reason.
fn state(core: &Core, entry: &Entry) -> usize {
    if entry.state == State::Online {
        return usize::from(core.is_suspect(&entry.url));
    }
    match entry.v2.as_ref().and_then(|v2| v2.reason) {
        Some(Reason::Drained) => 2,
        Some(Reason::Left) => 3,
        Some(Reason::Failed) => 4,
        None => 5,
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

    fn next(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with('[') {
            self.0.push(',');
        }
    }
}

fn json(text: Option<&str>) -> String {
    serde_json::to_string(&text).unwrap_or_default()
}
