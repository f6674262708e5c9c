//! `Entry`: one server in a list, with the `shazbot` string that protocol 2 adds.

use std::fmt;

use super::extensions::Extensions;
use super::tags::Tags;
use crate::server_url::ServerUrl;

/// Whether a server is listed online or offline. `Offline` is greater, so it wins at equal incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Up, as far as the server that lists it knows.
    Online,
    /// Left, drained or failed.
    Offline,
}

/// Why a server is offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Declared failed by another server.
    Failed,
    /// Drained by a control request. Its process still runs.
    Drained,
    /// Shut down.
    Left,
    /// The letter of a reason that a later version added.
    Other(u8),
}

impl Reason {
    fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            b"f" => Some(Self::Failed),
            b"d" => Some(Self::Drained),
            b"l" => Some(Self::Left),
            [letter @ b'a'..=b'z'] => Some(Self::Other(*letter)),
            _ => None,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Failed => 'f',
            Self::Drained => 'd',
            Self::Left => 'l',
            Self::Other(letter) => char::from(letter),
        }
    }
}

/// The fields that protocol 2 adds to an entry. Version 1 peers pass them on unchanged.
///
/// On the wire: the string field `shazbot`, `<incarnation>.<instance>[.<reason>[.<author>]]{><extension>}`. The
/// incarnation is decimal, the instance hexadecimal, the reason a letter (`f`, `d` or `l`; others belong to later
/// versions), the author a base URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryV2 {
    /// The version of the server's state. Only the server itself raises it. Starts at its wall clock, ms.
    pub incarnation: u64,
    /// A random number that identifies its process.
    pub instance: u32,
    /// Why it is offline. None if it is online, or if a version 1 peer listed it offline.
    pub reason: Option<Reason>,
    /// The server that listed it offline. None if it is online, or if a version 1 peer did.
    pub author: Option<ServerUrl>,
    /// Tags, readiness and additions of later versions. Only the server itself changes them, with a higher incarnation.
    pub extensions: Extensions,
}

impl EntryV2 {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (text, extensions) = match text.split_once('>') {
            Some((text, extensions)) => (text, Extensions::parse(extensions)?),
            None => (text, Extensions::default()),
        };
        let mut parts = text.splitn(4, '.');
        let incarnation = parts.next()?.parse().ok()?;
        let instance = u32::from_str_radix(parts.next()?, 16).ok()?;
        let reason = match parts.next() {
            Some(letter) => Some(Reason::parse(letter)?),
            None => None,
        };
        let author = parts.next().map(ServerUrl::parse).transpose().ok()?;
        Some(Self { incarnation, instance, reason, author, extensions })
    }

    /// A copy for version 1 servers: without long extensions.
    #[must_use]
    pub fn for_v1(&self) -> Self {
        Self { extensions: self.extensions.for_v1(), ..self.clone() }
    }

    /// Whether both are the same state of the same process, and so have the same extensions.
    pub fn has_extensions_of(&self, other: &Self) -> bool {
        (self.incarnation, self.instance) == (other.incarnation, other.instance)
    }
}

impl fmt::Display for EntryV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.incarnation, self.instance)?;
        if let Some(reason) = self.reason {
            write!(f, ".{}", reason.letter())?;
            if let Some(author) = &self.author {
                write!(f, ".{author}")?;
            }
        }
        write!(f, "{}", self.extensions)
    }
}

/// One server in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its base URL.
    pub url: ServerUrl,
    /// Whether it is a monitor.
    pub monitor: bool,
    /// Online or offline.
    pub state: State,
    /// `lastUpdate`, wall time in ms since the epoch. Online: when the server last renewed its own entry. Offline: when
    /// it was listed offline, converted to its own clock by estimate.
    pub stamp: u64,
    /// The fields of protocol 2. None for a version 1 server.
    pub v2: Option<EntryV2>,
}

impl Entry {
    /// An upper bound of its size in a message to a version 1 peer, bytes of JSON.
    pub fn size(&self) -> usize {
        let digits = |number: u64| number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let v2 = self.v2.as_ref().map_or(0, |v2| {
            let author = v2.author.as_ref().map_or(0, |author| author.as_str().len());
            r#","shazbot":".ffffffff.f.""#.len() + digits(v2.incarnation) + author + v2.extensions.size()
        });
        r#"{"baseUrl":"","monitor":false,"lastUpdate":},"#.len() + self.url.as_str().len() + digits(self.stamp) + v2
    }

    /// The same without long extensions, as version 1 servers get it.
    pub fn size_for_v1(&self) -> usize {
        let saved = |v2: &EntryV2| v2.extensions.size().saturating_sub(v2.extensions.size_for_v1());
        self.size() - self.v2.as_ref().map_or(0, saved)
    }

    /// Its tags. None if unknown: it is version 1, or they were left out on the way.
    pub fn tags(&self) -> Option<Tags> {
        let extensions = &self.v2.as_ref()?.extensions;
        (!extensions.is_left_out()).then(|| extensions.tags())
    }

    /// Whether it may be given work. True if unknown: it is version 1, or its extensions were left out on the way.
    pub fn is_ready(&self) -> bool {
        self.v2.as_ref().is_none_or(|v2| v2.extensions.is_ready())
    }

    /// The instance of its process. None for a version 1 server.
    pub fn instance(&self) -> Option<u32> {
        self.v2.as_ref().map(|v2| v2.instance)
    }

    /// The same server, declared failed by `author`.
    #[must_use]
    pub fn failed_by(mut self, author: &ServerUrl) -> Self {
        self.state = State::Offline;
        if let Some(v2) = &mut self.v2 {
            (v2.reason, v2.author) = (Some(Reason::Failed), Some(author.clone()));
        }
        self
    }

    /// Whether the server shut down in order.
    pub fn is_leave(&self) -> bool {
        let reason = self.v2.as_ref().and_then(|v2| v2.reason);
        self.state == State::Offline && reason == Some(Reason::Left)
    }

    /// Whether the server failed, rather than left or was drained.
    pub fn is_failure(&self) -> bool {
        let is_own_will = self.v2.as_ref().is_some_and(|v2| match v2.reason {
            Some(Reason::Left | Reason::Drained) => true,
            Some(Reason::Other(_)) => v2.author.as_ref() == Some(&self.url),
            Some(Reason::Failed) | None => false,
        });
        self.state == State::Offline && !is_own_will
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shazbot_string_of_an_entry_is_read_as_it_is_written() {
        for text in [
            "1.0",
            "1800000000000.ffffffff",
            "7.a.f.http://a.b:1/",
            "7.a.d.http://a/",
            "7.a.l",
            "7.a.f",
            "7.a.x.http://a/",
            "7.a>trole=api",
            "7.a.f.http://a/>?",
            "7.a>z>trole=api>9[1]",
        ] {
            assert_eq!(EntryV2::parse(text).expect(text).to_string(), text);
        }
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "-1.1",
            "1.g",
            "1.1.f.nowhere",
            "99999999999999999999.1",
            "7.a.xy",
            "7.a.",
            "7.a>",
            "7.a>>t",
            "7.a>t\"",
            "7.a>t u",
            "7.a>té",
        ] {
            assert_eq!(EntryV2::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_entry_for_version_1_servers_has_no_long_extensions() {
        let for_v1 = |text: &str| EntryV2::parse(text).expect(text).for_v1().to_string();
        assert_eq!(for_v1("7.a>trole=api"), "7.a>trole=api");
        assert_eq!(for_v1(&format!("7.a>t{}", "x".repeat(100))), "7.a>?");
    }
}
