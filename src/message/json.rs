//! Gossip messages and master lists as JSON: the format of version 1, plus the `shazbot` field.

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, SerializeStruct, Serializer};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::{Entry, MAX_ENTRIES, Message, RawEntry, State, Validator, too_many_entries};
use crate::error::Error;

/// A parsed master list.
#[derive(Debug, Default)]
pub struct MasterList {
    /// Its entries.
    pub message: Message,
    /// Valid entries that this server must not list, because of their origin or a stamp too far ahead of its clock.
    /// Others may list them, so an update must keep them.
    pub kept: Vec<Entry>,
}

impl MasterList {
    /// Parses a master list. An empty file is an empty list, and an entry needs only a `baseUrl`.
    pub fn parse(json: &[u8], validator: Validator<'_>) -> Result<Self, Error> {
        // Some editors write a byte order mark.
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        if json.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        Parts::of(json)?.read(validator, |fields, raw| RawEntry {
            monitor: raw.monitor.or(fields.monitor.is_none().then_some(false)),
            stamp: raw.stamp.or(fields.stamp.is_none().then_some(0.0)),
            ..raw
        })
    }
}

impl Message {
    /// The `shazbot` field of a peer's response, if there is one.
    pub fn field_of(json: &[u8]) -> Result<Option<String>, Error> {
        Ok(Parts::of_gossip(json)?.text())
    }

    /// Parses a peer's response.
    pub fn from_json(json: &[u8], validator: Validator<'_>) -> Result<Self, Error> {
        let parts = Parts::of_gossip(json)?;
        let v2 = parts.text().and_then(|text| Self::from_field(&text, validator));
        v2.unwrap_or_else(|| Ok(parts.read(validator, |_, raw| raw)?.message))
    }

    /// Parses a master list, without [`MasterList::kept`].
    pub fn from_master_list(json: &[u8], validator: Validator<'_>) -> Result<Self, Error> {
        Ok(MasterList::parse(json, validator)?.message)
    }

    /// [`Self::to_json`] as text.
    pub fn to_json_text(&self) -> String {
        // JSON is UTF-8.
        String::from_utf8(self.to_json()).unwrap_or_default()
    }

    /// The body of a response to a protocol 2 server, which reads only this field.
    pub fn json_of_field(field: &str) -> String {
        let field = serde_json::to_string(field).unwrap_or_default();
        format!(r#"{{"message":"gossip","online":[],"offline":[],"shazbot":{field}}}"#)
    }

    /// The body of a gossip request.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_json_with(self.to_field())
    }

    /// The same with a `shazbot` field that the caller has extended.
    pub fn to_json_with(&self, shazbot: Option<String>) -> Vec<u8> {
        to_json(&Wire { message: Some("gossip"), entries: self.lists(), offline: true, shazbot })
    }

    /// The body of a master list: only online servers.
    pub fn to_master_list(&self) -> Vec<u8> {
        to_json(&Wire { message: None, entries: &self.entries, offline: false, shazbot: None })
    }
}

// The values of a message as unparsed JSON, so that a bad entry does not affect the others.
#[derive(serde::Deserialize)]
pub(super) struct Parts<'a> {
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) online: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) offline: Option<&'a RawValue>,
    #[serde(borrow)]
    shazbot: Option<&'a RawValue>,
}

// Fills in missing fields of an entry.
type Complete = for<'b> fn(&Fields<'_>, RawEntry<'b>) -> RawEntry<'b>;

impl<'a> Parts<'a> {
    fn of(json: &'a [u8]) -> Result<Self, Error> {
        // serde would accept an array of fields, too.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::InvalidMessage("It is not a JSON object".into()));
        }
        serde_json::from_slice(json).map_err(|error| Error::InvalidMessage(format!("It is not JSON: {error}")))
    }

    fn of_gossip(json: &'a [u8]) -> Result<Self, Error> {
        let parts = Self::of(json)?;
        if parts.message.is_none_or(|message| message.get() != "\"gossip\"") {
            let why = "It is not a gossip message: its field message is not \"gossip\"";
            return Err(Error::InvalidMessage(why.into()));
        }
        Ok(parts)
    }

    pub(super) fn text(&self) -> Option<String> {
        self.shazbot.and_then(text)
    }

    pub(super) fn read(&self, validator: Validator<'_>, complete: Complete) -> Result<MasterList, Error> {
        let mut list = MasterList::default();
        let mut count = 0;
        let online = self.online.ok_or_else(|| not_an_array("online"))?;
        for (name, state, json) in [("online", State::Online, Some(online)), ("offline", State::Offline, self.offline)]
        {
            let Some(json) = json else { continue };
            // One at a time, to bound memory: lists can be long and entries deeply nested.
            let take = |entry: &RawValue| {
                count += 1;
                if count <= MAX_ENTRIES {
                    list.kept.extend(add_entry(&mut list.message, state, entry, validator, complete));
                }
                count <= MAX_ENTRIES
            };
            let read = Deserializer::from_str(json.get()).deserialize_seq(Each(take));
            if count > MAX_ENTRIES {
                return Err(too_many_entries());
            }
            read.map_err(|_| not_an_array(name))?;
        }
        Ok(list)
    }
}

