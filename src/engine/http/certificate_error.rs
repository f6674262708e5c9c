//! Explains why a server's certificate was rejected.

use std::error::Error;
use std::io;

use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use super::certificate::date;

/// Most names of a certificate that are shown.
const MAX_NAMES: usize = 5;

/// The certificate error behind a failed connection, if any.
pub fn certificate_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(error)) = error.downcast_ref() {
        return Some(error);
    }
    // The source of an `io::Error` is the source of the error inside it, not that error.
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(|error| error.get_ref())
        .map(|inner| inner as &(dyn Error + 'static));
    inner.or_else(|| error.source()).and_then(certificate_error)
}

/// Explains the error, without a full stop: a remedy may follow.
pub fn explain(error: &CertificateError) -> String {
    use CertificateError as Bad;
    let day = |time: &UnixTime| date(time.as_secs());
    match error {
        Bad::ExpiredContext { not_after, .. } => format!("its certificate has expired, since {}", day(not_after)),
        Bad::NotValidYetContext { not_before, .. } => {
            format!("its certificate is not valid before {}", day(not_before))
        }
        // Its validity ends before it begins.
        Bad::Expired => "its certificate has expired".into(),
        Bad::UnknownIssuer => "its certificate is of an issuer that this server does not trust".into(),
        Bad::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "its certificate has no subjectAltName".into()
        }
        Bad::NotValidForNameContext { expected, presented } => {
            // `DnsName("a")`, `IpAddress(127.0.0.1)`.
            let name = |it: &String| it.replace(['"', ')'], "").replace("DnsName(", "").replace("IpAddress(", "");
            let names: Vec<_> = presented.iter().take(MAX_NAMES).map(name).collect();
            let more = if presented.len() > MAX_NAMES { " and others" } else { "" };
            format!("its certificate is for {}{more}, not for {}", names.join(", "), expected.to_str())
        }
        // Errors of webpki for which rustls has no variant.
        other => {
            let text = other.to_string();
            if text.contains("CaUsedAsEndEntity") {
                "its certificate is one of an authority (CA:TRUE), as openssl req -x509 makes it, and this server does not \
                 trust it"
                    .into()
            } else if text.contains("UnsupportedCertVersion") {
                "its certificate has the old version 1 of X.509, without a subjectAltName, and this server does not \
                 trust it"
                    .into()
            } else {
                format!("its certificate is refused: {text}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn each_fault_is_named() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let names = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("10.0.0.7").expect("a name"),
            presented: presented.iter().map(ToString::to_string).collect(),
        };
        for (error, expected) in [
            (
                CertificateError::ExpiredContext { time: at(1_709_300_000), not_after: at(1_709_208_001) },
                "its certificate has expired, since 2024-02-29 12:00 UTC",
            ),
            (
                CertificateError::NotValidYetContext { time: at(0), not_before: at(951_782_400) },
                "its certificate is not valid before 2000-02-29 00:00 UTC",
            ),
            (names(&[]), "its certificate has no subjectAltName"),
            (
                names(&["DnsName(\"a.b\")", "IpAddress(127.0.0.1)"]),
                "its certificate is for a.b, 127.0.0.1, not for 10.0.0.7",
            ),
        ] {
            assert_eq!(explain(&error), expected);
            let system = io::Error::other(rustls::Error::InvalidCertificate(error.clone()));
            assert_eq!(certificate_error(&system), Some(&error));
        }
    }
}
