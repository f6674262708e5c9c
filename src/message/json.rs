//! Messages and master lists as JSON.

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, SerializeStruct, Serializer};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::{Entry, MAX_ENTRIES, Message, RawEntry, State, Validator, too_many_entries};
use crate::error::Error;

impl Message {
    /// The field of a message of ours, in the answer of a peer.
    pub fn field_of(json: &[u8]) -> Result<Option<String>, Error> {
        Ok(Parts::of_gossip(json)?.text())
    }

    /// Reads the answer of a peer.
    pub fn from_json(json: &[u8], validator: Validator<'_>) -> Result<Self, Error> {
        let parts = Parts::of_gossip(json)?;
        let envelope = parts.text().and_then(|text| Self::from_field(&text, validator));
        envelope.unwrap_or_else(|| parts.read(validator, |_, raw| raw))
    }

    /// Reads a master list. Nothing at all is an empty list; a server written by hand needs no more than a `baseUrl`.
    pub fn from_master_list(json: &[u8], validator: Validator<'_>) -> Result<Self, Error> {
        // The byte order mark that some editors begin a file with.
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

    /// The body of a gossip request.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_json_with(self.to_field())
    }

    /// The same with what has become of the field of a message of ours.
    pub fn to_json_with(&self, shazbot: Option<String>) -> Vec<u8> {
        to_json(&Wire { message: Some("gossip"), entries: self.lists(), offline: true, shazbot })
    }

    /// The body of a master list: the online servers alone.
    pub fn to_master_list(&self) -> Vec<u8> {
        to_json(&Wire { message: None, entries: &self.entries, offline: false, shazbot: None })
    }
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
    #[serde(borrow)]
    shazbot: Option<&'a RawValue>,
}

impl<'a> Parts<'a> {
    fn of(json: &'a [u8]) -> Result<Self, Error> {
        // serde would take an array for the fields in their order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::InvalidMessage("It is not a JSON object".into()));
        }
        serde_json::from_slice(json).map_err(|error| Error::InvalidMessage(format!("It is not JSON: {error}")))
    }

    fn of_gossip(json: &'a [u8]) -> Result<Self, Error> {
        let parts = Self::of(json)?;
        if parts.message.is_none_or(|message| message.get() != "\"gossip\"") {
            return Err(Error::InvalidMessage("It is no gossip message: its message is not \"gossip\"".into()));
        }
        Ok(parts)
    }

    fn text(&self) -> Option<String> {
        self.shazbot.and_then(text)
    }

    // One entry at a time: a list may be as long as an answer, and an entry as deep.
    fn read(
        &self,
        validator: Validator<'_>,
        complete: for<'b> fn(&Fields<'_>, RawEntry<'b>) -> RawEntry<'b>,
    ) -> Result<Message, Error> {
        let (mut message, mut count) = (Message::default(), 0);
        for (name, state, list) in [("online", State::Online, self.online), ("offline", State::Offline, self.offline)] {
            let not_an_array = || Error::InvalidMessage(format!("Its {name} is not an array"));
            let Some(list) = list else {
                if state == State::Online {
                    return Err(not_an_array());
                }
                continue;
            };
            let take = |entry: &RawValue| {
                count += 1;
                if count <= MAX_ENTRIES {
                    let fields = Fields::of(entry);
                    let url = fields.url.and_then(text);
                    let v2 = fields.shazbot.map(|v2| text(v2).unwrap_or_default());
                    let raw = RawEntry {
                        url: url.as_deref(),
                        monitor: fields.monitor.and_then(|value| serde_json::from_str(value.get()).ok()),
                        stamp: fields.stamp.and_then(|value| serde_json::from_str(value.get()).ok()),
                        v2: v2.as_deref(),
                    };
                    message.take(state, complete(&fields, raw), validator);
                }
                count <= MAX_ENTRIES
            };
            let read = Deserializer::from_str(list.get()).deserialize_seq(Each(take));
            if count > MAX_ENTRIES {
                return Err(too_many_entries());
            }
            read.map_err(|_| not_an_array())?;
        }
        Ok(message)
    }
}

// Gives the elements of a list to a function, until it returns false.
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

// What is looked at of an entry.
#[derive(Default, serde::Deserialize)]
struct Fields<'a> {
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

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn to_json(wire: &Wire<'_>) -> Vec<u8> {
    // Serialising strings and numbers to memory has no way to fail.
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
            fields.serialize_field("shazbot", &v2.to_string())?;
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
    fn what_we_send_is_what_we_read() {
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
    fn a_master_list_written_by_hand_needs_only_base_urls() {
        let read = |json: &str| Message::from_master_list(json.as_bytes(), validator());
        assert_eq!(read(r#"{"online":[{"baseUrl":"http://a"}]}"#).expect("a list").entries.len(), 1);
        assert_eq!(read(" \n"), Ok(Message::default()));
        assert_eq!(read("\u{feff}{\"online\":[{\"baseUrl\":\"http://a\"}]}").expect("a list").entries.len(), 1);
        assert!(read("{}").is_err());
        assert!(read("<html>").is_err());
    }
}
