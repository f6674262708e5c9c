//! `Entry`: what a server list says of one server, and the `shazbot` string that protocol 2 adds to it.

use std::fmt;

use crate::server_url::ServerUrl;

/// Whether a server is listed online or offline. Offline is greater: between equal versions it wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Up, to the knowledge of the server that lists it.
    Online,
    /// Left, drained or failed.
    Offline,
}

/// Why a server is offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Others could not reach it.
    Failed,
    /// A control request took it out of the cluster. Its process still runs.
    Drained,
    /// It shut down.
    Left,
}

/// What protocol 2 adds to an entry. Version 1 peers keep it and pass it on.
///
/// On the wire it is the string field `shazbot` of an entry: `<incarnation>.<instance>[.<reason>[.<author>]]`, with a decimal
/// incarnation, a hexadecimal instance, `f`, `d` or `l` as the reason, and a base URL as the author.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryV2 {
    /// The version of the server's state, which only the server itself raises. Starts at its wall clock, ms.
    pub incarnation: u64,
    /// A random number that identifies its process.
    pub instance: u32,
    /// Why it is offline. None if it is online, or if a version 1 peer called it offline.
    pub reason: Option<Reason>,
    /// Who called it offline. None if it is online, or if a version 1 peer called it offline.
    pub author: Option<ServerUrl>,
}

impl EntryV2 {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let incarnation = parts.next()?.parse().ok()?;
        let instance = u32::from_str_radix(parts.next()?, 16).ok()?;
        let reason = parts.next().and_then(|letter| match letter {
            "f" => Some(Reason::Failed),
            "d" => Some(Reason::Drained),
            "l" => Some(Reason::Left),
            // A later version may add reasons.
            _ => None,
        });
        let author = parts.next().map(ServerUrl::parse).transpose().ok()?;
        // Without a reason we cannot pass the author on, and servers would hold different entries for the same string.
        Some(Self { incarnation, instance, reason, author: reason.and(author) })
    }
}

impl fmt::Display for EntryV2 {
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

/// What a server list says of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its base URL.
    pub url: ServerUrl,
    /// Whether it is a monitor.
    pub monitor: bool,
    /// Online or offline.
    pub state: State,
    /// `lastUpdate`, wall time in ms since the epoch. Of an online server: when it last renewed its own entry, by its own
    /// clock. Of an offline one: when it was called offline, converted to its clock as well as the caller could.
    pub stamp: u64,
    /// What protocol 2 adds. None for a version 1 server.
    pub v2: Option<EntryV2>,
}

impl Entry {
    /// An upper bound of its bytes in a message, in JSON for a version 1 peer.
    pub fn size(&self) -> usize {
        let digits = |number: u64| number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let v2 = self.v2.as_ref().map_or(0, |v2| {
            let author = v2.author.as_ref().map_or(0, |author| author.as_str().len());
            r#","shazbot":".ffffffff.f.""#.len() + digits(v2.incarnation) + author
        });
        r#"{"baseUrl":"","monitor":false,"lastUpdate":},"#.len() + self.url.as_str().len() + digits(self.stamp) + v2
    }

    /// The number of its process. None for a version 1 server.
    pub fn instance(&self) -> Option<u32> {
        self.v2.as_ref().map(|v2| v2.instance)
    }

    /// Whether it says that the server failed, rather than left or was drained.
    pub fn is_failure(&self) -> bool {
        let reason = self.v2.as_ref().and_then(|v2| v2.reason);
        self.state == State::Offline && !matches!(reason, Some(Reason::Left | Reason::Drained))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shazbot_string_of_an_entry_is_read_as_it_is_written() {
        for text in ["1.0", "1800000000000.ffffffff", "7.a.f.http://a.b:1/", "7.a.d.http://a/", "7.a.l", "7.a.f"] {
            assert_eq!(EntryV2::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "1", "1.", ".1", "-1.1", "1.g", "1.1.f.nowhere", "99999999999999999999.1"] {
            assert_eq!(EntryV2::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_unknown_reason_is_dropped_together_with_its_author() {
        let v2 = EntryV2::parse("7.a.x.http://a/").expect("an entry");
        assert_eq!(EntryV2::parse(&v2.to_string()), Some(v2));
    }
}
