//! Verifies certificates as Node does: by certificate authorities, or because they are trusted themselves.

use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::Facts;

/// Accepts what [`WebPkiServerVerifier`] accepts, and certificates that are byte for byte in a file of trusted ones.
/// webpki rejects such a certificate if it is an authority's (`openssl req -x509` makes these), has X.509 version 1, or
/// has only a common name; OpenSSL accepts it. Its names and dates are checked here. The handshake proves that the
/// server has its key.
#[derive(Debug)]
pub struct Verifier {
    by_roots: Arc<WebPkiServerVerifier>,
    // Hashes of the certificates in the files.
    trusted: Vec<[u8; 32]>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// `trusted`: the certificates in the operator's files.
    pub fn new(
        roots: RootCertStore,
        trusted: &[CertificateDer<'_>],
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let algorithms = provider.signature_verification_algorithms;
        let by_roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let by_roots = by_roots.map_err(|error| format!("No certificate can be verified: {error}"))?;
        Ok(Self { by_roots, trusted: trusted.iter().map(hash).collect(), algorithms })
    }

    fn trusts(&self, certificate: &CertificateDer<'_>) -> bool {
        !self.trusted.is_empty() && self.trusted.contains(&hash(certificate))
    }
}

fn hash(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, certificate).as_ref());
    hash
}

// Checks the dates and the name of a certificate in a file of trusted ones.
fn verify_trusted(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    time: UnixTime,
) -> Result<(), CertificateError> {
    let facts = Facts::of(certificate).ok_or(CertificateError::BadEncoding)?;
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let (not_before, not_after) = (at(facts.not_before), at(facts.not_after));
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before });
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after });
    }
    let wrong_name = || CertificateError::NotValidForNameContext { expected: name.to_owned(), presented: Vec::new() };
    let verified = if facts.is_version_1 {
        Err(wrong_name())
    } else {
        ParsedCertificate::try_from(certificate).and_then(|parsed| verify_server_name(&parsed, name)).map_err(|error| {
            match error {
                Error::InvalidCertificate(error) => error,
                _ => CertificateError::BadEncoding,
            }
        })
    };
    match (verified, name) {
        // Node reads the common name if there is no other name, and never for an address.
        (Err(CertificateError::NotValidForNameContext { presented, .. }), ServerName::DnsName(name))
            if presented.is_empty()
                && facts.common_name.is_some_and(|common| common.eq_ignore_ascii_case(name.as_ref())) =>
        {
            Ok(())
        }
        (verified, _) => verified,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.by_roots.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        if verified.is_err() && self.trusts(end_entity) {
            verify_trusted(end_entity, name, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_roots.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let facts = if self.trusts(certificate) { Facts::of(certificate) } else { None };
        match facts {
            // webpki cannot parse version 1. For TLS 1.2 rustls has no such function, so the handshake fails there.
            Some(facts) if facts.is_version_1 => {
                verify_tls13_signature_with_raw_key(message, &facts.key, signature, &self.algorithms)
            }
            _ => self.by_roots.verify_tls13_signature(message, certificate, signature),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_roots.supported_verify_schemes()
    }
}
