//! Maps errors of the HTTP client to failures, with the codes that Node users know.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::http::cause;
use crate::protocol::{Failure, FailureCode};

/// The codes of this package that are accepted from a peer's answer.
const ANSWERED: [&str; 7] = [
    "SHAZBOT_FAILED",
    "SHAZBOT_INVALID_MESSAGE",
    "SHAZBOT_METHOD",
    "SHAZBOT_MISDIRECTED",
    "SHAZBOT_NOT_STARTED",
    "SHAZBOT_TOO_LARGE",
    "SHAZBOT_UNSUPPORTED_BODY",
];

/// The code for an answer that is not a gossip message.
pub const INVALID_ANSWER: &str = "SHAZBOT_INVALID_ANSWER";

/// The code for an answer with an HTTP error status, which may have a code of this package.
pub fn answered_code(status: u16, code: Option<&str>) -> FailureCode {
    let known = ANSWERED.into_iter().find(|known| code == Some(known));
    known.map_or(FailureCode::Http(status), FailureCode::Named)
}

/// The failure for an error of the HTTP client.
pub fn failure_of(error: &reqwest::Error) -> Failure {
    let text = cause(error);
    let mut source = error.source();
    let mut code = None;
    while let Some(error) = source.filter(|_| code.is_none()) {
        code = code_of(error);
        source = error.source();
    }
    let Some(code) = code.or_else(|| error.is_dns().then(|| name_code(&text))) else { return text.into() };
    let explanation = match code {
        "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" => "it demands a client certificate",
        "SHAZBOT_HTTP2_ONLY" => "it speaks HTTP/2 only",
        "HPE_INVALID_CONSTANT" => "what answers there does not speak HTTP/1.1",
        "EPROTO" => "the TLS handshake failed",
        _ => return Failure::new(code, text),
    };
    Failure::new(code, format!("{explanation}: {text}"))
}

/// How to fix a rejected certificate.
pub fn certificate_remedy(failure: &Failure) -> Option<&'static str> {
    let FailureCode::Named(code) = failure.code else { return None };
    Some(match code {
        "CERT_HAS_EXPIRED" => {
            "Renew it on that server. If it is renewed already, that server still shows the old one: restart it, or call \
             setSecureContext of its HTTPS server"
        }
        "CERT_NOT_YET_VALID" => {
            "Is the clock of this machine right? If so, give that server a certificate that is valid now"
        }
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE" => {
            "Add the certificate of its issuer to the file in NODE_EXTRA_CA_CERTS of this server, and restart this server. \
             If the issuer is in there, that server does not send its intermediate certificates: append them to its \
             certificate file"
        }
        "DEPTH_ZERO_SELF_SIGNED_CERT" => {
            "Copy that certificate into the file in NODE_EXTRA_CA_CERTS of this server, and restart this server"
        }
        "ERR_TLS_CERT_ALTNAME_INVALID" => {
            "Make one for that server with the host of its base URL (openssl: -addext subjectAltName=DNS:NAME,IP:ADDRESS), \
             or change its base URL to a name that its certificate has"
        }
        "CERT_SIGNATURE_FAILURE" | "CERT_REVOKED" | "CERT_REJECTED" => {
            "Give that server a certificate that a current authority has signed, or copy its certificate into the file in \
             NODE_EXTRA_CA_CERTS of this server and restart this server: see docs/production.md, TLS"
        }
        "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" => {
            "Set SHAZBOT_TLS_CERT and SHAZBOT_TLS_KEY on this server, to a certificate that that server trusts"
        }
        _ => return None,
    })
}

/// The failure for an error of the system.
pub fn io_failure(error: &io::Error) -> Failure {
    match io_code(error) {
        Some(code) => Failure::new(code, error.to_string()),
        None => error.to_string().into(),
    }
}

/// The failure for a failed name lookup.
pub fn name_failure(error: &io::Error) -> Failure {
    let text = error.to_string();
    Failure::new(name_code(&text), text)
}

// The standard library gives the text of the resolver's error, not its number.
fn name_code(text: &str) -> &'static str {
    let is_temporary = ["emporary", "ry again"].iter().any(|word| text.contains(word));
    if is_temporary { "EAI_AGAIN" } else { "ENOTFOUND" }
}

fn code_of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        let is_closed = error.is_incomplete_message() || error.is_closed();
        let code = if is_closed { "ECONNRESET" } else { "HPE_INVALID_CONSTANT" };
        // The server sent data before the request, like a mail server. hyper has no method to detect that.
        let is_early = error.to_string().contains("unexpected message");
        return (is_closed || is_early || error.is_parse()).then_some(code);
    }
    if let Some(error) = error.downcast_ref() {
        return Some(tls_code(error));
    }
    // The error inside an `io::Error` is not its source.
    let error = error.downcast_ref::<io::Error>()?;
    error.get_ref().and_then(|inner| code_of(inner)).or_else(|| io_code(error))
}

fn io_code(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match error.kind() {
        Kind::ConnectionRefused => "ECONNREFUSED",
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => "ECONNRESET",
        Kind::TimedOut => "ETIMEDOUT",
        Kind::HostUnreachable => "EHOSTUNREACH",
        Kind::NetworkUnreachable => "ENETUNREACH",
        Kind::AddrNotAvailable => "EADDRNOTAVAIL",
        // Also from our resolver, for an address that must not be contacted.
        Kind::PermissionDenied => "EACCES",
        _ => return None,
    })
}

fn tls_code(error: &rustls::Error) -> &'static str {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => "CERT_HAS_EXPIRED",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => "CERT_NOT_YET_VALID",
            Bad::UnknownIssuer => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "ERR_TLS_CERT_ALTNAME_INVALID",
            Bad::BadSignature => "CERT_SIGNATURE_FAILURE",
            Bad::Revoked => "CERT_REVOKED",
            // An authority's certificate used as a server's, as `openssl req -x509` makes it.
            bad if bad.to_string().contains("CaUsedAsEndEntity") => "DEPTH_ZERO_SELF_SIGNED_CERT",
            _ => "CERT_REJECTED",
        },
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => "SHAZBOT_HTTP2_ONLY",
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"
        }
        _ => "EPROTO",
    }
}
