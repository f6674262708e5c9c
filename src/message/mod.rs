//! What goes over the wire: servers' entries, gossip messages, master lists. Whatever comes in is checked here;
//! inside there are only valid values.

mod envelope;
mod json;
mod url;

use std::fmt;

use crate::error::Error;
use crate::origins::Origins;

pub use envelope::{Digest, Envelope, Freshness, MAX_BUCKETS, MAX_FRESHNESS_STAMPS};
pub use url::{MAX_URL, ServerUrl, stable_hash};

/// Most entries of one message or list: twice the largest cluster we are built for, its dead included.
pub const MAX_ENTRIES: usize = 50_000;
/// How far ahead of our clock a stamp may be, ms: two clocks an hour wrong either way, and an hour to spare.
pub const MAX_AHEAD: u64 = 3 * 3_600_000;
/// How many skipped entries are named: of one message, and in the life of an engine, lest a peer that invents them
/// fills the memory.
pub const MAX_NAMED: usize = 1_000;
/// The largest integer that a JavaScript number holds exactly.
const MAX_STAMP: f64 = 9_007_199_254_740_992.0;

/// Whether a server is listed online or offline. Offline is the greater: at equal versions it wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Up, as far as anybody knows.
    Online,
    /// Left, drained or dead.
    Offline,
}

/// Why a server is offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Others could not reach it.
    Failed,
    /// It was taken out by a control request, and goes on running.
    Drained,
    /// It shut down.
    Left,
}

/// What an entry of a server of ours carries besides v1's fields. v1 peers keep it and pass it on.
///
/// On the wire it is the string field `shazbot` of an entry: `<incarnation>.<instance>[.<reason>[.<author>]]`, the
/// incarnation decimal, the instance hexadecimal, the reason `f`, `d` or `l`, the author a base URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryV2 {
    /// The version of the server's life and death, which only the server itself raises. Begins at its wall clock, ms.
    pub incarnation: u64,
    /// A random number of its process.
    pub instance: u32,
    /// Why it is offline. None where it is online, and where a v1 peer called it offline.
    pub reason: Option<Reason>,
    /// Who called it offline. None where it is online, and where a v1 peer called it offline.
    pub author: Option<ServerUrl>,
}

impl EntryV2 {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let incarnation = parts.next()?.parse().ok()?;
        let instance = u32::from_str_radix(parts.next()?, 16).ok()?;
        // A reason that a later version may add is none that we know.
        let reason = parts.next().and_then(|letter| match letter {
            "f" => Some(Reason::Failed),
            "d" => Some(Reason::Drained),
            "l" => Some(Reason::Left),
            _ => None,
        });
        let author = parts.next().map(ServerUrl::parse).transpose().ok()?;
        // Without a reason it would get lost on the way on, and servers would hold different entries for one word.
        Some(Self { incarnation, instance, reason, author: reason.and(author) })
    }
}

impl fmt::Display for EntryV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.incarnation, self.instance)?;
        let Some(reason) = self.reason else { return Ok(()) };
        f.write_str(match reason {
            Reason::Failed => ".f",
            Reason::Drained => ".d",
            Reason::Left => ".l",
        })?;
        self.author.as_ref().map_or(Ok(()), |author| write!(f, ".{author}"))
    }
}

/// What is known, or said, of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which server.
    pub url: ServerUrl,
    /// Whether it is a monitor.
    pub monitor: bool,
    /// Online or offline.
    pub state: State,
    /// `lastUpdate`: wall time, ms since the epoch. Of an online server, when it last vouched for itself, by its own
    /// clock; of an offline one, when it was called so, as near to its own clock as the caller knew it.
    pub stamp: u64,
    /// What servers of ours say besides; v1 servers have none.
    pub v2: Option<EntryV2>,
}

