//! The header of a request and the field of an answer: `<mode> <header>`, a line feed, the field. `MAC` stands for the
//! right signature, since random inputs do not contain it.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use clustershazbot::auth::{Keyring, Mode, PeerAuth, ReplayGuard, Secret, ServerTime, SignedResponse};
use clustershazbot_fuzz::{bounded, own};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

const SECRET: &str = "s";
const ALSO: &str = "also";
/// The receiver's clock.
const BOOT: u64 = 0x5eed;
const NOW: Duration = Duration::from_millis(100_000);

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
    let signature = header.strip_prefix("Shazbot ").map(|rest| rest.splitn(4, ' ').collect::<Vec<_>>());
    let (header, is_good) = match (signature.as_deref(), field) {
        (Some(&[nonce, time, given, to]), Some(field)) => {
            let right = [SECRET, ALSO].map(|key| mac(key, &format!("request {nonce} {time} {to} {field}")));
            let given = given.replace("MAC", &right[0]).replace("ALSO", &right[1]);
            let is_well_formed = nonce.len() == 32 && is_hex(nonce) && ServerTime::parse(time).is_some();
            let is_good = is_well_formed && right.contains(&given.to_ascii_lowercase()) && to == own().as_str();
            (format!("Shazbot {nonce} {time} {given} {to}"), is_good)
        }
        (Some(_), _) => (header.to_owned(), false),
        (None, _) => (header.to_owned(), auth.mode != Mode::Signed && [SECRET, ALSO].contains(&header)),
    };
    bounded(header.as_bytes(), || {
        let _ = auth.check_request(&header, field, own());
    });
    let proof = auth.check_request(&header, field, own());
    assert_eq!(proof.is_ok(), is_good, "{header:?} {field:?}");
    if let (Ok(proof), Some(&[nonce, time, ..]), Some(field)) = (proof, signature.as_deref(), field) {
        let mut guard = ReplayGuard::new(BOOT);
        let refusals = [(); 2].map(|()| proof.refuse_stale(&mut guard, own(), NOW));
        assert!(refusals[1].is_some(), "{header:?} repeated");
        assert_eq!(refusals[0].is_none(), is_in_time(time), "{header:?}");
        let answer = proof.sign_response(own(), guard.time(NOW), field.to_owned());
        // A client that signs with the other secret does not know this one.
        if header.contains(&mac(SECRET, &format!("request {nonce} {time} {} {field}", own()))) {
            let read = |answer| auth.verify_response(nonce, own(), answer).expect("signed");
            let is_stale = false;
            assert_eq!(read(&answer), SignedResponse { field, time: guard.time(NOW), is_stale });
            assert!(refusals.iter().flatten().all(|refusal| read(refusal).is_stale));
        }
    }
}

// Whether a time is at most 30 s behind and 2 s ahead of `NOW`.
fn is_in_time(time: &str) -> bool {
    let (boot, ms) = time.split_once('.').expect("well-formed");
    let ms: u64 = ms.parse().expect("well-formed");
    u64::from_str_radix(boot, 16) == Ok(BOOT) && (70_000..=102_000).contains(&ms)
}

fn answer(auth: &PeerAuth, nonce: &str, field: &str) {
    let (before, given) = field.rsplit_once(" h").unwrap_or((field, ""));
    let right = mac(SECRET, &format!("answer {nonce} {} {before}", own()));
    let given = given.replace("MAC", &right);
    let field = format!("{before} h{given}");
    bounded(field.as_bytes(), || {
        let _ = auth.verify_response(nonce, own(), &field);
    });
    let (rest, last) = before.split_at(before.rfind(' ').unwrap_or_default());
    let time = last.strip_prefix(" t").or_else(|| last.strip_prefix(" n")).and_then(ServerTime::parse);
    let is_good = given.eq_ignore_ascii_case(&right);
    let expected = time.map(|time| SignedResponse { field: rest, time, is_stale: last.starts_with(" n") });
    assert_eq!(auth.verify_response(nonce, own(), &field), expected.filter(|_| is_good), "{field:?}");
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn mac(key: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
