//! Secrets: kept out of logs, compared in constant time.

use std::fmt;

use ring::hmac;

/// A secret from the environment.
#[derive(Clone)]
pub struct Secret {
    value: String,
}

impl Secret {
    /// Wraps a secret.
    pub fn new(value: String) -> Self {
        Self { value }
    }

    /// The secret itself, for the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Whether a header is this secret. What is compared are MACs of both, so that the time taken says nothing about
    /// the secret, not even its length.
    pub fn matches(&self, header: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"clustershazbot");
        let tag = hmac::sign(&key, self.value.as_bytes());
        hmac::verify(&key, header.as_bytes(), tag.as_ref()).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_secret_matches() {
        let secret = Secret::new("open sesame".into());
        assert!(secret.matches("open sesame"));
        for wrong in ["", "open", "open sesame ", "Open sesame", "open sesame\0"] {
            assert!(!secret.matches(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(…)");
    }
}