impl Entry {
    /// How many bytes it takes in a message, at most: as JSON, for a version 1 server.
    pub fn size(&self) -> usize {
        let digits = |number: u64| number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let v2 = self.v2.as_ref().map_or(0, |v2| {
            let author = v2.author.as_ref().map_or(0, |author| author.as_str().len());
            r#","shazbot":".ffffffff.f.""#.len() + digits(v2.incarnation) + author
        });
        r#"{"baseUrl":"","monitor":false,"lastUpdate":},"#.len() + self.url.as_str().len() + digits(self.stamp) + v2
    }

    /// The process that it is of; None where it is of version 1.
    pub fn instance(&self) -> Option<u32> {
        self.v2.as_ref().map(|v2| v2.instance)
    }

    /// Whether it says that a server is dead, and not that it left or was drained.
    pub fn is_failure(&self) -> bool {
        let reason = self.v2.as_ref().and_then(|v2| v2.reason);
        self.state == State::Offline && !matches!(reason, Some(Reason::Left | Reason::Drained))
    }
}

/// What the words of others are held to where they come in.
#[derive(Clone, Copy)]
pub struct Validator<'a> {
    /// Our clock, ms since the epoch.
    pub wall: u64,
    /// Whom we may list. None: anybody, where nothing is listed by it.
    pub origins: Option<&'a Origins>,
    /// Gives the URL of a server that is listed under the very same text, which spares the checks.
    pub known: &'a dyn Fn(&str) -> Option<ServerUrl>,
}

impl Validator<'_> {
    fn server(&self, text: &str) -> Result<ServerUrl, &'static str> {
        let parse =
            || self.origins.map_or_else(|| ServerUrl::parse(text), |origins| ServerUrl::parse_allowed(text, origins));
        (self.known)(text).map_or_else(parse, Ok)
    }
}

/// An entry before it is checked, in whatever form it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawEntry<'a> {
    /// Its `baseUrl`, if that is a string.
    pub url: Option<&'a str>,
    /// Its `monitor`, if that is a boolean.
    pub monitor: Option<bool>,
    /// Its `lastUpdate`, if that is a number.
    pub stamp: Option<f64>,
    /// Its `shazbot`; anything but a string is given as the empty one, which is malformed too.
    pub v2: Option<&'a str>,
}

impl RawEntry<'_> {
    fn check(self, state: State, validator: Validator<'_>) -> Result<Entry, &'static str> {
        let text = self.url.ok_or("it is no object with a baseUrl string")?;
        let url = validator.server(text)?;
        let monitor = self.monitor.ok_or("its monitor is missing or no boolean")?;
        let stamp = self.stamp.ok_or("its lastUpdate is missing or no number")?;
        if !(0.0..=MAX_STAMP).contains(&stamp) {
            return Err("its lastUpdate is not between 0 and 2^53");
        }
        let stamp = stamp as u64;
        let v2 = self.v2.map(|text| EntryV2::parse(text).ok_or("its shazbot field is malformed")).transpose()?;
        let newest = v2.as_ref().map_or(stamp, |v2| stamp.max(v2.incarnation));
        if newest > validator.wall + MAX_AHEAD {
            return Err("it is stamped over 3 h ahead of our clock");
        }
        Ok(Entry { url, monitor, state, stamp, v2 })
    }
}

/// An entry that was not taken: its URL, shortened, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// The URL as it came, without user name and password, cut to 200 characters, control characters escaped; empty
    /// where it has none.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Whether this can be the name of a cluster: it goes over the wire as it is.
pub fn is_cluster_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// The content of a gossip message or of a master list, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What is said of servers and acceptable, in the order it came.
    pub entries: Vec<Entry>,
    /// The first of what is not.
    pub skipped: Vec<Skipped>,
    /// What servers of ours tell each other besides. None: a version 1 server sent it, or is to understand all of it.
    pub envelope: Option<Envelope>,
}

