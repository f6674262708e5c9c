//! Reads the fields of a certificate that webpki does not expose: validity, common name and key, also in X.509 version 1.

use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const BOOLEAN: u8 = 0x01;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const OBJECT_IDENTIFIER: u8 = 0x06;
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
/// The bit of a key's usage that allows it to sign certificates.
const KEY_CERT_SIGN: u8 = 0x04;

/// What a certificate says. Read only from certificates that the operator has put into a file of trusted ones.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Version 1 has no extensions, so no `subjectAltName`.
    pub is_version_1: bool,
    /// Whether it may sign other certificates, by the rules of OpenSSL's `X509_check_ca`: if it says so, or if it has version
    /// 1 and names itself as its issuer, or if its key may sign certificates.
    pub is_authority: bool,
    /// Seconds since the epoch.
    pub not_before: u64,
    /// Seconds since the epoch.
    pub not_after: u64,
    pub common_name: Option<&'a str>,
    pub key: SubjectPublicKeyInfoDer<'a>,
}

impl<'a> Facts<'a> {
    /// None if it is not a certificate.
    pub fn of(certificate: &'a CertificateDer<'_>) -> Option<Self> {
        let mut outer = Der(certificate).content(SEQUENCE)?;
        let mut signed = outer.content(SEQUENCE)?;
        let is_version_1 = signed.0.first() != Some(&VERSION);
        // Version, serial number, algorithm of the signature.
        for _ in 0..if is_version_1 { 2 } else { 3 } {
            signed.next()?;
        }
        let issuer = signed.content(SEQUENCE)?;
        let mut validity = signed.content(SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = signed.content(SEQUENCE)?;
        let is_old_root = is_version_1 && issuer.0 == subject.0;
        let rest = signed.0;
        signed.next()?;
        let key = rest[..rest.len() - signed.0.len()].into();
        let is_authority = is_authority(signed, is_old_root)?;
        Some(Self { is_version_1, is_authority, not_before, not_after, common_name: common_name(subject), key })
    }
}

// `rest`: what follows the key.
fn is_authority(mut rest: Der<'_>, is_old_root: bool) -> Option<bool> {
    let (mut is_authority, mut may_sign) = (None, None);
    while let Some((tag, content)) = rest.next() {
        if tag != EXTENSIONS {
            continue;
        }
        let mut extensions = Der(content).content(SEQUENCE)?;
        while let Some(mut extension) = extensions.content(SEQUENCE) {
            let name = extension.next()?.1;
            let value = loop {
                // Before the value an extension may say whether it is critical.
                if let (OCTET_STRING, value) = extension.next()? {
                    break value;
                }
            };
            if name == BASIC_CONSTRAINTS {
                let first = Der(value).content(SEQUENCE)?.next();
                is_authority = Some(matches!(first, Some((BOOLEAN, [0xff]))));
            } else if name == KEY_USAGE {
                // The first byte is the number of unused bits.
                let bits = Der(value).content(BIT_STRING)?.0.get(1).copied().unwrap_or_default();
                may_sign = Some(bits & KEY_CERT_SIGN != 0);
            }
        }
    }
    Some(may_sign != Some(false) && is_authority.unwrap_or(is_old_root || may_sign.is_some()))
}

fn common_name(mut subject: Der<'_>) -> Option<&str> {
    while let Some((_, set)) = subject.next() {
        let mut attributes = Der(set);
        while let Some(mut attribute) = attributes.content(SEQUENCE) {
            if attribute.next() == Some((OBJECT_IDENTIFIER, &COMMON_NAME)) {
                return std::str::from_utf8(attribute.next()?.1).ok();
            }
        }
    }
    None
}

// A reader of DER: the bytes that are left.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    // The tag and the content of the next value.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let digits;
            (digits, rest) =
                rest.split_at_checked(usize::from(first - 0x80)).filter(|(digits, _)| digits.len() <= 3)?;
            length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
        }
        let content;
        (content, self.0) = rest.split_at_checked(length)?;
        Some((tag, content))
    }

    fn content(&mut self, tag: u8) -> Option<Self> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| Self(content))
    }

    // YYMMDDHHMMSSZ in a UTCTime, YYYYMMDDHHMMSSZ in a GeneralizedTime.
    fn time(&mut self) -> Option<u64> {
        let (tag, text) = self.next()?;
        let digits: Vec<_> = text.strip_suffix(b"Z")?.iter().map(|it| u64::from(it.wrapping_sub(b'0'))).collect();
        let pairs: Vec<_> = digits.chunks_exact(2).map(|it| 10 * it[0] + it[1]).collect();
        let (year, rest) = match (tag, &*pairs) {
            (UTC_TIME, [year, rest @ ..]) => (year + if *year < 50 { 2000 } else { 1900 }, rest),
            (_, [century, year, rest @ ..]) => (100 * century + year, rest),
            _ => return None,
        };
        let &[month @ 1..=12, day @ 1..=31, hour, minute, second] = rest else { return None };
        Some(86_400 * days_since_epoch(year, month, day)? + 3600 * hour + 60 * minute + second)
    }
}

// In the Gregorian calendar. Years begin in March here, so that the leap day is the last day of a year.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

/// Formats a time, given in seconds since the epoch.
pub fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    // Without the corrections the last day of each 4, 100 and 400 years would count as the first of the next year.
    let of_400 = days % 146_097;
    let year_of_400 = (of_400 - of_400 / 1_460 + of_400 / 36_524 - of_400 / 146_096) / 365;
    let of_year = of_400 - (365 * year_of_400 + year_of_400 / 4 - year_of_400 / 100);
    let (month, day) = ((5 * of_year + 2) / 153, of_year - (153 * ((5 * of_year + 2) / 153) + 2) / 5 + 1);
    let (year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    let year = year + year_of_400 + days / 146_097 * 400;
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        let time = |tag, text: &str| Der(&[&[tag, text.len() as u8], text.as_bytes()].concat()).time();
        assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(0x18, "20240229120001Z"), Some(1_709_208_001));
        assert_eq!(time(0x18, "21000301000000Z"), Some(4_107_542_400));
        for wrong in ["", "Z", "20240229120001", "2024022912000Z", "20241329120001Z", "xxxxxxxxxxxxxxZ"] {
            assert_eq!(time(0x18, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_day_is_written_as_it_is_read() {
        for day in 0..100_000 {
            let text = date(86_400 * day);
            let digits = text.replace(['-', ' ', ':'], "").replace("UTC", "00Z");
            let read = Der(&[&[0x18, digits.len() as u8], digits.as_bytes()].concat()).time();
            assert_eq!(read, Some(86_400 * day), "{text}");
        }
    }

    #[test]
    fn a_roots_certificate_is_read_and_a_cut_one_is_not() {
        for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            let facts = Facts::of(certificate).expect("a certificate");
            assert!(facts.not_before < facts.not_after && !facts.is_version_1 && facts.is_authority, "{facts:?}");
            let parsed = rustls::server::ParsedCertificate::try_from(certificate).expect("a certificate");
            assert_eq!(facts.key, parsed.subject_public_key_info());
            assert_eq!(Facts::of(&certificate[..certificate.len() - 1].into()), None);
        }
    }
}
