//! The header of a request and the field of an answer: `<mode> <header>`, a line feed, the field. `MAC` stands for the
//! right signature, since random inputs do not contain it.

#![no_main]

use std::sync::LazyLock;

use clustershazbot::auth::{Gate, Keyring, Mode, Secret};
use clustershazbot_fuzz::{bounded, own};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

const SECRET: &str = "s";
const ALSO: &str = "also";

static GATES: LazyLock<[Gate; 3]> = LazyLock::new(|| {
    let secrets = Keyring { main: Secret::new(SECRET.into()), also: Some(Secret::new(ALSO.into())) };
    [Mode::Plain, Mode::Sign, Mode::Signed].map(|mode| Gate { mode, secrets: secrets.clone(), cluster: None })
});

fuzz_target!(|text: &str| {
    let (head, field) = text.split_once('\n').map_or((text, None), |(head, field)| (head, Some(field)));
    let (gate, header) = match head.split_at_checked(2) {
        Some(("1 ", header)) => (&GATES[1], header),
        Some(("2 ", header)) => (&GATES[2], header),
        _ => (&GATES[0], head),
    };
    request(gate, header, field);
    answer(gate, header, field.unwrap_or_default());
});

fn request(gate: &Gate, header: &str, field: Option<&str>) {
    let signature = header.strip_prefix("Shazbot ").map(|rest| rest.splitn(3, ' ').collect::<Vec<_>>());
    let (header, is_good) = match (signature.as_deref(), field) {
        (Some(&[nonce, given, to]), Some(field)) => {
            let right = [SECRET, ALSO].map(|key| mac(key, &format!("request {nonce} {to} {field}")));
            let given = given.replace("MAC", &right[0]).replace("ALSO", &right[1]);
            let is_good = right.contains(&given.to_ascii_lowercase()) && to == own().as_str();
            (format!("Shazbot {nonce} {given} {to}"), is_good)
        }
        (Some(_), _) => (header.to_owned(), false),
        (None, _) => (header.to_owned(), gate.mode != Mode::Signed && [SECRET, ALSO].contains(&header)),
    };
    bounded(header.as_bytes(), || {
        let _ = gate.check(&header, field, own());
    });
    let proof = gate.check(&header, field, own());
    assert_eq!(proof.is_ok(), is_good, "{header:?} {field:?}");
    if let (Ok(proof), Some(&[nonce, ..]), Some(field)) = (proof, signature.as_deref(), field) {
        let answer = gate.answer(&proof, own(), field.to_owned());
        // A client that signs with the other secret does not know this one.
        if header.contains(&mac(SECRET, &format!("request {nonce} {} {field}", own()))) {
            assert_eq!(gate.verified(nonce, own(), &answer), Some(field));
        }
    }
}

fn answer(gate: &Gate, nonce: &str, field: &str) {
    let (before, given) = field.rsplit_once(" h").unwrap_or((field, ""));
    let right = mac(SECRET, &format!("answer {nonce} {} {before}", own()));
    let given = given.replace("MAC", &right);
    let field = format!("{before} h{given}");
    bounded(field.as_bytes(), || {
        let _ = gate.verified(nonce, own(), &field);
    });
    let is_good = given.eq_ignore_ascii_case(&right);
    assert_eq!(gate.verified(nonce, own(), &field), is_good.then_some(before), "{field:?}");
}

fn mac(key: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