impl Message {
    /// A message as version 1 sends it.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, skipped: Vec::new(), envelope: None }
    }

    /// A message of ours. The first entry is the sender's own.
    pub fn new_v2(own: Entry, others: impl IntoIterator<Item = Entry>, envelope: Envelope) -> Self {
        let sender = Some(own.url.clone());
        let entries = std::iter::once(own).chain(others).collect();
        Self { entries, skipped: Vec::new(), envelope: Some(Envelope { sender, ..envelope }) }
    }

    /// The name of the sender's cluster, if it has one.
    pub fn cluster(&self) -> Option<&str> {
        self.envelope.as_ref()?.cluster.as_deref()
    }

    /// Whether a server of ours sent it.
    pub fn is_v2(&self) -> bool {
        self.envelope.is_some()
    }

    /// What a version 1 server finds in its lists. Of a message of ours that is the sender, whom it may meet by it.
    pub fn lists(&self) -> &[Entry] {
        let shown = if self.is_v2() { 1 } else { self.entries.len() };
        &self.entries[..shown.min(self.entries.len())]
    }

    /// Checks entries that have been taken out of their message.
    pub fn from_raw<'a>(
        raw: impl IntoIterator<Item = (State, RawEntry<'a>)>,
        validator: Validator<'_>,
    ) -> Result<Self, Error> {
        let mut message = Self::default();
        for (index, (state, entry)) in raw.into_iter().enumerate() {
            if index >= MAX_ENTRIES {
                return Err(too_many_entries());
            }
            message.take(state, entry, validator);
        }
        Ok(message)
    }

    fn take(&mut self, state: State, entry: RawEntry<'_>, validator: Validator<'_>) {
        match entry.check(state, validator) {
            Ok(entry) => self.entries.push(entry),
            Err(reason) if self.skipped.len() < MAX_NAMED => {
                self.skipped.push(Skipped { name: printable(entry.url.unwrap_or_default()), reason });
            }
            Err(_) => {}
        }
    }
}

fn too_many_entries() -> Error {
    Error::TooLarge(format!("A message holds at most {MAX_ENTRIES} servers"))
}

fn printable(url: &str) -> String {
    // A query may be a signature; a user name and a password may stand before an @.
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let masked = url.rsplit_once('@').map(|(before, after)| {
        let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
        format!("{scheme}***@{after}")
    });
    masked.as_deref().unwrap_or(url).chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use super::*;

    pub(crate) const WALL: u64 = 1_800_000_000_000;

    static ORIGINS: LazyLock<Origins> =
        LazyLock::new(|| Origins::new(&ServerUrl::parse("http://own/").expect("valid"), None).expect("valid"));

    pub(crate) fn validator() -> Validator<'static> {
        Validator { wall: WALL, origins: Some(&ORIGINS), known: &|_| None }
    }

    #[test]
    fn a_life_survives_the_wire() {
        for text in ["1.0", "1800000000000.ffffffff", "7.a.f.http://a.b:1/", "7.a.d.http://a/", "7.a.l", "7.a.f"] {
            assert_eq!(EntryV2::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "1", "1.", ".1", "-1.1", "1.g", "1.1.f.nowhere", "99999999999999999999.1"] {
            assert_eq!(EntryV2::parse(text), None, "{text}");
        }
    }

    #[test]
    fn of_a_reason_that_a_later_version_adds_nothing_is_kept_that_is_not_passed_on() {
        let v2 = EntryV2::parse("7.a.x.http://a/").expect("a v2");
        assert_eq!(EntryV2::parse(&v2.to_string()), Some(v2));
    }

    #[test]
    fn the_name_of_a_bad_entry_shows_no_password() {
        let name = |url: &str| printable(url);
        assert_eq!(name("http://user:hunter2@a/"), "http://***@a/");
        assert_eq!(name("user:hunter2@a"), "***@a");
        assert_eq!(name(&format!("http://{}@a/", "x".repeat(300))), "http://***@a/");
        assert_eq!(name("http://a/\n"), "http://a/\\n");
        assert_eq!(name("http://a/?signature=hunter2"), "http://a/");
    }

    #[test]
    fn a_message_of_too_many_entries_is_refused_whole() {
        let entries = std::iter::repeat_n((State::Online, RawEntry::default()), MAX_ENTRIES + 1);
        assert!(matches!(Message::from_raw(entries, validator()), Err(Error::TooLarge(_))));
    }
}
