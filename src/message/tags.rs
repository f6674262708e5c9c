//! `Tags`: keys and values that describe a server, such as its role, zone and version.

use std::collections::BTreeMap;

use serde::Serialize;
use url::form_urlencoded;

/// Most keys.
pub const MAX_KEYS: usize = 16;
/// Most bytes of all keys and values together, in UTF-8.
pub const MAX_BYTES: usize = 512;
/// Most characters of a key.
const MAX_KEY: usize = 32;

/// Valid tags, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Validates tags. The error names the key.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let (mut tags, mut bytes) = (BTreeMap::new(), 0);
        for (key, value) in pairs {
            check(&key, &value)?;
            bytes += key.len() + value.len();
            if bytes > MAX_BYTES {
                return Err(format!("the tags take over {MAX_BYTES} bytes together, from {key:?} on"));
            }
            if tags.len() == MAX_KEYS && !tags.contains_key(&key) {
                return Err(format!("{key:?} is one tag too many: at most {MAX_KEYS}"));
            }
            if tags.insert(key.clone(), value).is_some() {
                return Err(format!("the tag {key:?} is given twice"));
            }
        }
        Ok(Self(tags))
    }

    /// Parses `key=value,key=value` (spaces around keys and values are ignored) or a JSON object of strings.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            let pairs: BTreeMap<String, String> = serde_json::from_str(text)
                .map_err(|error| format!("it is not a JSON object whose values are strings: {error}"))?;
            return Self::new(pairs);
        }
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair:?} is not key=value"))?;
            Ok((key.trim_end().to_owned(), value.trim_start().to_owned()))
        };
        Self::new(pairs.map(pair).collect::<Result<Vec<_>, String>>()?)
    }

    /// Form-encodes the tags: printable ASCII without space, `>`, `"` and `\`.
    pub(super) fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// Parses a peer's tags. Drops those that are invalid or exceed the limits.
    pub(super) fn decode(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes()).take(MAX_KEYS);
        let valid = pairs.filter(|(key, value)| check(key, value).is_ok());
        let mut bytes = 0;
        let fitting = valid.take_while(|(key, value)| {
            bytes += key.len() + value.len();
            bytes <= MAX_BYTES
        });
        Self(fitting.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    /// Whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All tags, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

fn check(key: &str, value: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
    if !(1..=MAX_KEY).contains(&key.len()) || !key.chars().all(fits) {
        return Err(format!("the key {key:?} is not 1 to {MAX_KEY} of a-z, 0-9, _ . and -"));
    }
    if value.len() > MAX_BYTES {
        return Err(format!("the value of the tag {key:?} takes over {MAX_BYTES} bytes"));
    }
    if value.chars().any(is_invisible) {
        return Err(format!("the value of the tag {key:?} has a character that is not printed"));
    }
    Ok(())
}

// Control characters, and characters that hide or reorder text on a screen.
fn is_invisible(c: char) -> bool {
    let is_format = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || is_format
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Extensions;
    use super::super::extensions::MAX_EXTENSION_BYTES;
    use super::*;

    #[test]
    fn tags_are_read_from_a_variable() {
        let tags = Tags::parse("role=api, zone = eu-1a ,version=1.4.2,empty=,").expect("valid");
        let expected = [("empty", ""), ("role", "api"), ("version", "1.4.2"), ("zone", "eu-1a")];
        assert_eq!(tags.iter().collect::<Vec<_>>(), expected);
        assert!(Tags::parse("").expect("none").is_empty());
        let json = Tags::parse(r#"{"role": "api, web", "zone": "eu-1a"}"#).expect("valid");
        assert_eq!(json.iter().collect::<Vec<_>>(), [("role", "api, web"), ("zone", "eu-1a")]);
        assert!(Tags::parse(r#"{"role": 1}"#).is_err());
    }

    #[test]
    fn tags_over_the_limits_are_refused_and_the_error_names_the_key() {
        let long = "x".repeat(MAX_BYTES - 3);
        let many: Vec<_> = (0..=MAX_KEYS).map(|i| format!("k{i}=")).collect();
        for (text, key) in [
            ("role", "role"),
            ("Role=api", "Role"),
            ("=api", "\"\""),
            (&format!("{}=x", "k".repeat(33)), "kkk"),
            ("role=api,role=web", "role"),
            ("role=a\u{202e}b", "role"),
            ("role=a\nb", "role"),
            (&format!("a=,bcd={long}"), "bcd"),
            (&format!("a={long}{long}"), "\"a\""),
            (&many.join(","), "k16"),
        ] {
            let error = Tags::parse(text).expect_err(text);
            assert!(error.contains(key), "{text}: {error}");
        }
        assert!(Tags::parse(&format!("abc={long}")).is_ok());
    }

    #[test]
    fn tags_of_a_peer_over_the_limit_of_bytes_are_left_out() {
        let values = "x".repeat(MAX_BYTES / 2);
        let extensions = Extensions::parse(&format!("ta={values}&b={values}&c=1")).expect("valid");
        assert_eq!(extensions.tags().iter().map(|(key, _)| key).collect::<Vec<_>>(), ["a"]);
    }

    proptest! {
        #[test]
        fn any_valid_tags_are_read_as_they_are_written(pairs in prop::collection::btree_map("[a-z0-9_.-]{1,32}", "\\PC{0,40}", 0..16)) {
            if let Ok(tags) = Tags::new(pairs) {
                let extensions = Extensions::with_tags(&tags);
                prop_assert!(extensions.size() < MAX_EXTENSION_BYTES);
                let text = extensions.to_string();
                prop_assert_eq!(text.is_empty(), tags.is_empty());
                if let Some(rest) = text.strip_prefix('>') {
                    prop_assert_eq!(Extensions::parse(rest), Some(extensions.clone()));
                }
                prop_assert_eq!(extensions.tags(), tags);
            }
        }

        #[test]
        fn no_tags_of_a_peer_cause_a_panic_or_break_the_limits(text in "t[!-~]{0,80}") {
            if let Some(extensions) = Extensions::parse(&text) {
                prop_assert!(Tags::new(extensions.tags().0).is_ok());
            }
        }
    }
}
