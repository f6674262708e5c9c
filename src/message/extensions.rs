//! `Extensions`: what later versions add to an entry. A server that does not know one keeps it, passes it on unchanged, and
//! covers it by its digest.

use std::fmt;

use super::tags::Tags;

/// Most bytes of the extensions of an entry: tags need 1 585 at most.
pub const MAX_EXTENSION_BYTES: usize = 2_048;
/// Longer ones are left out where a version 1 server may read the entry: it would pass them on in each of its messages,
/// which hold its whole list, and refuse bodies above 100 kB.
const MAX_BYTES_FOR_V1: usize = 64;
/// In place of extensions that are left out.
const LEFT_OUT: &str = "?";
/// The letter of the extension that holds tags.
const TAGS: char = 't';

/// The extensions of an entry, each with a `>` before it. Its first character says what one is; the rest is printable ASCII
/// without space, `>`, `"` and `\`. Extensions that are left out are less than all others, so that an entry
/// with them wins over the same entry without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extensions(Option<Box<str>>);

impl Default for Extensions {
    fn default() -> Self {
        Self(Some("".into()))
    }
}

impl Extensions {
    /// Extensions that only hold tags.
    pub fn with_tags(tags: &Tags) -> Self {
        let text = if tags.is_empty() { String::new() } else { format!(">{TAGS}{}", tags.encode()) };
        Self(Some(text.into()))
    }

    /// Reads what follows the first `>`. None if it is malformed or too long.
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
        let mut parts = self.0.as_deref().unwrap_or_default().split('>');
        parts.find_map(|part| part.strip_prefix(TAGS)).map(Tags::decode).unwrap_or_default()
    }

    /// Whether they were left out, so that nothing is known of them.
    pub fn is_left_out(&self) -> bool {
        self.0.is_none()
    }

    /// The same as a version 1 server may keep it.
    #[must_use]
    pub(super) fn for_v1(&self) -> Self {
        Self(self.0.clone().filter(|text| text.len() <= MAX_BYTES_FOR_V1))
    }

    /// The bytes that they take on the wire.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1 + LEFT_OUT.len(), |text| text.len())
    }

    /// The same where a version 1 server may read them.
    pub fn size_for_v1(&self) -> usize {
        self.0.as_ref().filter(|text| text.len() <= MAX_BYTES_FOR_V1).map_or(1 + LEFT_OUT.len(), |text| text.len())
    }

    /// For digests: the text, or None if they were left out.
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
