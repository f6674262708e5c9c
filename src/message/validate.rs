//! Validates incoming entries: the URL and its origin, the types of the fields, and stamps too far in the future.

use super::entry::{Entry, EntryV2, State};
use crate::clock::MAX_CLOCK_ERROR;
use crate::origins::Origins;
use crate::server_url::ServerUrl;

/// How far ahead of our clock a stamp may be, ms: the greatest difference of two clocks, plus one clock error, by which
/// an entry may be ahead of its own server's clock.
pub const MAX_AHEAD: u64 = 3 * MAX_CLOCK_ERROR;
/// The largest integer that a JavaScript number can hold exactly.
const MAX_STAMP: f64 = 9_007_199_254_740_992.0;

/// The context for validation.
#[derive(Clone, Copy)]
pub struct Validator<'a> {
    /// Our clock, ms since the epoch.
    pub wall: u64,
    /// Which servers may be listed.
    pub origins: &'a Origins,
    /// Finds a listed server by the exact text of its URL. Saves parsing and checks.
    pub known: &'a dyn Fn(&str) -> Option<ServerUrl>,
}

impl Validator<'_> {
    pub(super) fn server(&self, text: &str) -> Result<ServerUrl, &'static str> {
        (self.known)(text).map_or_else(|| self.origins.parse(text), Ok)
    }
}

/// The unchecked fields of an entry, from JSON, the `shazbot` field, or JavaScript.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawEntry<'a> {
    /// `baseUrl`, if it is a string.
    pub url: Option<&'a str>,
    /// `monitor`, if it is a boolean.
    pub monitor: Option<bool>,
    /// `lastUpdate`, if it is a number.
    pub stamp: Option<f64>,
    /// `shazbot`. If it is not a string, the empty string, which is malformed too.
    pub v2: Option<&'a str>,
}

/// A rejected entry.
pub(super) struct Rejected {
    pub reason: &'static str,
    /// The entry, if it is valid and only its origin or stamp was rejected.
    pub entry: Option<Entry>,
    /// Whether its stamp is too far ahead of our clock.
    pub is_ahead: bool,
}

impl From<&'static str> for Rejected {
    fn from(reason: &'static str) -> Self {
        Self { reason, entry: None, is_ahead: false }
    }
}

impl RawEntry<'_> {
    pub(super) fn check(self, state: State, validator: Validator<'_>) -> Result<Entry, Rejected> {
        let text = self.url.ok_or("it is not an object with a string baseUrl")?;
        let (server, origin) = if let Some(server) = (validator.known)(text) {
            (server, Ok(()))
        } else {
            let (server, url) = ServerUrl::parse_with_url(text)?;
            (server, validator.origins.check(&url))
        };
        let entry = self.with_url(server, state)?;
        let is_ahead =
            entry.v2.as_ref().map_or(entry.stamp, |v2| entry.stamp.max(v2.incarnation)) > validator.wall + MAX_AHEAD;
        match origin {
            Err(reason) => Err(Rejected { reason, entry: Some(entry), is_ahead }),
            Ok(()) if is_ahead => {
                let reason = "its lastUpdate or incarnation is over 3 h ahead of our clock";
                Err(Rejected { reason, entry: Some(entry), is_ahead })
            }
            Ok(()) => Ok(entry),
        }
    }

    fn with_url(self, url: ServerUrl, state: State) -> Result<Entry, &'static str> {
        let monitor = self.monitor.ok_or("its monitor is missing or not a boolean")?;
        let stamp = self.stamp.ok_or("its lastUpdate is missing or not a number")?;
        if !(0.0..=MAX_STAMP).contains(&stamp) {
            return Err("its lastUpdate is not between 0 and 2^53");
        }
        let stamp = stamp as u64;
        let v2 = self.v2.map(|text| EntryV2::parse(text).ok_or("its shazbot field is malformed")).transpose()?;
        Ok(Entry { url, monitor, state, stamp, v2 })
    }
}

/// A rejected entry, for the report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its URL, cut to 200 characters, without user name, password, query and fragment, and with control characters
    /// escaped. Empty if it has none.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Skipped {
    pub(super) fn new(url: &str, reason: &'static str) -> Self {
        Self { name: printable(url), reason }
    }
}

fn printable(url: &str) -> String {
    // A query may contain a signature, and the text before an @ a password.
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let masked = url.rsplit_once('@').map(|(before, after)| {
        let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
        format!("{scheme}***@{after}")
    });
    masked.as_deref().unwrap_or(url).chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_skipped_entry_shows_no_password() {
        assert_eq!(printable("http://user:hunter2@a/"), "http://***@a/");
        assert_eq!(printable("user:hunter2@a"), "***@a");
        assert_eq!(printable(&format!("http://{}@a/", "x".repeat(300))), "http://***@a/");
        assert_eq!(printable("http://a/\n"), "http://a/\\n");
        assert_eq!(printable("http://a/?signature=hunter2"), "http://a/");
    }
}