fn not_an_array(name: &str) -> Error {
    Error::InvalidMessage(format!("Its {name} is not an array"))
}

fn add_entry(
    message: &mut Message,
    state: State,
    entry: &RawValue,
    validator: Validator<'_>,
    complete: Complete,
) -> Option<Entry> {
    let fields = Fields::of(entry);
    let url = fields.url.and_then(text);
    let v2 = fields.shazbot.map(|v2| text(v2).unwrap_or_default());
    let raw = RawEntry {
        url: url.as_deref(),
        monitor: fields.monitor.and_then(|value| serde_json::from_str(value.get()).ok()),
        stamp: fields.stamp.and_then(|value| serde_json::from_str(value.get()).ok()),
        v2: v2.as_deref(),
    };
    message.add(state, complete(&fields, raw), validator)
}

// Calls a function with each element of an array until it returns false.
struct Each<F>(F);

impl<'de, F: FnMut(&'de RawValue) -> bool> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            if !(self.0)(element) {
                break;
            }
        }
        Ok(())
    }
}

// The fields of an entry as unparsed JSON.
#[derive(Default, serde::Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow, rename = "baseUrl")]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    monitor: Option<&'a RawValue>,
    #[serde(borrow, rename = "lastUpdate")]
    stamp: Option<&'a RawValue>,
    #[serde(borrow)]
    shazbot: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn of(entry: &'a RawValue) -> Self {
        if entry.get().starts_with('{') {
            serde_json::from_str(entry.get()).unwrap_or_default()
        } else {
            Self::default()
        }
    }
}

pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn to_json(wire: &Wire<'_>) -> Vec<u8> {
    // Serializing strings and numbers to memory cannot fail.
    serde_json::to_vec(wire).unwrap_or_default()
}

struct Wire<'a> {
    message: Option<&'static str>,
    entries: &'a [Entry],
    offline: bool,
    shazbot: Option<String>,
}

impl serde::Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Message", 4)?;
        if let Some(message) = self.message {
            fields.serialize_field("message", message)?;
        }
        fields.serialize_field("online", &WireList(self.entries, State::Online))?;
        if self.offline {
            fields.serialize_field("offline", &WireList(self.entries, State::Offline))?;
        }
        if let Some(shazbot) = &self.shazbot {
            fields.serialize_field("shazbot", shazbot)?;
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
        if let Some(v2) = &self.v2 {
            fields.serialize_field("shazbot", &v2.for_v1().to_string())?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{WALL, validator};
    use super::super::{EntryV2, MAX_AHEAD, ServerUrl};
    use super::*;

    fn read(json: &str) -> Result<Message, Error> {
        Message::from_json(json.as_bytes(), validator())
    }

    #[test]
    fn a_message_is_read_as_it_is_written() {
        let entry = |url, state, v2: Option<&str>| Entry {
            url: ServerUrl::parse(url).expect(url),
            monitor: url.ends_with("m/"),
            state,
            stamp: WALL,
            v2: v2.and_then(EntryV2::parse),
        };
        let message = Message::new(vec![
            entry("http://a/", State::Online, Some("5.1")),
            entry("http://b/m/", State::Online, None),
            entry("http://c/", State::Offline, Some("6.2.f.http://a/")),
        ]);
        assert_eq!(Message::from_json(&message.to_json(), validator()), Ok(message.clone()));
        let list = Message::from_master_list(&message.to_master_list(), validator()).expect("a list");
        assert_eq!(list.entries, message.entries[..2]);
    }

    #[test]
    fn json_that_is_not_a_gossip_message_is_rejected() {
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
    fn a_bad_entry_is_reported_and_the_others_are_read() {
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
    fn an_entry_of_a_master_list_needs_only_a_base_url() {
        let read = |json: &str| Message::from_master_list(json.as_bytes(), validator());
        assert_eq!(read(r#"{"online":[{"baseUrl":"http://a"}]}"#).expect("a list").entries.len(), 1);
        assert_eq!(read(" \n"), Ok(Message::default()));
        assert_eq!(read("\u{feff}{\"online\":[{\"baseUrl\":\"http://a\"}]}").expect("a list").entries.len(), 1);
        assert!(read("{}").is_err());
        assert!(read("<html>").is_err());
    }

    #[test]
    fn entries_of_a_forbidden_origin_are_skipped_and_kept_for_writing_back() {
        let json = r#"{"online":[{"baseUrl":"http://a"},{"baseUrl":"http://127.0.0.1:3000"},{"baseUrl":"ftp://b"}]}"#;
        let list = MasterList::parse(json.as_bytes(), validator()).expect("a list");
        let urls = |entries: &[Entry]| entries.iter().map(|entry| entry.url.to_string()).collect::<Vec<_>>();
        assert_eq!(urls(&list.message.entries), ["http://a/"]);
        assert_eq!(urls(&list.kept), ["http://127.0.0.1:3000/"]);
        assert_eq!(list.message.skipped.len(), 2);
    }
}
