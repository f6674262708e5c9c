//! Base URLs of servers, checked and normalised.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use url::Url;

use crate::origins::{Origins, address, is_never_a_server};

/// Most characters of a base URL: the longest host name, 253, and as much again. Twenty-five thousand that somebody
/// invents take 12 MB.
pub const MAX_URL: usize = 512;

/// The base URL of a server, normalised, so that aliases of one server are one. Ends in `/`.
#[derive(Clone)]
pub struct ServerUrl(Arc<Named>);

// One allocation, one pointer: a server of ten thousand keeps ten thousand of these.
struct Named {
    key: u64,
    text: Box<str>,
}

/// A hash that is the same on every machine and in every version: servers compare what they make of it.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

impl ServerUrl {
    /// Checks and normalises a base URL; the error says what is wrong with it, without repeating it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::parse_if(text, |_| Ok(()))
    }

    /// The same of a server that somebody names.
    pub fn parse_allowed(text: &str, origins: &Origins) -> Result<Self, &'static str> {
        Self::parse_if(text, |url| origins.check(url))
    }

    fn parse_if(text: &str, check: impl Fn(&Url) -> Result<(), &'static str>) -> Result<Self, &'static str> {
        if text.chars().count() > MAX_URL {
            return Err("its URL is over 512 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("its URL has control characters");
        }
        let mut url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => "its URL is not absolute",
            _ => "its URL is malformed",
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("its URL is neither http nor https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("its URL has a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("its URL has a query or a fragment");
        }
        // Everywhere else it is escaped; sizes of messages are reckoned as if nothing needed that in JSON.
        if url.as_str().contains('"') {
            return Err("its URL is malformed");
        }
        if address(&url).is_some_and(is_never_a_server) {
            return Err("its address is link-local or one of a cloud's own, where no server of a cluster is");
        }
        check(&url)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        // Normalising may have escaped what was in it.
        if url.as_str().len() > MAX_URL {
            return Err("its URL is over 512 characters");
        }
        let text: Box<str> = url.as_str().into();
        Ok(Self(Arc::new(Named { key: stable_hash(text.as_bytes()), text })))
    }

    /// The URL, ending in `/`.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Its place in the order that all servers share: on the ring, in the buckets of a digest.
    pub fn key(&self) -> u64 {
        self.0.key
    }
}

impl PartialEq for ServerUrl {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for ServerUrl {}

impl Hash for ServerUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.key);
    }
}

impl PartialOrd for ServerUrl {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ServerUrl {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.text.cmp(&other.0.text)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_of_one_server_are_one() {
        let url = |text| ServerUrl::parse(text).expect(text);
        for alias in ["http://a:80", "http://A/", "HTTP://a:80/", "http://a/."] {
            assert_eq!(url(alias).as_str(), "http://a/");
        }
        assert_eq!(url("https://a:3000/app").as_str(), "https://a:3000/app/");
    }

    #[test]
    fn the_shared_order_is_the_same_in_every_version() {
        // Servers of different versions compare digests made of it: never change this number.
        assert_eq!(ServerUrl::parse("http://a/").expect("valid").key(), 10_215_502_573_201_906_603);
    }

    #[test]
    fn urls_that_no_server_has_are_refused() {
        let long = format!("http://a/{}", "x".repeat(MAX_URL));
        let long_when_escaped = format!("http://a/{}", "é".repeat(MAX_URL / 2));
        for (text, reason) in [
            ("", "not absolute"),
            ("/clustershazbot", "not absolute"),
            ("ftp://a/", "neither http nor https"),
            ("file:///etc/passwd", "neither http nor https"),
            ("http://user@a/", "user name"),
            ("http://:pass@a/", "password"),
            ("http://a\"b/", "malformed"),
            ("http://a/\u{0}", "control"),
            ("http://a/\n", "control"),
            ("http://a/?q", "query"),
            ("http://a/#f", "fragment"),
            ("http://169.254.169.254/", "link-local"),
            ("http://2852039166/", "link-local"),
            ("http://[fe80::1]/", "link-local"),
            ("http://[::ffff:169.254.169.254]/", "link-local"),
            (&long, "512"),
            (&long_when_escaped, "512"),
        ] {
            let error = ServerUrl::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
