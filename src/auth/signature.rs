//! Signatures of gossip requests and responses: how they are made, written and read.
//!
//! A signature is an HMAC-SHA-256 whose key is the secret. The signature of a request covers the receiver, a nonce and the
//! `shazbot` field, which names the sender:
//!
//! ```text
//! Authorization: Shazbot <nonce> <mac> <receiver>      mac of "request <nonce> <receiver> <field>"
//! ```
//!
//! The signature of the response covers the nonce of the request, the server that answers, and the field, whose last word it
//! becomes:
//!
//! ```text
//! 2 so1795647144812>http://a/>… h<mac>                 mac of "answer <nonce> <responder> <field before it>"
//! ```
//!
//! No server stores nonces. A replayed request is merged again, which changes nothing because merging is idempotent. A
//! response fits only its own request.

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::secret::Secret;
use crate::server_url::ServerUrl;

/// How an `Authorization` header with a signature begins. Secrets must not begin with it.
pub const SCHEME: &str = "Shazbot ";
/// Precedes the signature at the end of a response's field.
const MAC_WORD: &str = " h";

/// A random number, hexadecimal. The error says that there is none.
pub(super) fn nonce() -> Result<String, &'static str> {
    let mut nonce = [0; 16];
    SystemRandom::new().fill(&mut nonce).map_err(|_| "the system has no random numbers")?;
    Ok(hex(&nonce))
}

/// The `Authorization` header that signs a request to a server.
pub(super) fn sign_request(secret: &Secret, nonce: &str, to: &ServerUrl, field: &str) -> String {
    let mac = sign(secret, ["request", nonce, to.as_str(), field]);
    format!("{SCHEME}{nonce} {mac} {to}")
}

/// The signature in an `Authorization` header, not yet verified.
#[derive(Clone, Copy)]
pub(super) struct RequestSignature<'a> {
    pub nonce: &'a str,
    mac: &'a str,
    /// The base URL of the server that the request is for.
    pub receiver: &'a str,
}

impl<'a> RequestSignature<'a> {
    /// Reads what follows [`SCHEME`].
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        Some(Self { nonce: parts.next()?, mac: parts.next()?, receiver: parts.next()? })
    }

    /// Whether it was made with this secret for a message with this field.
    pub fn is_valid(&self, secret: &Secret, field: &str) -> bool {
        is_mac(secret, ["request", self.nonce, self.receiver, field], self.mac)
    }
}

/// Adds the signature of the server `own` to the field of its response.
pub(super) fn sign_response(secret: &Secret, nonce: &str, own: &ServerUrl, field: &mut String) {
    let mac = sign(secret, ["answer", nonce, own.as_str(), field]);
    field.push_str(MAC_WORD);
    field.push_str(&mac);
}

/// The field of a response without its signature. None if that is not valid for the server `by` and the request's nonce.
pub(super) fn verify_response<'a>(secret: &Secret, nonce: &str, by: &ServerUrl, field: &'a str) -> Option<&'a str> {
    let (field, mac) = field.rsplit_once(MAC_WORD)?;
    is_mac(secret, ["answer", nonce, by.as_str(), field], mac).then_some(field)
}

fn sign(secret: &Secret, parts: [&str; 4]) -> String {
    hex(hmac::sign(&key(secret), parts.join(" ").as_bytes()).as_ref())
}

fn is_mac(secret: &Secret, parts: [&str; 4], mac: &str) -> bool {
    unhex(mac).is_some_and(|mac| hmac::verify(&key(secret), parts.join(" ").as_bytes(), &mac).is_ok())
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

// By hand: no crate that is linked anyway encodes hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    Some(digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8)).collect())
}
