//! `Redactor`: removes secrets from text. Peers know the secrets, and what they say ends up in logs.

use std::cmp::Reverse;

use crate::auth::{Keyring, Secret};
use crate::config::Config;

/// Most characters of a redacted text: a peer may send a long one.
const MAX_TEXT: usize = 1_000;

/// The secrets that no text may contain, longest first.
pub struct Redactor(Vec<String>);

impl Redactor {
    pub fn new(config: &Config) -> Self {
        let secrets =
            [&config.peer_auth.secrets, &config.control].into_iter().flat_map(Keyring::all).map(Secret::expose);
        let mut secrets: Vec<_> =
            secrets.flat_map(|secret| [secret.to_owned(), secret.escape_debug().to_string()]).collect();
        // One secret may be the beginning of another.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        Self(secrets)
    }

    /// The text without secrets, cut if it is long.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret, "***");
        }
        if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(end);
        }
        text
    }
}
