//! Lists as they cross the boundary.

use std::fmt::Write;

use napi::bindgen_prelude::{Float64Array, Uint8Array};
use napi_derive::napi;

use crate::message::{Entry, RawEntry, State};

// The same bits are in lib/packed.js.
const MONITOR: u8 = 1;
const OFFLINE: u8 = 2;
const HAS_URL: u8 = 4;
const HAS_MONITOR: u8 = 8;
const HAS_LIFE: u8 = 16;

/// Servers, the same number of parts in each field.
#[napi(object)]
pub struct Packed {
    /// Base URLs, joined by line feeds.
    pub urls: String,
    /// The `shazbot` fields, joined by line feeds.
    pub lives: String,
    /// The `lastUpdate` fields; NaN where it is no number.
    pub stamps: Float64Array,
    /// The bits above.
    pub flags: Uint8Array,
}

/// Takes a message apart.
pub fn unpack(packed: &Packed) -> impl Iterator<Item = (State, RawEntry<'_>)> {
    let texts = packed.urls.split('\n').zip(packed.lives.split('\n').chain(std::iter::repeat("")));
    let numbers = packed.stamps.iter().zip(packed.flags.iter());
    texts.zip(numbers).map(|((url, life), (stamp, flags))| {
        let has = |bit| flags & bit != 0;
        let entry = RawEntry {
            url: has(HAS_URL).then_some(url),
            monitor: has(HAS_MONITOR).then_some(has(MONITOR)),
            stamp: (!stamp.is_nan()).then_some(*stamp),
            life: has(HAS_LIFE).then_some(life),
        };
        (if has(OFFLINE) { State::Offline } else { State::Online }, entry)
    })
}

/// Puts a message together.
pub fn pack(entries: &[Entry]) -> Packed {
    let mut lives = String::new();
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            lives.push('\n');
        }
        if let Some(life) = &entry.life {
            // Writing to a string does not fail.
            let _ = write!(lives, "{life}");
        }
    }
    let has_life = |entry: &Entry| if entry.life.is_some() { HAS_LIFE } else { 0 };
    let flags = entries.iter().map(|entry| flags(entry) | has_life(entry)).collect::<Vec<_>>();
    let stamps = entries.iter().map(|entry| entry.stamp as f64).collect::<Vec<_>>();
    Packed { urls: joined(entries.iter()), lives, stamps: stamps.into(), flags: flags.into() }
}

/// The servers that callers are told of.
#[napi(object, object_from_js = false)]
pub struct List {
    /// The same as long as all of it but the stamps is.
    pub digest: f64,
    pub online: Servers,
    pub offline: Servers,
}

/// Some of them, the same number of parts in each field.
#[napi(object, object_from_js = false)]
pub struct Servers {
    /// Base URLs, joined by line feeds.
    pub urls: String,
    /// The bits above.
    pub flags: Uint8Array,
    /// The `lastUpdate` fields.
    pub stamps: Float64Array,
}

impl List {
    pub fn of<'a>(digest: u64, entries: impl Iterator<Item = &'a Entry>) -> Self {
        let (online, offline) = entries.partition::<Vec<_>, _>(|entry| entry.state == State::Online);
        let servers = |entries: &[&Entry]| Servers {
            urls: joined(entries.iter().copied()),
            flags: entries.iter().map(|entry| flags(entry)).collect::<Vec<_>>().into(),
            stamps: entries.iter().map(|entry| entry.stamp as f64).collect::<Vec<_>>().into(),
        };
        Self { digest: number(digest), online: servers(&online), offline: servers(&offline) }
    }
}

/// As much of a digest as a number in JavaScript holds exactly.
pub fn number(digest: u64) -> f64 {
    (digest >> 11) as f64
}

fn joined<'a>(entries: impl ExactSizeIterator<Item = &'a Entry>) -> String {
    let mut urls = String::with_capacity(entries.len() * 40);
    for (index, entry) in entries.enumerate() {
        if index > 0 {
            urls.push('\n');
        }
        urls.push_str(entry.url.as_str());
    }
    urls
}

fn flags(entry: &Entry) -> u8 {
    let state = if entry.state == State::Offline { OFFLINE } else { 0 };
    if entry.monitor { state | MONITOR } else { state }
}
