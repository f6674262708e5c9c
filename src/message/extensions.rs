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
/// The letter of the extension that says that a server is not ready.
const NOT_READY: char = 'n';

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
    /// What a server of this version says of itself.
    pub fn new(tags: &Tags, is_ready: bool) -> Self {
        let ready = if is_ready { String::new() } else { format!(">{NOT_READY}") };
        let tags = if tags.is_empty() { String::new() } else { format!(">{TAGS}{}", tags.encode()) };
        Self(Some((ready + &tags).into()))
    }

    /// Extensions that only hold tags.
    pub fn with_tags(tags: &Tags) -> Self {
        Self::new(tags, true)
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
        self.parts().find_map(|part| part.strip_prefix(TAGS)).map(Tags::decode).unwrap_or_default()
    }

    /// Whether the server may be given work. True if the extensions were left out: a server that does not answer requests
    /// is a smaller evil than a ready one that gets none.
    pub fn is_ready(&self) -> bool {
        !self.parts().any(|part| part.starts_with(NOT_READY))
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.as_deref().unwrap_or_default().split('>')
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
