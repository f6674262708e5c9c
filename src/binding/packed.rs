//! Packs lists of servers into strings and typed arrays to cross between Rust and JavaScript; see `lib/packed-lists.js`.

use napi::bindgen_prelude::{BigUint64Array, Float64Array, Uint8Array};
use napi_derive::napi;
use serde::{Serialize, Serializer};

use crate::message::{Entry, EntryV2, RawEntry, State};

// Bits of `flags`. lib/packed-lists.js has the same.
const MONITOR: u8 = 1;
const OFFLINE: u8 = 2;
const HAS_URL: u8 = 4;
const HAS_MONITOR: u8 = 8;
const HAS_SHAZBOT: u8 = 16;
const NOT_READY: u8 = 32;

/// The lists of a version 1 message: item i of each field belongs to server i.
#[napi(object, object_to_js = false)]
pub struct PackedMessage {
    /// Base URLs, joined by line feeds.
    pub urls: String,
    /// The `shazbot` fields, joined by line feeds.
    pub shazbot_fields: String,
    /// The `lastUpdate` fields; NaN for one that is not a number.
    pub last_updates: Float64Array,
    /// Bits that `lib/packed-lists.js` defines.
    pub flags: Uint8Array,
}

/// Splits a message into its entries.
pub fn unpack(packed: &PackedMessage) -> impl Iterator<Item = (State, RawEntry<'_>)> {
    let texts = packed.urls.split('\n').zip(packed.shazbot_fields.split('\n').chain(std::iter::repeat("")));
    let numbers = packed.last_updates.iter().zip(packed.flags.iter());
    texts.zip(numbers).map(|((url, v2), (stamp, flags))| {
        let has = |bit| flags & bit != 0;
        let entry = RawEntry {
            url: has(HAS_URL).then_some(url),
            monitor: has(HAS_MONITOR).then_some(has(MONITOR)),
            stamp: (!stamp.is_nan()).then_some(*stamp),
            v2: has(HAS_SHAZBOT).then_some(v2),
        };
        (if has(OFFLINE) { State::Offline } else { State::Online }, entry)
    })
}

/// The answer to a version 1 message.
#[napi(object, object_from_js = false)]
pub struct PackedAnswer {
    pub online: PackedServers,
    pub offline: PackedServers,
}

/// All servers that the engine knows.
#[napi(object, object_from_js = false)]
pub struct PackedLists {
    /// Changes when anything except `lastUpdates` changes.
    pub digest: f64,
    pub online: PackedServers,
    pub offline: PackedServers,
    /// The tags of the online servers as a JSON array, null for a server whose tags are not known. Only if asked for.
    pub tags: Option<String>,
    /// The hashes of the base URLs of the online servers, for `Engine.owners`. Only if asked for.
    pub hashes: Option<BigUint64Array>,
}

/// A list of servers: item i of each field belongs to server i. Strings come as a JSON array, because V8 serialises strings
/// that were parsed faster than those that were cut from a longer string.
#[napi(object, object_from_js = false)]
pub struct PackedServers {
    /// Base URLs, as a JSON array.
    pub urls: String,
    /// The `shazbot` fields as a JSON array, null for a server without one. Only in an answer to another server.
    pub shazbot_fields: Option<String>,
    /// Bits that `lib/packed-lists.js` defines.
    pub flags: Uint8Array,
    /// The `lastUpdate` fields.
    pub last_updates: Float64Array,
}

impl PackedAnswer {
    pub fn of(entries: &[Entry]) -> Self {
        let [online, offline] = by_state(&mut entries.iter());
        Self { online: PackedServers::of(&online, true), offline: PackedServers::of(&offline, true) }
    }
}

impl PackedLists {
    pub fn of(digest: u64, entries: &mut dyn Iterator<Item = &Entry>, with_details: bool) -> Self {
        let [online, offline] = by_state(entries);
        let tags = with_details.then(|| json(online.iter().map(|entry| entry.tags())));
        let hashes = with_details.then(|| online.iter().map(|entry| entry.url.key()).collect::<Vec<_>>().into());
        let [online, offline] = [PackedServers::of(&online, false), PackedServers::of(&offline, false)];
        Self { digest: number(digest), online, offline, tags, hashes }
    }
}

impl PackedServers {
    fn of(entries: &[&Entry], with_shazbot_fields: bool) -> Self {
        let urls = json(entries.iter().map(|entry| entry.url.as_str()));
        let shazbot_fields = with_shazbot_fields.then(|| json(entries.iter().map(|entry| entry.v2.as_ref().map(Text))));
        let flags = |entry: &&Entry| {
            let monitor = if entry.monitor { MONITOR } else { 0 };
            if entry.is_ready() { monitor } else { monitor | NOT_READY }
        };
        let flags = entries.iter().map(flags).collect::<Vec<_>>();
        let last_updates = entries.iter().map(|entry| entry.stamp as f64).collect::<Vec<_>>();
        Self { urls, shazbot_fields, flags: flags.into(), last_updates: last_updates.into() }
    }
}

/// All servers as a JSON object with the lists `online` and, if asked for, `offline`.
pub fn list_json(entries: &mut dyn Iterator<Item = &Entry>, includes_offline: bool) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Server<'a> {
        base_url: &'a str,
        monitor: bool,
        last_update: u64,
    }
    #[derive(Serialize)]
    struct Lists<'a> {
        online: Vec<Server<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        offline: Option<Vec<Server<'a>>>,
    }
    let [online, offline] = by_state(entries).map(|entries| {
        let servers = entries.into_iter().map(|entry| Server {
            base_url: entry.url.as_str(),
            monitor: entry.monitor,
            last_update: entry.stamp,
        });
        servers.collect()
    });
    let lists = Lists { online, offline: includes_offline.then_some(offline) };
    // Serialising strings and numbers to memory cannot fail.
    serde_json::to_vec(&lists).unwrap_or_default()
}

/// The 53 bits of a digest that a JavaScript number holds exactly.
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
    // Serialising strings to memory cannot fail.
    serde_json::to_string(&items.collect::<Vec<_>>()).unwrap_or_default()
}
