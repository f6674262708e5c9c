//! `ServerUrl`: the validated and normalised base URL of a server, and its hash, which orders the ring.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use url::Url;

use crate::address;

/// Most characters of a base URL: twice the longest host name. 25 000 invented servers then take at most 12 MB.
pub const MAX_URL: usize = 512;

/// A server's base URL. Normalised, so that all spellings of one URL are equal. Ends in `/`.
#[derive(Clone)]
pub struct ServerUrl(Arc<Inner>);

// One allocation and one pointer, because a process may hold ten thousand.
struct Inner {
    key: u64,
    text: Box<str>,
}

/// A hash that never changes between machines or versions: digests contain it.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

impl ServerUrl {
    /// Validates and normalises a base URL. The error does not repeat the URL.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::parse_with_url(text).map(|(server, _)| server)
    }

    /// Also returns the parsed URL, for further checks.
    pub fn parse_with_url(text: &str) -> Result<(Self, Url), &'static str> {
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
        // A quote is escaped everywhere but in a host. Message sizes are computed without JSON escapes.
        if url.as_str().contains('"') {
            return Err("its URL is malformed");
        }
        if address::of_url(&url).is_some_and(address::is_forbidden) {
            return Err(
                "its address is link-local, multicast or a cloud's metadata service, so no server can be there",
            );
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        // Normalisation escapes characters and may have made it longer.
        if url.as_str().len() > MAX_URL {
            return Err("its URL is over 512 characters");
        }
        let text: Box<str> = url.as_str().into();
        Ok((Self(Arc::new(Inner { key: stable_hash(text.as_bytes()), text })), url))
    }

    /// The URL, ending in `/`.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether its host is a loopback address or `localhost`. Does not look names up.
    pub fn is_loopback(&self) -> bool {
        Url::parse(self.as_str()).is_ok_and(|url| address::is_loopback_host(&url))
    }

    /// Whether a `Host` header names the same host and another port. False for another host, and without a port: a proxy may
    /// write its own, or leave the port out.
    pub fn has_other_port(&self, host: &str) -> bool {
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !has_port || self.as_str().split('/').nth(2) == Some(host) {
            return false;
        }
        let Ok(own) = Url::parse(self.as_str()) else { return false };
        let other = Url::parse(&format!("{}://{host}/", own.scheme()));
        other.is_ok_and(|other| other.host() == own.host() && other.port() != own.port())
    }

    /// The hash of the URL. Determines the position on the ring and the bucket of a digest.
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
    fn spellings_of_one_url_are_equal() {
        let url = |text| ServerUrl::parse(text).expect(text);
        for alias in ["http://a:80", "http://A/", "HTTP://a:80/", "http://a/."] {
            assert_eq!(url(alias).as_str(), "http://a/");
        }
        assert_eq!(url("https://a:3000/app").as_str(), "https://a:3000/app/");
    }

    #[test]
    fn a_host_header_names_another_port_only_of_the_same_host() {
        let has_other_port = |own, host| ServerUrl::parse(own).expect(own).has_other_port(host);
        for host in ["a:3001", "A:3001", "a:80"] {
            assert!(has_other_port("http://a:3000/app", host), "{host}");
        }
        for host in ["a:3000", "A:3000", "a", "b:3001", "b", "", "a:x", "/"] {
            assert!(!has_other_port("http://a:3000/app", host), "{host}");
        }
        assert!(!has_other_port("http://a/", "a:80") && !has_other_port("https://a/", "a:443"));
        assert!(has_other_port("https://[fd00::1]:3000/", "[fd00:0::1]:3001"));
        assert!(!has_other_port("https://[fd00::1]:3000/", "[fd00::1]"));
    }

    #[test]
    fn the_hash_of_a_url_never_changes() {
        // Digests of other versions contain this hash: never change the number.
        assert_eq!(ServerUrl::parse("http://a/").expect("valid").key(), 10_215_502_573_201_906_603);
    }

    #[test]
    fn invalid_base_urls_are_rejected_with_a_reason() {
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
