//! The header of a request and the field of an answer: `<mode> <header>`, a line feed, the field. `MAC` stands for the
//! right signature, since random inputs do not contain it.

#![no_main]

use std::sync::LazyLock;

use clustershazbot::auth::{Keyring, Mode, PeerAuth, Secret};
use clustershazbot_fuzz::{bounded, own};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

const SECRET: &str = "s";
const ALSO: &str = "also";

static AUTHS: LazyLock<[PeerAuth; 3]> = LazyLock::new(|| {
    let secrets = Keyring::new(Secret::new(SECRET.into()), Some(Secret::new(ALSO.into())));
    [Mode::Plain, Mode::Sign, Mode::Signed].map(|mode| PeerAuth { mode, secrets: secrets.clone(), cluster: None })
});

fuzz_target!(|text: &str| {
    let (head, field) = text.split_once('\n').map_or((text, None), |(head, field)| (head, Some(field)));
    let (auth, header) = match head.split_at_checked(2) {
        Some(("1 ", header)) => (&AUTHS[1], header),
        Some(("2 ", header)) => (&AUTHS[2], header),
        _ => (&AUTHS[0], head),
    };
    request(auth, header, field);
    answer(auth, header, field.unwrap_or_default());
});

fn request(auth: &PeerAuth, header: &str, field: Option<&str>) {
    let signature = header.strip_prefix("Shazbot ").map(|rest| rest.splitn(3, ' ').collect::<Vec<_>>());
    let (header, is_good) = match (signature.as_deref(), field) {
        (Some(&[nonce, given, to]), Some(field)) => {
            let right = [SECRET, ALSO].map(|key| mac(key, &format!("request {nonce} {to} {field}")));
            let given = given.replace("MAC", &right[0]).replace("ALSO", &right[1]);
            let is_good = right.contains(&given.to_ascii_lowercase()) && to == own().as_str();
            (format!("Shazbot {nonce} {given} {to}"), is_good)
        }
        (Some(_), _) => (header.to_owned(), false),
        (None, _) => (header.to_owned(), auth.mode != Mode::Signed && [SECRET, ALSO].contains(&header)),
    };
    bounded(header.as_bytes(), || {
        let _ = auth.check_request(&header, field, own());
    });
    let proof = auth.check_request(&header, field, own());
    assert_eq!(proof.is_ok(), is_good, "{header:?} {field:?}");
    if let (Ok(proof), Some(&[nonce, ..]), Some(field)) = (proof, signature.as_deref(), field) {
        let answer = auth.sign_response(&proof, own(), field.to_owned());
        // A client that signs with the other secret does not know this one.
        if header.contains(&mac(SECRET, &format!("request {nonce} {} {field}", own()))) {
            assert_eq!(auth.verify_response(nonce, own(), &answer), Some(field));
        }
    }
}

fn answer(auth: &PeerAuth, nonce: &str, field: &str) {
    let (before, given) = field.rsplit_once(" h").unwrap_or((field, ""));
    let right = mac(SECRET, &format!("answer {nonce} {} {before}", own()));
    let given = given.replace("MAC", &right);
    let field = format!("{before} h{given}");
    bounded(field.as_bytes(), || {
        let _ = auth.verify_response(nonce, own(), &field);
    });
    let is_good = given.eq_ignore_ascii_case(&right);
    assert_eq!(auth.verify_response(nonce, own(), &field), is_good.then_some(before), "{field:?}");
}

fn mac(key: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
