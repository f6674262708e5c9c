//! `Secret` and `Keyring`: configured secrets, kept out of logs and compared in constant time.

use std::fmt;

use ring::hmac;

/// Shorter secrets can be guessed from a signature or from a header in a log, bytes.
const SHORT: usize = 16;

/// A secret. Its `Debug` output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The secret itself, for a header or a key.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is too short to be safe.
    pub fn is_short(&self) -> bool {
        self.0.len() < SHORT
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secret that this server sends, and a second one that it also accepts during a rotation.
#[derive(Clone, Debug)]
pub struct Keyring {
    main: Accepted,
    also: Option<Accepted>,
}

// A secret and its MAC, for comparison with headers.
#[derive(Clone)]
struct Accepted {
    secret: Secret,
    mac: [u8; 32],
}

impl Keyring {
    /// Sends and accepts `main`; also accepts `also`.
    pub fn new(main: Secret, also: Option<Secret>) -> Self {
        Self { main: Accepted::new(main), also: also.map(Accepted::new) }
    }

    /// The secret to send.
    pub fn main(&self) -> &Secret {
        &self.main.secret
    }

    /// The second accepted secret.
    pub fn also(&self) -> Option<&Secret> {
        self.also.as_ref().map(|also| &also.secret)
    }

    /// All accepted secrets, the main one first.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(self.main()).chain(self.also())
    }

    /// Whether a header is one of the secrets.
    pub fn matches(&self, header: &str) -> bool {
        // Always compares both, so that the time does not show which one matched.
        std::iter::once(&self.main).chain(&self.also).map(|it| it.matches(header)).fold(false, |any, one| any | one)
    }
}

impl Accepted {
    fn new(secret: Secret) -> Self {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&mac_key(), secret.expose().as_bytes()).as_ref());
        Self { secret, mac }
    }

    // Compares MACs, so that the time shows nothing of the secret, not even its length.
    fn matches(&self, header: &str) -> bool {
        hmac::verify(&mac_key(), header.as_bytes(), &self.mac).is_ok()
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.secret.fmt(f)
    }
}

fn mac_key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"clustershazbot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_secret_matches() {
        let keyring = Keyring::new(Secret::new("open sesame".into()), Some(Secret::new("another".into())));
        assert!(keyring.matches("open sesame") && keyring.matches("another"));
        for wrong in ["", "open", "open sesame ", "Open sesame", "open sesame\0"] {
            assert!(!keyring.matches(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn debug_output_does_not_show_a_secret() {
        let keyring = Keyring::new(Secret::new("hunter2".into()), Some(Secret::new("hunter3".into())));
        assert!(!format!("{keyring:?}").contains("hunter"));
    }
}
