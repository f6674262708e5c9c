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

/// Puts a list together.
pub fn pack(entries: &[Entry], with_lives: bool) -> Packed {
    let mut urls = String::with_capacity(entries.len() * 40);
    let mut lives = String::new();
    let mut flags = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            urls.push('\n');
            lives.push('\n');
        }
        urls.push_str(entry.url.as_str());
        let life = entry.life.as_ref().filter(|_| with_lives);
        if let Some(life) = life {
            // Writing to a string does not fail.
            let _ = write!(lives, "{life}");
        }
        flags.push(
            if entry.monitor { MONITOR } else { 0 }
                | if entry.state == State::Offline { OFFLINE } else { 0 }
                | if life.is_some() { HAS_LIFE } else { 0 },
        );
    }
    let stamps = entries.iter().map(|entry| entry.stamp as f64).collect::<Vec<_>>();
    Packed { urls, lives, stamps: stamps.into(), flags: flags.into() }
}
