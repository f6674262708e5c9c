//! Lists as they cross the boundary.

use napi::bindgen_prelude::{Float64Array, Uint8Array};
use napi_derive::napi;
use serde::{Serialize, Serializer};

use crate::message::{Entry, EntryV2, RawEntry, State};

// The same bits are in lib/packed.js.
const MONITOR: u8 = 1;
const OFFLINE: u8 = 2;
const HAS_URL: u8 = 4;
const HAS_MONITOR: u8 = 8;
const HAS_LIFE: u8 = 16;

/// What a version 1 server says, the same number of parts in each field.
#[napi(object, object_to_js = false)]
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
    texts.zip(numbers).map(|((url, v2), (stamp, flags))| {
        let has = |bit| flags & bit != 0;
        let entry = RawEntry {
            url: has(HAS_URL).then_some(url),
            monitor: has(HAS_MONITOR).then_some(has(MONITOR)),
            stamp: (!stamp.is_nan()).then_some(*stamp),
            v2: has(HAS_LIFE).then_some(v2),
        };
        (if has(OFFLINE) { State::Offline } else { State::Online }, entry)
    })
}

/// The lists that are the answer to a version 1 server.
#[napi(object, object_from_js = false)]
pub struct Answer {
    pub online: Servers,
    pub offline: Servers,
}

/// The lists that callers are told of.
#[napi(object, object_from_js = false)]
pub struct Lists {
    /// The same as long as all but the stamps is.
    pub digest: f64,
    pub online: Servers,
    pub offline: Servers,
}

/// Some servers, the same number of parts in each field. Strings are in a JSON array: what is parsed from it is stringified
/// faster than what is cut from a longer string.
#[napi(object, object_from_js = false)]
pub struct Servers {
    /// Base URLs.
    pub urls: String,
    /// The `shazbot` fields, null where there is none. None where they are not told.
    pub lives: Option<String>,
    /// The bits above.
    pub flags: Uint8Array,
    /// The `lastUpdate` fields.
    pub stamps: Float64Array,
}

impl Answer {
    pub fn of(entries: &[Entry]) -> Self {
        let [online, offline] = by_state(&mut entries.iter());
        Self { online: Servers::of(&online, true), offline: Servers::of(&offline, true) }
    }
}

impl Lists {
    pub fn of(digest: u64, entries: &mut dyn Iterator<Item = &Entry>) -> Self {
        let [online, offline] = by_state(entries);
        let [online, offline] = [Servers::of(&online, false), Servers::of(&offline, false)];
        Self { digest: number(digest), online, offline }
    }
}

impl Servers {
    fn of(entries: &[&Entry], with_lives: bool) -> Self {
        let urls = json(entries.iter().map(|entry| entry.url.as_str()));
        let lives = with_lives.then(|| json(entries.iter().map(|entry| entry.v2.as_ref().map(Text))));
        let flags = entries.iter().map(|entry| if entry.monitor { MONITOR } else { 0 }).collect::<Vec<_>>();
        let stamps = entries.iter().map(|entry| entry.stamp as f64).collect::<Vec<_>>();
        Self { urls, lives, flags: flags.into(), stamps: stamps.into() }
    }
}

/// As much of a digest as a number in JavaScript holds exactly.
pub fn number(digest: u64) -> f64 {
    (digest >> 11) as f64
}

fn by_state<'a>(entries: &mut dyn Iterator<Item = &'a Entry>) -> [Vec<&'a Entry>; 2] {
    let (online, offline) = entries.partition(|entry| entry.state == State::Online);
    [online, offline]
}

struct Text<'a>(&'a EntryV2);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

fn json(items: impl Iterator<Item = impl Serialize>) -> String {
    // Writing strings to memory does not fail.
    serde_json::to_string(&items.collect::<Vec<_>>()).unwrap_or_default()
}
