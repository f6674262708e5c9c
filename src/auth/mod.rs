//! Authentication between servers: by the secret or by signatures, and by the name of the cluster.

mod replay;
mod secret;
mod signature;

use std::time::Duration;

use crate::error::Error;
use crate::message::add_cluster_name;
use crate::server_url::ServerUrl;

pub use replay::{PeerTimes, ReplayGuard, ServerTime};
pub use secret::{Keyring, Secret};
use signature::{ANYBODY, RequestSignature};
pub use signature::{EMPTY_FIELD, SCHEME, SignedResponse};

/// `SHAZBOT_AUTH`: what this server sends and accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Sends the secret. Also accepts signatures.
    #[default]
    Plain,
    /// Sends signatures. Also accepts the secret.
    Sign,
    /// Sends and accepts only signatures.
    Signed,
}

/// How this server and its peers authenticate.
#[derive(Clone, Debug)]
pub struct PeerAuth {
    /// What this server sends and accepts.
    pub mode: Mode,
    /// `SHAZBOT_SECRET`, `SHAZBOT_SECRET_ALSO`.
    pub secrets: Keyring,
    /// `SHAZBOT_CLUSTER`.
    pub cluster: Option<String>,
}

/// The authentication of an outgoing request.
#[derive(Debug)]
pub struct Request {
    /// The `Authorization` header: a signature, or the secret itself.
    pub header: Secret,
    /// The nonce that the signature of the response must cover. None if the request is not signed.
    pub nonce: Option<String>,
}

/// The proof that a holder of the secret sent a request. For a signed request: its signature, and the key for the
/// response.
pub struct Proof<'a>(Option<(&'a Secret, RequestSignature<'a>)>);

impl Proof<'_> {
    /// If a signed request is late or repeated, and so must not be handled: the response of the server `own`, with only
    /// our time. Call it once for each request.
    pub fn refuse_stale(&self, guard: &mut ReplayGuard, own: &ServerUrl, now: Duration) -> Option<String> {
        let (secret, request) = self.0.as_ref()?;
        let is_fresh = guard.accept(request.nonce_number, request.time, now);
        (!is_fresh).then(|| signature::sign_response(secret, request.nonce, own.as_str(), guard.time(now), None))
    }

    /// If a request is an identity question, which must not be handled as anything else: the response of the server
    /// `own`. Needs no replay protection, because it changes nothing.
    pub fn answer_question(&self, own: &ServerUrl, time: ServerTime) -> Option<String> {
        let (secret, request) = self.0.as_ref().filter(|(_, request)| request.receiver == ANYBODY)?;
        Some(signature::sign_response(secret, request.nonce, ANYBODY, time, Some(signature::identity(own))))
    }

    /// The field of the server `own`'s response. Signed, and with our time, if the request was signed.
    pub fn sign_response(&self, own: &ServerUrl, time: ServerTime, field: String) -> String {
        match &self.0 {
            Some((secret, request)) => signature::sign_response(secret, request.nonce, own.as_str(), time, Some(field)),
            None => field,
        }
    }
}

impl PeerAuth {
    /// Adds the name of our cluster, if it has one, to the field of a message.
    pub fn with_cluster(&self, mut field: String) -> String {
        if let Some(name) = &self.cluster {
            add_cluster_name(&mut field, name);
        }
        field
    }

