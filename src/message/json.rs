//! Messages and master lists as JSON.

use serde::ser::{SerializeSeq, SerializeStruct, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Entry, Message, RawEntry, State};
use crate::error::Error;

impl Message {
    /// Reads the answer of a peer.
    pub fn from_json(json: &[u8], wall: u64) -> Result<Self, Error> {
        let parts = Parts::of(json)?;
        if parts.message.is_none_or(|message| message.get() != "\"gossip\"") {
            return Err(Error::InvalidMessage("It is no gossip message: its message is not \"gossip\"".into()));
        }
        if let Some(text) = parts.shazbot.and_then(|text| serde_json::from_str::<String>(text.get()).ok())
            && let Some(message) = Self::from_text(&text, wall, |_| None)
        {
            return message;
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
        let shazbot = self.to_text();
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
        if let Some(life) = &self.life {
            fields.serialize_field("shazbot", &life.to_string())?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Life, MAX_AHEAD, ServerUrl};
    use super::*;

    const WALL: u64 = 1_800_000_000_000;

    fn read(json: &str) -> Result<Message, Error> {
        Message::from_json(json.as_bytes(), WALL)
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
    fn a_master_list_written_by_hand_needs_only_base_urls() {
        let read = |json: &str| Message::from_master_list(json.as_bytes(), WALL);
        assert_eq!(read(r#"{"online":[{"baseUrl":"http://a"}]}"#).expect("a list").entries.len(), 1);
        assert_eq!(read(" \n"), Ok(Message::default()));
        assert!(read("{}").is_err());
        assert!(read("<html>").is_err());
    }
}
