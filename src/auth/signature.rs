//! Makes, writes and parses the signatures of gossip requests and responses.
//!
//! A signature is an HMAC-SHA-256 with the secret as the key. The signature of a request covers a nonce, the receiver,
//! the receiver's time (see `replay.rs`) and the `shazbot` field, which contains the sender:
//!
//! ```text
//! Authorization: Shazbot <nonce> <time> <mac> <receiver>   mac of "request <nonce> <time> <receiver> <field>"
//! ```
//!
//! The signature of a response covers the nonce of the request, the responder and the field. It ends the field, after
//! the responder's time. The second form is for a late or repeated request, which is not handled:
//!
//! ```text
//! 2 so1795647144812>http://a/>… t<time> h<mac>             mac of "answer <nonce> <responder> <field before it>"
//! 2 n<time> h<mac>
//! ```
//!
//! An identity question asks the server at an address for its base URL. It is a request with the receiver `?` and the
//! field `2`. The answer is `2 i<base URL> t<time> h<mac>`, with the mac of "answer <nonce> ? <field before it>".

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::replay::{Nonce, ServerTime};
use super::secret::Secret;
use crate::server_url::ServerUrl;

/// The prefix of an `Authorization` header with a signature. Secrets must not begin with it.
pub const SCHEME: &str = "Shazbot ";
/// Precedes the signature at the end of a response's field.
const MAC_WORD: &str = " h";
/// Precedes the responder's time if it handled the request.
const TIME_WORD: &str = " t";
/// Precedes the responder's time if it did not.
const STALE_WORD: &str = " n";
/// The field of an identity question, and of a response without entries, before time and signature.
pub const EMPTY_FIELD: &str = "2";
/// The receiver of an identity question. No base URL is spelt like this, so a question is not valid as a message, nor
/// its answer as the answer to a message.
pub const ANYBODY: &str = "?";
/// Precedes the base URL in the answer to an identity question.
const URL_WORD: &str = " i";

/// A random number, hexadecimal. Fails if the system has no random numbers.
pub(super) fn nonce() -> Result<String, &'static str> {
    let mut nonce = [0; 16];
    SystemRandom::new().fill(&mut nonce).map_err(|_| "the system has no random numbers")?;
    Ok(hex(&nonce))
}

/// The `Authorization` header that signs a request to a server with this estimated time.
pub(super) fn sign_request(secret: &Secret, nonce: &str, time: ServerTime, to: &str, field: &str) -> String {
    let time = time.to_string();
    let mac = sign(secret, &["request", nonce, &time, to, field]);
    format!("{SCHEME}{nonce} {time} {mac} {to}")
}

/// The signature in an `Authorization` header, not yet verified.
#[derive(Clone, Copy)]
pub(super) struct RequestSignature<'a> {
    pub nonce: &'a str,
    pub nonce_number: Nonce,
    time_text: &'a str,
    /// The estimated time of the receiver.
    pub time: ServerTime,
    mac: &'a str,
    /// The base URL of the receiver.
    pub receiver: &'a str,
}

impl<'a> RequestSignature<'a> {
    /// Parses the text after [`SCHEME`].
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let (nonce, time_text) = (parts.next()?, parts.next()?);
        // A nonce has exactly one spelling, so that a repeated one is recognised: 32 digits, no sign.
        let is_hex = nonce.len() == 32 && nonce.bytes().all(|digit| digit.is_ascii_hexdigit());
        let nonce_number = is_hex.then(|| Nonce::from_str_radix(nonce, 16).ok())??;
        let time = ServerTime::parse(time_text)?;
        Some(Self { nonce, nonce_number, time_text, time, mac: parts.next()?, receiver: parts.next()? })
    }

    /// Whether it was made with this secret for a message with this field.
    pub fn is_valid(&self, secret: &Secret, field: &str) -> bool {
        is_mac(secret, &["request", self.nonce, self.time_text, self.receiver, field], self.mac)
    }
}

/// A response with a valid signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedResponse<'a> {
    /// The `shazbot` field without time and signature.
    pub field: &'a str,
    /// The responder's time.
    pub time: ServerTime,
    /// Whether the request was not handled, because it was late or repeated.
    pub is_stale: bool,
}

/// Signs the response of the server `own`. Without a field it means that the request was late or repeated.
pub(super) fn sign_response(
    secret: &Secret,
    nonce: &str,
    own: &str,
    time: ServerTime,
    field: Option<String>,
) -> String {
    let (mut field, word) = field.map_or((EMPTY_FIELD.into(), STALE_WORD), |field| (field, TIME_WORD));
    field.push_str(word);
    field.push_str(&time.to_string());
    let mac = sign(secret, &["answer", nonce, own, &field]);
    field.push_str(MAC_WORD);
    field.push_str(&mac);
    field
}

/// Parses the field of a response. None if its signature is not valid for the server `by` and the request's nonce.
pub(super) fn verify_response<'a>(
    secret: &Secret,
    nonce: &str,
    by: &str,
    field: &'a str,
) -> Option<SignedResponse<'a>> {
    let (signed, mac) = field.rsplit_once(MAC_WORD)?;
    if !is_mac(secret, &["answer", nonce, by, signed], mac) {
        return None;
    }
    let (field, word) = signed.split_at(signed.rfind(' ')?);
    let is_stale = word.starts_with(STALE_WORD);
    let time = word.strip_prefix(if is_stale { STALE_WORD } else { TIME_WORD })?;
    Some(SignedResponse { field, time: ServerTime::parse(time)?, is_stale })
}

/// The field of the server `own`'s answer to an identity question, before time and signature.
pub(super) fn identity(own: &ServerUrl) -> String {
    format!("{EMPTY_FIELD}{URL_WORD}{own}")
}

/// The base URL in such a field.
pub(super) fn read_identity(field: &str) -> Option<&str> {
    field.strip_prefix(EMPTY_FIELD)?.strip_prefix(URL_WORD)
}

fn sign(secret: &Secret, parts: &[&str]) -> String {
    hex(hmac::sign(&key(secret), parts.join(" ").as_bytes()).as_ref())
}

fn is_mac(secret: &Secret, parts: &[&str], mac: &str) -> bool {
    unhex(mac).is_some_and(|mac| hmac::verify(&key(secret), parts.join(" ").as_bytes(), &mac).is_ok())
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

// By hand, because none of the linked crates encodes hexadecimal.
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