    /// Authenticates a message to the server `to`. `field` is the `shazbot` field; a message without one, to a version
    /// 1 server, cannot be signed. `time` is the estimated time of that server.
    pub fn request(&self, to: &ServerUrl, field: Option<&str>, time: ServerTime) -> Result<Request, &'static str> {
        let secret = self.secrets.main();
        if self.mode == Mode::Plain {
            return Ok(Request { header: secret.clone(), nonce: None });
        }
        let field =
            field.ok_or("a version 1 server does not accept signed messages, and SHAZBOT_AUTH requires them")?;
        let nonce = signature::nonce()?;
        let header = signature::sign_request(secret, &nonce, time, to.as_str(), field);
        Ok(Request { header: Secret::new(header), nonce: Some(nonce) })
    }

    /// Authenticates an identity question, whose field is [`EMPTY_FIELD`]. Always signed: another program may have
    /// taken over the address, and must not get the secret.
    pub fn question(&self) -> Result<Request, &'static str> {
        let nonce = signature::nonce()?;
        let time = ServerTime::default();
        let header = signature::sign_request(self.secrets.main(), &nonce, time, ANYBODY, EMPTY_FIELD);
        Ok(Request { header: Secret::new(header), nonce: Some(nonce) })
    }

    /// Parses the answer to an identity question: the base URL of a holder of our secret, not yet checked, and its
    /// time. None if the signature is invalid.
    pub fn read_identity<'a>(&self, nonce: &str, field: &'a str) -> Option<(&'a str, ServerTime)> {
        let answer = signature::verify_response(self.secrets.main(), nonce, ANYBODY, field)?;
        Some((signature::read_identity(answer.field)?, answer.time))
    }

    /// Checks the `Authorization` header of a request to the server `own`. `field` is the `shazbot` field; a request
    /// without one cannot be signed. Call [`Proof::answer_question`] and [`Proof::refuse_stale`] next.
    pub fn check_request<'a>(
        &'a self,
        header: &'a str,
        field: Option<&str>,
        own: &ServerUrl,
    ) -> Result<Proof<'a>, Error> {
        let Some(signature) = header.strip_prefix(SCHEME) else {
            let is_secret = self.secrets.matches(header);
            return match self.mode {
                Mode::Plain | Mode::Sign if is_secret => Ok(Proof(None)),
                Mode::Signed if is_secret => Err(Error::Unsigned),
                Mode::Plain | Mode::Sign | Mode::Signed => Err(Error::Unauthorized("SHAZBOT_SECRET")),
            };
        };
        let (Some(signature), Some(field)) = (RequestSignature::parse(signature), field) else {
            return Err(Error::Unauthorized("SHAZBOT_SECRET"));
        };
        let secret = self.secrets.all().find(|secret| signature.is_valid(secret, field));
        let secret = secret.ok_or(Error::Unauthorized("SHAZBOT_SECRET"))?;
        if [own.as_str(), ANYBODY].contains(&signature.receiver) {
            Ok(Proof(Some((secret, signature))))
        } else {
            Err(Error::Misdirected(own.to_string()))
        }
    }

    /// Checks the signature of a response of the server `by` to the request with this nonce. None if it is invalid.
    pub fn verify_response<'a>(&self, nonce: &str, by: &ServerUrl, field: &'a str) -> Option<SignedResponse<'a>> {
        signature::verify_response(self.secrets.main(), nonce, by.as_str(), field)
    }

    /// Checks that a message belongs to our cluster. A missing name is an error only in signed mode, because version 1
    /// servers, and servers without a configured name, send none.
    pub fn check_cluster(&self, name: Option<&str>) -> Result<(), Error> {
        match (&self.cluster, name) {
            (Some(own), Some(name)) if own != name => Err(Error::WrongCluster(format!(
                "the message is from cluster {name:?}, this server belongs to {own:?}"
            ))),
            (Some(own), None) if self.mode == Mode::Signed => {
                Err(Error::WrongCluster(format!("the message has no SHAZBOT_CLUSTER, this server belongs to {own:?}")))
            }
            (None, Some(name)) if self.mode == Mode::Signed => Err(Error::WrongCluster(format!(
                "the message is from cluster {name:?}, this server has no SHAZBOT_CLUSTER"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "2 so5>http://a/>5.1";

    fn url(name: &str) -> ServerUrl {
        ServerUrl::parse(&format!("http://{name}/")).expect(name)
    }

    fn auth(mode: Mode, main: &str, also: Option<&str>) -> PeerAuth {
        let secret = |value: &str| Secret::new(value.into());
        PeerAuth { mode, secrets: Keyring::new(secret(main), also.map(secret)), cluster: None }
    }

    fn time(text: &str) -> ServerTime {
        ServerTime::parse(text).expect(text)
    }

    // Whether b accepts a request of a, and a the response.
    fn exchange(a: &PeerAuth, b: &PeerAuth) -> (bool, bool) {
        let request = a.request(&url("b"), Some(FIELD), time("5.0")).expect("a request");
        let Ok(proof) = b.check_request(request.header.expose(), Some(FIELD), &url("b")) else { return (false, false) };
        let response = proof.sign_response(&url("b"), time("5.0"), "2 so6>http://b/>6.1".into());
        let verified = request.nonce.is_none_or(|nonce| a.verify_response(&nonce, &url("b"), &response).is_some());
        (true, verified)
    }

    #[test]
    fn a_first_contact_takes_two_requests_and_later_ones_take_one() {
        let (auth, mut guard, mut times) = (auth(Mode::Signed, "s", None), ReplayGuard::new(5), PeerTimes::default());
        // Returns whether b handled the request.
        let mut send = |now: u64, guard: &mut ReplayGuard| {
            let now = Duration::from_millis(now);
            let request = auth.request(&url("b"), Some(FIELD), times.estimate(&url("b"), now)).expect("a request");
            let proof = auth.check_request(request.header.expose(), Some(FIELD), &url("b")).expect("signed");
            let refusal = proof.refuse_stale(guard, &url("b"), now);
            let response =
                refusal.clone().unwrap_or_else(|| proof.sign_response(&url("b"), guard.time(now), FIELD.into()));
            let response = auth.verify_response(request.nonce.as_deref().expect("signed"), &url("b"), &response);
            let response = response.expect("signed");
            assert_eq!(response.field, if refusal.is_some() { "2" } else { FIELD });
            assert_eq!((response.is_stale, response.time), (refusal.is_some(), guard.time(now)));
            times.learn(&url("b"), response.time, now);
            refusal.is_none()
        };
        assert_eq!([0, 5, 10, 9_000_000].map(|now| send(now, &mut guard)), [false, true, true, true]);
        let mut restarted = ReplayGuard::new(6);
        assert_eq!([9_000_010, 9_000_020].map(|now| send(now, &mut restarted)), [false, true]);
    }

    #[test]
    fn a_repeated_signed_request_gets_only_the_time_and_an_unsigned_one_is_not_protected() {
        let now = Duration::from_secs(7);
        let (auth, mut guard) = (auth(Mode::Sign, "s", None), ReplayGuard::new(5));
        let request = auth.request(&url("b"), Some(FIELD), time("5.7000")).expect("a request");
        let proof = || auth.check_request(request.header.expose(), Some(FIELD), &url("b")).expect("signed");
        assert_eq!(proof().refuse_stale(&mut guard, &url("b"), now), None);
        let refusal = proof().refuse_stale(&mut guard, &url("b"), now).expect("a refusal");
        assert!(refusal.starts_with("2 n5.7000 h"), "{refusal}");
        for _ in 0..2 {
            let unsigned = auth.check_request("s", Some(FIELD), &url("b")).expect("the secret");
            assert_eq!(unsigned.refuse_stale(&mut guard, &url("b"), now), None);
        }
    }

    #[test]
    fn debug_output_does_not_show_a_secret() {
        let auth = auth(Mode::Plain, "hunter2", Some("hunter3"));
        let request = auth.request(&url("b"), None, time("0.0")).expect("a request");
        assert!(!format!("{auth:?} {request:?}").contains("hunter"));
    }

    #[test]
    fn each_mode_accepts_what_the_next_one_sends_and_only_signed_refuses_the_secret() {
        let taken = |a, b| exchange(&auth(a, "s", None), &auth(b, "s", None)).0;
        for (sender, receiver) in [(Mode::Plain, Mode::Plain), (Mode::Plain, Mode::Sign), (Mode::Sign, Mode::Plain)] {
            assert!(taken(sender, receiver), "{sender:?} {receiver:?}");
        }
        for (sender, receiver) in [(Mode::Sign, Mode::Signed), (Mode::Signed, Mode::Sign), (Mode::Signed, Mode::Signed)]
        {
            assert_eq!(
                exchange(&auth(sender, "s", None), &auth(receiver, "s", None)),
                (true, true),
                "{sender:?} {receiver:?}"
            );
        }
        assert!(!taken(Mode::Plain, Mode::Signed));
        let signed = auth(Mode::Signed, "s", None);
        assert_eq!(signed.check_request("s", Some(FIELD), &url("b")).err(), Some(Error::Unsigned));
        assert_eq!(
            signed.check_request("x", Some(FIELD), &url("b")).err(),
            Some(Error::Unauthorized("SHAZBOT_SECRET"))
        );
    }

    #[test]
    fn a_secret_can_be_changed_in_three_steps_without_a_refusal() {
        // First all accept the new secret, then all send it, then all stop accepting the old one.
        let steps = [("old", None), ("old", Some("new")), ("new", Some("old")), ("new", None)];
        for mode in [Mode::Plain, Mode::Sign, Mode::Signed] {
            for pair in steps.windows(2) {
                for (sender, receiver) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                    let exchanged = exchange(&auth(mode, sender.0, sender.1), &auth(mode, receiver.0, receiver.1));
                    assert_eq!(exchanged, (true, true), "{mode:?} {sender:?} {receiver:?}");
                }
            }
            assert_eq!(exchange(&auth(mode, "old", None), &auth(mode, "new", None)), (false, false));
        }
    }

    #[test]
    fn a_signature_is_valid_for_one_message_to_one_server_at_one_time_and_a_response_for_one_request() {
        let auth = auth(Mode::Signed, "s", None);
        let request = auth.request(&url("b"), Some(FIELD), time("5eed.7")).expect("a request");
        let (header, nonce) = (request.header.expose(), request.nonce.expect("signed"));
        assert!(auth.check_request(header, Some("2 so6>http://a/>5.1"), &url("b")).is_err());
        assert_eq!(
            auth.check_request(header, Some(FIELD), &url("c")).err(),
            Some(Error::Misdirected("http://c/".into()))
        );
        for broken in [
            SCHEME.to_owned(),
            header.replace(" http://b/", ""),
            header.replace("http://b/", "http://c/"),
            header.replace(" 5eed.7 ", " 5eed.8 "),
            header.replace(" 5eed.7 ", " 05eed.7 "),
            header.replace(" 5eed.7 ", " "),
            header.replace(&nonce, &format!("{}{}", &nonce[1..], &nonce[..1])),
        ] {
            assert_eq!(
                auth.check_request(&broken, Some(FIELD), &url("b")).err(),
                Some(Error::Unauthorized("SHAZBOT_SECRET")),
                "{broken}"
            );
        }
        let proof = auth.check_request(header, Some(FIELD), &url("b")).expect("valid");
        let response = proof.sign_response(&url("b"), time("5eed.8"), FIELD.into());
        let read = |nonce: &str, by: &str, field: &str| {
            let response = auth.verify_response(nonce, &url(by), field)?;
            Some((response.field.to_owned(), response.time, response.is_stale))
        };
        let expected = (FIELD.to_owned(), time("5eed.8"), false);
        assert_eq!(read(&nonce, "b", &response), Some(expected));
        assert_eq!(read(&nonce, "c", &response), None);
        assert_eq!(read("00", "b", &response), None);
        assert_eq!(read(&nonce, "b", FIELD), None);
        // The signature covers whether the request was handled.
        assert_eq!(read(&nonce, "b", &response.replace(" t", " n")), None);
        // A reflected request is not a valid response.
        let mac = header.split(' ').nth(3).expect("a signature");
        assert_eq!(read(&nonce, "b", &format!("{FIELD} t5eed.8 h{mac}")), None);
    }

    #[test]
    fn a_question_is_answered_with_the_base_url_in_every_mode_and_only_by_holders_of_the_secret() {
        for mode in [Mode::Plain, Mode::Sign, Mode::Signed] {
            let (asker, other) = (auth(mode, "s", None), auth(mode, "x", None));
            let question = asker.question().expect("a question");
            let (header, nonce) = (question.header.expose(), question.nonce.expect("signed"));
            assert!(other.check_request(header, Some(EMPTY_FIELD), &url("b")).is_err());
            let proof = asker.check_request(header, Some(EMPTY_FIELD), &url("b")).expect("valid");
            let answer = proof.answer_question(&url("b"), time("5.7")).expect("a question");
            assert_eq!(asker.read_identity(&nonce, &answer), Some(("http://b/", time("5.7"))));
            assert_eq!(asker.read_identity("00", &answer), None);
            assert_eq!(asker.read_identity(&nonce, &answer.replace("http://b/", "http://c/")), None);
            assert_eq!(other.read_identity(&nonce, &answer), None);
            // Neither is valid as another kind of message.
            assert!(asker.verify_response(&nonce, &url("b"), &answer).is_none());
            let message = proof.sign_response(&url("b"), time("5.7"), FIELD.into());
            assert_eq!(asker.read_identity(&nonce, &message), None);
        }
        let auth = auth(Mode::Sign, "s", None);
        let request = auth.request(&url("b"), Some(FIELD), time("5.0")).expect("a request");
        let proof = auth.check_request(request.header.expose(), Some(FIELD), &url("b")).expect("valid");
        assert_eq!(proof.answer_question(&url("b"), time("5.0")), None);
    }

    #[test]
    fn a_nonce_has_one_spelling() {
        let auth = auth(Mode::Signed, "s", None);
        for nonce in ["", "0", "+00102030405060708090a0b0c0d0e0f", "0001020304050607 8090a0b0c0d0e0f", &"0".repeat(33)]
        {
            let header = signature::sign_request(auth.secrets.main(), nonce, time("5.0"), "http://b/", FIELD);
            assert!(auth.check_request(&header, Some(FIELD), &url("b")).is_err(), "{nonce:?}");
        }
    }

    #[test]
    fn a_message_that_cannot_be_signed_is_not_sent() {
        assert!(auth(Mode::Sign, "s", None).request(&url("b"), None, time("0.0")).is_err());
        assert!(auth(Mode::Plain, "s", None).request(&url("b"), None, time("0.0")).is_ok());
    }

    #[test]
    fn messages_of_another_cluster_are_refused_and_in_signed_mode_those_without_a_name() {
        let named = |name: Option<&str>, mode| PeerAuth { cluster: name.map(Into::into), ..auth(mode, "s", None) };
        assert!(named(Some("a"), Mode::Plain).check_cluster(Some("a")).is_ok());
        assert!(named(Some("a"), Mode::Plain).check_cluster(None).is_ok());
        assert!(named(None, Mode::Sign).check_cluster(Some("a")).is_ok());
        assert!(named(None, Mode::Signed).check_cluster(Some("a")).is_err());
        assert!(named(Some("a"), Mode::Plain).check_cluster(Some("b")).is_err());
        assert!(named(Some("a"), Mode::Signed).check_cluster(None).is_err());
    }
}
