//! What goes over the wire: servers' entries, gossip messages, master lists. Whatever comes in is checked here;
//! inside there are only valid values.

use std::borrow::Borrow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::ser::{SerializeSeq, SerializeStruct, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use url::{Host, Url};

use crate::error::Error;

/// Most characters of a base URL: what servers, proxies and browsers commonly accept.
pub const MAX_URL: usize = 2048;
/// Most entries of one message or list: twice the largest cluster we are built for, its dead included.
pub const MAX_ENTRIES: usize = 50_000;
/// How far ahead of our clock a stamp may be, ms: two clocks an hour wrong either way, and an hour to spare.
pub const MAX_AHEAD: u64 = 3 * 3_600_000;
/// How many skipped entries are named: of one message, and in the life of an engine, lest a peer that invents them
/// fills the memory.
pub const MAX_NAMED: usize = 1_000;
/// The largest integer that a JavaScript number holds exactly.
const MAX_STAMP: f64 = 9_007_199_254_740_992.0;

/// The base URL of a server, normalised, so that aliases of one server are one. Ends in `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerUrl(Arc<str>);

impl ServerUrl {
    /// Checks and normalises a base URL; the error says what is wrong with it, without repeating it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().count() > MAX_URL {
            return Err("its URL is over 2048 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("its URL has control characters");
        }
        let mut url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => "its URL is not absolute",
            _ => "its URL is malformed",
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("its URL is neither http nor https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("its URL has a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("its URL has a query or a fragment");
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if address.is_some_and(is_link_local) {
            return Err("its address is link-local, where no server of a cluster is");
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        // Normalising may have escaped what was in it.
        if url.as_str().len() > MAX_URL {
            return Err("its URL is over 2048 characters");
        }
        Ok(Self(url.as_str().into()))
    }

    /// The URL, ending in `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether an address is link-local: 169.254.0.0/16 is where clouds answer requests for a machine's credentials.
pub fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

impl Borrow<str> for ServerUrl {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

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
pub struct Life {
    /// The version of the server's life and death, which only the server itself raises. Begins at its wall clock, ms.
    pub incarnation: u64,
    /// A random number of its process.
    pub instance: u32,
    /// Why it is offline. None where it is online, and where a v1 peer called it offline.
    pub reason: Option<Reason>,
    /// Who called it offline. None where it is online, and where a v1 peer called it offline.
    pub author: Option<ServerUrl>,
}

impl Life {
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
        Some(Self { incarnation, instance, reason, author })
    }
}

impl fmt::Display for Life {
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
    pub life: Option<Life>,
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
    pub life: Option<&'a str>,
}

impl RawEntry<'_> {
    // `known` gives the URL of a server that is known under the very same text, which spares the parsing.
    fn check(self, state: State, wall: u64, known: impl Fn(&str) -> Option<ServerUrl>) -> Result<Entry, &'static str> {
        let text = self.url.ok_or("it is no object with a baseUrl string")?;
        let url = known(text).map_or_else(|| ServerUrl::parse(text), Ok)?;
        let monitor = self.monitor.ok_or("its monitor is missing or no boolean")?;
        let stamp = self.stamp.ok_or("its lastUpdate is missing or no number")?;
        if !(0.0..=MAX_STAMP).contains(&stamp) {
            return Err("its lastUpdate is not between 0 and 2^53");
        }
        let stamp = stamp as u64;
        let life = self.life.map(|text| Life::parse(text).ok_or("its shazbot field is malformed")).transpose()?;
        let newest = life.as_ref().map_or(stamp, |life| stamp.max(life.incarnation));
        if newest > wall + MAX_AHEAD {
            return Err("it is stamped over 3 h ahead of our clock");
        }
        Ok(Entry { url, monitor, state, stamp, life })
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

/// The content of a gossip message or of a master list, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What is acceptable, in the order it came.
    pub entries: Vec<Entry>,
    /// The first of what is not.
    pub skipped: Vec<Skipped>,
}

impl Message {
    /// What a version 1 server finds in its lists.
    pub fn lists(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a server of ours sent it.
    pub fn is_ours(&self) -> bool {
        false
    }

    /// A message to send.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, skipped: Vec::new() }
    }

    /// Checks entries that have been taken out of their message. `wall` is our clock, ms; `known` gives the URL of a
    /// server that is known under the very same text.
    pub fn from_raw<'a>(
        raw: impl IntoIterator<Item = (State, RawEntry<'a>)>,
        wall: u64,
        known: impl Fn(&str) -> Option<ServerUrl>,
    ) -> Result<Self, Error> {
        let mut message = Self::default();
        for (index, (state, entry)) in raw.into_iter().enumerate() {
            if index >= MAX_ENTRIES {
                return Err(Error::TooLarge(format!("A message holds at most {MAX_ENTRIES} servers")));
            }
            match entry.check(state, wall, &known) {
                Ok(entry) => message.entries.push(entry),
                Err(reason) if message.skipped.len() < MAX_NAMED => {
                    message.skipped.push(Skipped { name: printable(entry.url.unwrap_or_default()), reason });
                }
                Err(_) => {}
            }
        }
        Ok(message)
    }

    /// Reads the answer of a peer.
    pub fn from_json(json: &[u8], wall: u64) -> Result<Self, Error> {
        let parts = Parts::of(json)?;
        if parts.message.is_none_or(|message| message.get() != "\"gossip\"") {
            return Err(Error::InvalidMessage("It is no gossip message: its message is not \"gossip\"".into()));
        }
        parts.read(wall, raw_entry)
    }

    /// Reads a master list. Nothing at all is an empty list; a server written by hand needs no more than a `baseUrl`.
    pub fn from_master_list(json: &[u8], wall: u64) -> Result<Self, Error> {
        if json.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        Parts::of(json)?.read(wall, |value| {
            let raw = raw_entry(value);
            RawEntry {
                monitor: raw.monitor.or(value.get("monitor").is_none().then_some(false)),
                stamp: raw.stamp.or(value.get("lastUpdate").is_none().then_some(0.0)),
                ..raw
            }
        })
    }

    /// The body of a gossip request.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(&Wire { message: Some("gossip"), entries: &self.entries, offline: true })
    }

    /// The body of a master list: the online servers alone.
    pub fn to_master_list(&self) -> Vec<u8> {
        to_json(&Wire { message: None, entries: &self.entries, offline: false })
    }
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

// The parts of a message as the text they are, so that what cannot be decoded spoils its own entry alone.
#[derive(serde::Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    online: Option<&'a RawValue>,
    #[serde(borrow)]
    offline: Option<&'a RawValue>,
}

impl<'a> Parts<'a> {
    fn of(json: &'a [u8]) -> Result<Self, Error> {
        // serde would take an array for the fields in their order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::InvalidMessage("It is not a JSON object".into()));
        }
        serde_json::from_slice(json).map_err(|error| Error::InvalidMessage(format!("It is not JSON: {error}")))
    }

    fn read(&self, wall: u64, raw: impl Fn(&Value) -> RawEntry<'_>) -> Result<Message, Error> {
        let list = |name: &str, part: Option<&'a RawValue>| match part.map(|part| serde_json::from_str(part.get())) {
            Some(Ok(list)) => Ok(list),
            None if name == "offline" => Ok(Vec::new()),
            None | Some(Err(_)) => Err(Error::InvalidMessage(format!("Its {name} is not an array"))),
        };
        let values = |list: Vec<&'a RawValue>| -> Vec<Value> {
            list.into_iter().map(|entry| serde_json::from_str(entry.get()).unwrap_or_default()).collect()
        };
        let (online, offline) = (values(list("online", self.online)?), values(list("offline", self.offline)?));
        let online = online.iter().map(|value| (State::Online, raw(value)));
        let offline = offline.iter().map(|value| (State::Offline, raw(value)));
        Message::from_raw(online.chain(offline), wall, |_| None)
    }
}

