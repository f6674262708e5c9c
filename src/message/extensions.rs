//! `Extensions`: additions to an entry. A server keeps those that it does not know, passes them on unchanged, and
//! includes them in its digest.

use std::fmt;

use super::tags::Tags;

/// Most bytes of an entry's extensions. Tags need at most 1 585.
pub const MAX_EXTENSION_BYTES: usize = 2_048;
/// Longer ones are left out of what version 1 servers read: they send their whole list in each message, and reject
/// bodies over 100 kB.
const MAX_BYTES_FOR_V1: usize = 64;
/// Replaces extensions that are left out.
const LEFT_OUT: &str = "?";
/// The extension that holds tags.
const TAGS: char = 't';
/// The extension that marks a server as not ready.
const NOT_READY: char = 'n';

/// The extensions of an entry, each preceded by `>`. The first character identifies an extension; the rest is printable
/// ASCII without space, `>`, `"` and `\`. Left-out extensions (None) are less than all others, so an entry with
/// extensions wins over the same entry without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extensions(Option<Box<str>>);

impl Default for Extensions {
    fn default() -> Self {
        Self(Some("".into()))
    }
}

impl Extensions {
    /// The extensions of our own entry.
    pub fn new(tags: &Tags, is_ready: bool) -> Self {
        let ready = if is_ready { String::new() } else { format!(">{NOT_READY}") };
        let tags = if tags.is_empty() { String::new() } else { format!(">{TAGS}{}", tags.encode()) };
        Self(Some((ready + &tags).into()))
    }

    /// Extensions with tags only.
    pub fn with_tags(tags: &Tags) -> Self {
        Self::new(tags, true)
    }

    /// Parses the text after the first `>`. None if it is malformed or too long.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == LEFT_OUT {
            return Some(Self(None));
        }
        let is_valid = |part: &str| {
            let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
            !part.is_empty() && part.bytes().all(fits)
        };
        let is_short = text.len() < MAX_EXTENSION_BYTES;
        (is_short && text.split('>').all(is_valid)).then(|| Self(Some(format!(">{text}").into())))
    }

    /// The tags among them.
    pub fn tags(&self) -> Tags {
        self.parts().find_map(|part| part.strip_prefix(TAGS)).map(Tags::decode).unwrap_or_default()
    }

    /// Whether the server may be given work. True if the extensions were left out: requests to a server that is not
    /// ready do less harm than a ready server without requests.
    pub fn is_ready(&self) -> bool {
        !self.parts().any(|part| part.starts_with(NOT_READY))
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.as_deref().unwrap_or_default().split('>')
    }

    /// Whether they were left out and so are unknown.
    pub fn is_left_out(&self) -> bool {
        self.0.is_none()
    }

    /// A copy for version 1 servers.
    #[must_use]
    pub(super) fn for_v1(&self) -> Self {
        Self(self.0.clone().filter(|text| text.len() <= MAX_BYTES_FOR_V1))
    }

    /// Their size on the wire, bytes.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1 + LEFT_OUT.len(), |text| text.len())
    }

    /// The size of the copy for version 1 servers.
    pub fn size_for_v1(&self) -> usize {
        self.0.as_ref().filter(|text| text.len() <= MAX_BYTES_FOR_V1).map_or(1 + LEFT_OUT.len(), |text| text.len())
    }

    /// Their text, for digests. None if they were left out.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => f.write_str(text),
            None => write!(f, ">{LEFT_OUT}"),
        }
    }
}
