//! `GossipBody`: the body of a gossip request. Checks the shape of its JSON before entries are decoded.

use serde_json::value::RawValue;

use super::json::{Parts, text};
use super::{Message, Validator};
use crate::error::Error;

/// A body with a valid JSON shape and unchecked entries.
pub struct GossipBody<'a>(Parts<'a>);

impl<'a> GossipBody<'a> {
    /// Checks the shape. `lib/messages.js` has the same errors.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let json = str::from_utf8(body).map_err(|_| not_json())?.trim_ascii_start();
        if !json.starts_with('{') {
            serde_json::from_str::<&RawValue>(json).map_err(|_| not_json())?;
            let kind = match json.bytes().next() {
                Some(b'n') => "null",
                Some(b'[') => "an array",
                Some(b'"') => "a string",
                Some(b't' | b'f') => "a boolean",
                _ => "a number",
            };
            return Err(invalid(&format!("the body is {kind}, not an object")));
        }
        let parts: Parts<'a> = serde_json::from_str(json).map_err(|_| not_json())?;
        if parts.message.and_then(text).as_deref() != Some("gossip") {
            return Err(invalid("its message is not \"gossip\""));
        }
        let is_array = |value: &RawValue| value.get().starts_with('[');
        if !parts.online.is_some_and(is_array) {
            return Err(invalid("its online is not an array"));
        }
        if !parts.offline.is_none_or(is_array) {
            return Err(invalid("its offline is not an array"));
        }
        Ok(Self(parts))
    }

    /// The `shazbot` field of a protocol 2 message.
    pub fn field(&self) -> Option<String> {
        self.0.text()
    }

    /// Parses the entries of a version 1 message.
    pub fn read(&self, validator: Validator<'_>) -> Result<Message, Error> {
        Ok(self.0.read(validator, |_, raw| raw)?.message)
    }
}

fn not_json() -> Error {
    Error::InvalidMessage("The body is not valid JSON in UTF-8".into())
}

fn invalid(problem: &str) -> Error {
    Error::InvalidMessage(format!("Invalid gossip message: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::validator;
    use super::*;

    fn parse(body: &[u8]) -> Result<GossipBody<'_>, String> {
        GossipBody::parse(body).map_err(|error| error.to_string())
    }

    #[test]
    fn a_body_of_another_shape_is_rejected_with_the_reason() {
        for (body, reason) in [
            ("", "not valid JSON"),
            ("[", "not valid JSON"),
            ("[]]", "not valid JSON"),
            ("{", "not valid JSON"),
            ("[[0]]", "the body is an array, not an object"),
            ("null", "the body is null, not an object"),
            ("7", "the body is a number, not an object"),
            (r#""gossip""#, "the body is a string, not an object"),
            ("true", "the body is a boolean, not an object"),
            ("{}", r#"its message is not "gossip""#),
            (r#"{"message":"control","online":[]}"#, r#"its message is not "gossip""#),
            (r#"{"message":"gossip"}"#, "its online is not an array"),
            (r#"{"message":"gossip","online":null}"#, "its online is not an array"),
            (r#"{"message":"gossip","online":[],"offline":{}}"#, "its offline is not an array"),
        ] {
            let error = parse(body.as_bytes()).err().expect(body);
            assert!(error.contains(reason), "{body}: {error}");
        }
        assert!(parse(b"{\"message\":\"gossip\",\"online\":[],\"\xff\":0}").is_err(), "not UTF-8");
    }

    #[test]
    fn an_escaped_message_a_byte_order_mark_and_a_null_list_are_accepted() {
        let body = parse("\u{feff} {\"message\":\"\\u0067ossip\",\"online\":[],\"offline\":null}".as_bytes())
            .expect("a message");
        assert_eq!(body.field(), None);
        assert_eq!(body.read(validator()), Ok(Message::default()));
    }

    #[test]
    fn arrays_in_arrays_do_not_overflow_the_stack() {
        let deep = "[".repeat(1 << 20) + &"]".repeat(1 << 20);
        let body = format!(r#"{{"message":"gossip","online":[{deep}]}}"#);
        let message = parse(body.as_bytes()).expect("a message").read(validator()).expect("a bad entry");
        assert_eq!((message.entries.len(), message.skipped.len()), (0, 1));
    }
}
