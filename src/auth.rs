//! Secrets: kept out of logs, compared in constant time, and in signed mode kept inside the process.
//!
//! A signature is an HMAC-SHA-256 with the secret as its key. That of a request covers the receiver, a nonce and the
//! field of the message, which names its sender:
//!
//! ```text
//! Authorization: Shazbot <nonce> <mac> <receiver>      mac of "request <nonce> <receiver> <field>"
//! ```
//!
//! and that of the answer covers the nonce of the request, who answers, and the field, of which it is the last word:
//!
//! ```text
//! 2 so1795647144812>http://a/>… h<mac>                 mac of "answer <nonce> <answerer> <field before it>"
//! ```
//!
//! Nothing remembers nonces. A request that is sent again is merged again, which changes nothing: merging is a join. An
//! answer fits its request alone.

use std::fmt;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::Error;
use crate::message::{ServerUrl, add_cluster_name};

/// Secrets shorter than this, bytes, can be guessed from what a signature shows, or from a header in a log.
const SHORT: usize = 16;
/// How a header that is a signature begins.
pub const SCHEME: &str = "Shazbot ";
/// Precedes the signature at the end of an answer.
const MAC_WORD: &str = " h";

/// A secret from the environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    tag: [u8; 32],
}

impl Secret {
    /// Wraps a secret.
    pub fn new(value: String) -> Self {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&tag_key(), value.as_bytes()).as_ref());
        Self { value, tag }
    }

    /// The secret itself, for the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Whether it is too short to be safe.
    pub fn is_short(&self) -> bool {
        self.value.len() < SHORT
    }

    /// Whether a header is this secret. What is compared are MACs of both, so that the time taken says nothing about
    /// the secret, not even its length.
    pub fn matches(&self, header: &str) -> bool {
        hmac::verify(&tag_key(), header.as_bytes(), &self.tag).is_ok()
    }

    fn sign(&self, parts: [&str; 4]) -> String {
        hex(hmac::sign(&self.key(), parts.join(" ").as_bytes()).as_ref())
    }

    fn verifies(&self, parts: [&str; 4], mac: &str) -> bool {
        unhex(mac).is_some_and(|mac| hmac::verify(&self.key(), parts.join(" ").as_bytes(), &mac).is_ok())
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.value.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secret that is sent or signed with, and one that is accepted besides while secrets are changed.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// The one in use.
    pub main: Secret,
    /// The one that was, or will be.
    pub also: Option<Secret>,
}

impl Keyring {
    /// Whether a header is one of the secrets.
    pub fn matches(&self, header: &str) -> bool {
        // Both are compared, whichever it is.
        self.all().map(|secret| secret.matches(header)).fold(false, |any, one| any | one)
    }

    /// Each of them.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.main).chain(&self.also)
    }
}

/// `SHAZBOT_AUTH`: what is sent, and what is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The secret is sent; a signature is accepted too.
    #[default]
    Plain,
    /// Signatures are sent; the secret is accepted too.
    Sign,
    /// Signatures alone.
    Signed,
}

/// How this server proves to others that it belongs to them, and they to it.
#[derive(Clone, Debug)]
pub struct Gate {
    /// What is sent and accepted.
    pub mode: Mode,
    /// `SHAZBOT_SECRET`, `SHAZBOT_SECRET_ALSO`.
    pub secrets: Keyring,
    /// `SHAZBOT_CLUSTER`.
    pub cluster: Option<String>,
}

/// A request as it goes out.
#[derive(Debug)]
pub struct Request {
    /// The `Authorization` header; secret where nothing is signed.
    pub header: Secret,
    /// What the answer must be signed for; None where nothing is signed.
    pub nonce: Option<String>,
}

/// What the answer to a request is signed with; nothing where that was not.
pub struct Proof<'a>(Option<(&'a Secret, &'a str)>);

impl Gate {
    /// The field of a message of ours with the name of our cluster.
    pub fn named(&self, mut text: String) -> String {
        if let Some(name) = &self.cluster {
            add_cluster_name(&mut text, name);
        }
        text
    }