fn raw_entry(value: &Value) -> RawEntry<'_> {
    RawEntry {
        url: value.get("baseUrl").and_then(Value::as_str),
        monitor: value.get("monitor").and_then(Value::as_bool),
        stamp: value.get("lastUpdate").and_then(Value::as_f64),
        life: value.get("shazbot").map(|life| life.as_str().unwrap_or_default()),
    }
}

fn to_json(wire: &Wire<'_>) -> Vec<u8> {
    // Serialising strings and numbers to memory has no way to fail.
    serde_json::to_vec(wire).unwrap_or_default()
}

struct Wire<'a> {
    message: Option<&'static str>,
    entries: &'a [Entry],
    offline: bool,
}

impl serde::Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Message", 3)?;
        if let Some(message) = self.message {
            fields.serialize_field("message", message)?;
        }
        fields.serialize_field("online", &WireList(self.entries, State::Online))?;
        if self.offline {
            fields.serialize_field("offline", &WireList(self.entries, State::Offline))?;
        }
        fields.end()
    }
}

struct WireList<'a>(&'a [Entry], State);

impl serde::Serialize for WireList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for entry in self.0.iter().filter(|entry| entry.state == self.1) {
            list.serialize_element(entry)?;
        }
        list.end()
    }
}

impl serde::Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Entry", 4)?;
        fields.serialize_field("baseUrl", self.url.as_str())?;
        fields.serialize_field("monitor", &self.monitor)?;
        fields.serialize_field("lastUpdate", &self.stamp)?;
        if let Some(life) = &self.life {
            fields.serialize_field("shazbot", &life.to_string())?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_800_000_000_000;

    fn read(json: &str) -> Result<Message, Error> {
        Message::from_json(json.as_bytes(), WALL)
    }

    #[test]
    fn aliases_of_one_server_are_one() {
        let url = |text| ServerUrl::parse(text).expect(text);
        for alias in ["http://a:80", "http://A/", "HTTP://a:80/", "http://a/."] {
            assert_eq!(url(alias).as_str(), "http://a/");
        }
        assert_eq!(url("https://a:3000/app").as_str(), "https://a:3000/app/");
    }

    #[test]
    fn urls_that_no_server_has_are_refused() {
        let long = format!("http://a/{}", "x".repeat(MAX_URL));
        let long_when_escaped = format!("http://a/{}", "é".repeat(MAX_URL / 2));
        for (text, reason) in [
            ("", "not absolute"),
            ("/clustershazbot", "not absolute"),
            ("ftp://a/", "neither http nor https"),
            ("file:///etc/passwd", "neither http nor https"),
            ("http://user@a/", "user name"),
            ("http://:pass@a/", "password"),
            ("http://a/\u{0}", "control"),
            ("http://a/\n", "control"),
            ("http://a/?q", "query"),
            ("http://a/#f", "fragment"),
            ("http://169.254.169.254/", "link-local"),
            ("http://2852039166/", "link-local"),
            ("http://[fe80::1]/", "link-local"),
            ("http://[::ffff:169.254.169.254]/", "link-local"),
            (&long, "2048"),
            (&long_when_escaped, "2048"),
        ] {
            let error = ServerUrl::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_life_survives_the_wire() {
        for text in ["1.0", "1800000000000.ffffffff", "7.a.f.http://a.b:1/", "7.a.d.http://a/", "7.a.l", "7.a.f"] {
            assert_eq!(Life::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "1", "1.", ".1", "-1.1", "1.g", "1.1.f.nowhere", "99999999999999999999.1"] {
            assert_eq!(Life::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_we_send_is_what_we_read() {
        let entry = |url, state, life: Option<&str>| Entry {
            url: ServerUrl::parse(url).expect(url),
            monitor: url.ends_with("m/"),
            state,
            stamp: WALL,
            life: life.and_then(Life::parse),
        };
        let message = Message::new(vec![
            entry("http://a/", State::Online, Some("5.1")),
            entry("http://b/m/", State::Online, None),
            entry("http://c/", State::Offline, Some("6.2.f.http://a/")),
        ]);
        assert_eq!(Message::from_json(&message.to_json(), WALL), Ok(message.clone()));
        let list = Message::from_master_list(&message.to_master_list(), WALL).expect("a list");
        assert_eq!(list.entries, message.entries[..2]);
    }

    #[test]
    fn what_is_no_message_is_refused_whole() {
        for json in [
            "null",
            "7",
            "\"x\"",
            "[]",
            "{}",
            "",
            "<html>",
            r#"{"message":"gossip"}"#,
            r#"{"message":"gossip","online":{}}"#,
            r#"{"message":"gossip","online":[],"offline":7}"#,
            r#"{"message":"control","online":[]}"#,
            r#"{"online":[]}"#,
        ] {
            assert!(matches!(read(json), Err(Error::InvalidMessage(_))), "{json}");
        }
        assert_eq!(read(r#"{"message":"gossip","online":[]}"#), Ok(Message::default()));
    }

    #[test]
    fn a_bad_entry_is_named_and_the_rest_is_read() {
        let good = r#"{"baseUrl":"http://good/","monitor":false,"lastUpdate":5}"#;
        for (bad, reason) in [
            ("null".to_string(), "baseUrl"),
            (good.replace("good", r"\ud800"), "baseUrl"),
            ("[]".into(), "baseUrl"),
            (r#"{"baseUrl":7}"#.into(), "baseUrl"),
            (good.replace("http://good/", "gopher://bad/"), "neither"),
            (good.replace("false", "\"false\""), "monitor"),
            (good.replace(":5", ":\"5\""), "lastUpdate"),
            (good.replace(":5", ":-1"), "lastUpdate"),
            (good.replace(":5", ":9007199254740994"), "lastUpdate"),
            (good.replace(":5", &format!(":{}", WALL + MAX_AHEAD + 1)), "3 h"),
            (good.replace(":5", r#":5,"shazbot":7"#), "shazbot"),
            (good.replace(":5", &format!(r#":5,"shazbot":"{}.1""#, WALL + MAX_AHEAD + 1)), "3 h"),
        ] {
            let message = read(&format!(r#"{{"message":"gossip","online":[{bad},{good}]}}"#)).expect(&bad);
            assert_eq!(message.entries.len(), 1, "{bad}");
            assert!(message.skipped[0].reason.contains(reason), "{bad}: {:?}", message.skipped);
        }
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
        assert!(matches!(Message::from_raw(entries, WALL, |_| None), Err(Error::TooLarge(_))));
    }

    #[test]
    fn a_master_list_written_by_hand_needs_only_base_urls() {
        let read = |json: &str| Message::from_master_list(json.as_bytes(), WALL);
        assert_eq!(read(r#"{"online":[{"baseUrl":"http://a"}]}"#).expect("a list").entries.len(), 1);
        assert_eq!(read(" \n"), Ok(Message::default()));
        assert!(read("{}").is_err());
        assert!(read("<html>").is_err());
    }
}
