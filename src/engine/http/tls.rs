//! The TLS settings of all connections: which certificates are accepted, and for which protocol.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::super::report::Report;
use super::certificate::Facts;
use super::identity::{Files, Identity};
use super::verifier::Verifier;
use crate::config::Network;

/// Files that the settings need, as far as they are configured.
#[derive(Default)]
pub struct TlsFiles {
    /// `NODE_EXTRA_CA_CERTS`.
    pub extra: Option<Result<Vec<u8>, String>>,
    /// `SHAZBOT_TLS_CERT` and `SHAZBOT_TLS_KEY`.
    pub identity: Option<Result<Files, String>>,
}

/// Adds warnings for the operator. The error names the variable that is wrong. Also returns what is shown to servers that
/// demand a certificate.
pub fn client_config(
    network: &Network,
    files: TlsFiles,
    warnings: &mut Vec<Report>,
) -> Result<(ClientConfig, Option<Arc<Identity>>), String> {
    let identity = files.identity.map(|files| files.and_then(Identity::new)).transpose()?.map(Arc::new);
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if network.accept_any_certificate {
        Arc::new(AcceptAny(Arc::clone(&provider)))
    } else {
        let (roots, trusted) = trusted(network, files.extra, warnings);
        Arc::new(Verifier::new(roots, &trusted, Arc::clone(&provider))?)
    };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    if let Some(identity) = &identity {
        config.client_auth_cert_resolver = Arc::<Identity>::clone(identity);
    }
    // A resumed session shows no certificate, so one that expires or is replaced would count for as long as it is resumed.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, identity))
}

// The certificate authorities, and the certificates among them that the operator has named.
fn trusted(
    network: &Network,
    extra: Option<Result<Vec<u8>, String>>,
    warnings: &mut Vec<Report>,
) -> (RootCertStore, Vec<CertificateDer<'static>>) {
    let mut roots = RootCertStore::empty();
    let mut trusted = Vec::new();
    if let Some(authorities) = &network.authorities {
        // Node passes over those that it cannot read, too.
        trusted.extend(CertificateDer::pem_slice_iter(authorities.as_bytes()).filter_map(Result::ok));
    } else {
        add_mozillas(&mut roots);
    }
    roots.add_parsable_certificates(trusted.iter().filter(|it| may_sign(it)).cloned());
    if let (Some(path), Some(read)) = (&network.extra_ca_certs, extra) {
        match read.and_then(|pem| certificates(&pem)) {
            Ok((store, extra)) => {
                roots.roots.extend(store.roots);
                trusted.extend(extra);
            }
            Err(error) => warnings.push(Report::warning(
                "SHAZBOT_EXTRA_CERTS",
                format!(
                    "clustershazbot ignores NODE_EXTRA_CA_CERTS, {}: {error}. Correct the path or the file",
                    path.display()
                ),
            )),
        }
    }
    if roots.is_empty() {
        add_mozillas(&mut roots);
        let message = "Node finds no certificate authority where --use-openssl-ca or another option tells it to look, so \
                       clustershazbot trusts Mozilla's. Name a file with yours in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE";
        warnings.push(Report::warning("SHAZBOT_EXTRA_CERTS", message.into()));
    }
    (roots, trusted)
}

// Which Node has built in.
fn add_mozillas(roots: &mut RootCertStore) {
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
}

fn certificates(pem: &[u8]) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
    let mut store = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "invalid certificate encoding")?;
        if may_sign(&certificate) {
            store.add(certificate.clone()).map_err(|error| error.to_string())?;
        }
        certificates.push(certificate);
    }
    Ok((store, certificates))
}

// webpki lets every root sign certificates. The key of a server's own certificate must not be able to stand for other
// servers because an operator trusts that certificate.
fn may_sign(certificate: &CertificateDer<'_>) -> bool {
    Facts::of(certificate).is_some_and(|facts| facts.is_authority)
}

// With NODE_TLS_REJECT_UNAUTHORIZED=0.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