    /// Signs a message to a server, or shows the secret to it. `text` is the field of a message of ours; nothing else can be
    /// signed.
    pub fn request(&self, to: &ServerUrl, text: Option<&str>) -> Result<Request, &'static str> {
        let secret = &self.secrets.main;
        if self.mode == Mode::Plain {
            return Ok(Request { header: secret.clone(), nonce: None });
        }
        let text = text.ok_or("a version 1 server takes no signed messages, and SHAZBOT_AUTH asks for them")?;
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).map_err(|_| "the system has no random numbers")?;
        let nonce = hex(&nonce);
        let mac = secret.sign(["request", &nonce, to.as_str(), text]);
        Ok(Request { header: Secret::new(format!("{SCHEME}{nonce} {mac} {to}")), nonce: Some(nonce) })
    }

    /// Checks the header of a request to the server `own`. `text` is the field of a message of ours; without one the request
    /// cannot be signed.
    pub fn check<'a>(&'a self, header: &'a str, text: Option<&str>, own: &ServerUrl) -> Result<Proof<'a>, Error> {
        let Some(signature) = header.strip_prefix(SCHEME) else {
            let good = self.secrets.matches(header);
            return match self.mode {
                Mode::Plain | Mode::Sign if good => Ok(Proof(None)),
                Mode::Signed if good => Err(Error::Unsigned),
                _ => Err(Error::Unauthorized("SHAZBOT_SECRET")),
            };
        };
        let mut parts = signature.splitn(3, ' ');
        let (nonce, mac, to) = (parts.next(), parts.next(), parts.next());
        let (Some(nonce), Some(mac), Some(to), Some(text)) = (nonce, mac, to, text) else {
            return Err(Error::Unauthorized("SHAZBOT_SECRET"));
        };
        let secret = self.secrets.all().find(|secret| secret.verifies(["request", nonce, to, text], mac));
        let secret = secret.ok_or(Error::Unauthorized("SHAZBOT_SECRET"))?;
        if to == own.as_str() { Ok(Proof(Some((secret, nonce)))) } else { Err(Error::Misdirected(own.to_string())) }
    }

    /// The field of the answer, signed if the request was.
    pub fn answer(&self, proof: &Proof<'_>, own: &ServerUrl, mut text: String) -> String {
        if let Proof(Some((secret, nonce))) = proof {
            let mac = secret.sign(["answer", nonce, own.as_str(), &text]);
            text.push_str(MAC_WORD);
            text.push_str(&mac);
        }
        text
    }

    /// The field of an answer without its signature, if that is one of `by` for the request with this nonce.
    pub fn verified<'a>(&self, nonce: &str, by: &ServerUrl, text: &'a str) -> Option<&'a str> {
        let (text, mac) = text.rsplit_once(MAC_WORD)?;
        self.secrets.main.verifies(["answer", nonce, by.as_str(), text], mac).then_some(text)
    }

    /// Whether a message belongs to our cluster, by the name in it.
    pub fn check_cluster(&self, name: Option<&str>) -> Result<(), Error> {
        match (&self.cluster, name) {
            (Some(envelope), Some(theirs)) if envelope != theirs => {
                Err(Error::WrongCluster(format!("the message is of {theirs:?}, this server of {envelope:?}")))
            }
            (Some(envelope), None) if self.mode == Mode::Signed => {
                Err(Error::WrongCluster(format!("the message has no SHAZBOT_CLUSTER, this server is of {envelope:?}")))
            }
            (None, Some(theirs)) if self.mode == Mode::Signed => {
                Err(Error::WrongCluster(format!("the message is of {theirs:?}, this server has no SHAZBOT_CLUSTER")))
            }
            _ => Ok(()),
        }
    }
}

