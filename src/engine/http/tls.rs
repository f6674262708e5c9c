//! The TLS settings of all connections: which certificates are accepted, and for which protocol.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::super::report::Report;
use crate::config::Network;

/// `extra` is the content of `NODE_EXTRA_CA_CERTS`. Adds warnings for the operator.
pub fn client_config(
    network: &Network,
    extra: Option<Result<Vec<u8>, String>>,
    warnings: &mut Vec<Report>,
) -> Result<ClientConfig, String> {
    let roots = trusted(network, extra, warnings);
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let mut config = if network.accept_any_certificate {
        let verifier = Arc::new(AcceptAny(provider));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    } else {
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

// Mozilla's root certificates, which Node has built in, and those in `NODE_EXTRA_CA_CERTS`.
fn trusted(network: &Network, extra: Option<Result<Vec<u8>, String>>, warnings: &mut Vec<Report>) -> RootCertStore {
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    if let (Some(path), Some(read)) = (&network.extra_ca_certs, extra) {
        match read.and_then(|pem| certificates(&pem)) {
            Ok(extra) => trusted.roots.extend(extra.roots),
            Err(error) => warnings.push(Report::warning(
                "SHAZBOT_EXTRA_CERTS",
                format!(
                    "clustershazbot ignores NODE_EXTRA_CA_CERTS, {}: {error}. Correct the path or the file",
                    path.display()
                ),
            )),
        }
    }
    trusted
}

fn certificates(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "invalid certificate encoding")?;
        store.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(store)
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