fn tag_key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"clustershazbot")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2 so5>http://a/>5.1";

    fn url(name: &str) -> ServerUrl {
        ServerUrl::parse(&format!("http://{name}/")).expect(name)
    }

    fn gate(mode: Mode, main: &str, also: Option<&str>) -> Gate {
        let secret = |value: &str| Secret::new(value.into());
        Gate { mode, secrets: Keyring { main: secret(main), also: also.map(secret) }, cluster: None }
    }

    // Whether b, by `theirs`, takes a message of a, by `ours`, and a the answer to it.
    fn exchange(envelope: &Gate, theirs: &Gate) -> (bool, bool) {
        let request = envelope.request(&url("b"), Some(TEXT)).expect("a request");
        let Ok(proof) = theirs.check(request.header.expose(), Some(TEXT), &url("b")) else { return (false, false) };
        let answer = theirs.answer(&proof, &url("b"), "2 so6>http://b/>6.1".into());
        let verified = request.nonce.is_none_or(|nonce| envelope.verified(&nonce, &url("b"), &answer).is_some());
        (true, verified)
    }

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
        let gate = gate(Mode::Plain, "hunter2", Some("hunter3"));
        let request = gate.request(&url("b"), None).expect("a request");
        assert!(!format!("{gate:?} {request:?}").contains("hunter"));
    }

    #[test]
    fn each_mode_takes_what_the_next_one_sends_and_only_signed_refuses_the_secret() {
        let taken = |a, b| exchange(&gate(a, "s", None), &gate(b, "s", None)).0;
        for (envelope, theirs) in [(Mode::Plain, Mode::Plain), (Mode::Plain, Mode::Sign), (Mode::Sign, Mode::Plain)] {
            assert!(taken(envelope, theirs), "{envelope:?} {theirs:?}");
        }
        for (envelope, theirs) in [(Mode::Sign, Mode::Signed), (Mode::Signed, Mode::Sign), (Mode::Signed, Mode::Signed)]
        {
            assert_eq!(
                exchange(&gate(envelope, "s", None), &gate(theirs, "s", None)),
                (true, true),
                "{envelope:?} {theirs:?}"
            );
        }
        assert!(!taken(Mode::Plain, Mode::Signed));
        let signed = gate(Mode::Signed, "s", None);
        assert_eq!(signed.check("s", Some(TEXT), &url("b")).err(), Some(Error::Unsigned));
        assert_eq!(signed.check("x", Some(TEXT), &url("b")).err(), Some(Error::Unauthorized("SHAZBOT_SECRET")));
    }

    #[test]
    fn a_secret_is_changed_in_three_steps_and_nobody_is_refused() {
        // The new one is accepted everywhere, then sent everywhere, then the old one is accepted no more.
        let steps = [("old", None), ("old", Some("new")), ("new", Some("old")), ("new", None)];
        for mode in [Mode::Plain, Mode::Sign, Mode::Signed] {
            for pair in steps.windows(2) {
                for (envelope, theirs) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                    let exchanged = exchange(&gate(mode, envelope.0, envelope.1), &gate(mode, theirs.0, theirs.1));
                    assert_eq!(exchanged, (true, true), "{mode:?} {envelope:?} {theirs:?}");
                }
            }
            assert_eq!(exchange(&gate(mode, "old", None), &gate(mode, "new", None)), (false, false));
        }
    }

    #[test]
    fn a_signature_fits_one_message_to_one_server_and_its_answer_one_request() {
        let gate = gate(Mode::Signed, "s", None);
        let request = gate.request(&url("b"), Some(TEXT)).expect("a request");
        let (header, nonce) = (request.header.expose(), request.nonce.expect("signed"));
        assert!(gate.check(header, Some("2 so6>http://a/>5.1"), &url("b")).is_err());
        assert_eq!(gate.check(header, Some(TEXT), &url("c")).err(), Some(Error::Misdirected("http://c/".into())));
        for broken in [SCHEME.to_owned(), header.replace(" http://b/", ""), header.replace("http://b/", "http://c/")] {
            assert_eq!(
                gate.check(&broken, Some(TEXT), &url("b")).err(),
                Some(Error::Unauthorized("SHAZBOT_SECRET")),
                "{broken}"
            );
        }
        let proof = gate.check(header, Some(TEXT), &url("b")).expect("valid");
        let answer = gate.answer(&proof, &url("b"), TEXT.into());
        assert_eq!(gate.verified(&nonce, &url("b"), &answer), Some(TEXT));
        assert_eq!(gate.verified(&nonce, &url("c"), &answer), None);
        assert_eq!(gate.verified("00", &url("b"), &answer), None);
        assert_eq!(gate.verified(&nonce, &url("b"), TEXT), None);
        // A request is no answer, whoever sends it back.
        assert_eq!(gate.verified(&nonce, &url("b"), &format!("{TEXT} h{}", &header[41..105])), None);
    }

    #[test]
    fn what_cannot_be_signed_is_not_sent() {
        assert!(gate(Mode::Sign, "s", None).request(&url("b"), None).is_err());
        assert!(gate(Mode::Plain, "s", None).request(&url("b"), None).is_ok());
    }

    #[test]
    fn another_cluster_s_messages_are_refused_and_those_without_a_name_where_all_sign() {
        let named = |name: Option<&str>, mode| Gate { cluster: name.map(Into::into), ..gate(mode, "s", None) };
        assert!(named(Some("a"), Mode::Plain).check_cluster(Some("a")).is_ok());
        assert!(named(Some("a"), Mode::Plain).check_cluster(None).is_ok());
        assert!(named(None, Mode::Sign).check_cluster(Some("a")).is_ok());
        assert!(named(None, Mode::Signed).check_cluster(Some("a")).is_err());
        assert!(named(Some("a"), Mode::Plain).check_cluster(Some("b")).is_err());
        assert!(named(Some("a"), Mode::Signed).check_cluster(None).is_err());
    }
}
