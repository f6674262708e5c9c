//! The trusted certificates: Mozilla's roots, which Node has built in, and those in `NODE_EXTRA_CA_CERTS`.

use reqwest::{Certificate, Client};

use super::super::report::Report;
use super::response::cause;
use crate::config::Network;

/// `extra` is the content of `NODE_EXTRA_CA_CERTS`.
pub fn trusted(
    network: &Network,
    extra: Option<Result<Vec<u8>, String>>,
    warnings: &mut Vec<Report>,
) -> Vec<Certificate> {
    let built_in = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let mut trusted: Vec<_> = built_in.filter_map(|der| Certificate::from_der(der).ok()).collect();
    if let (Some(path), Some(read)) = (&network.extra_ca_certs, extra) {
        match read.and_then(|pem| certificates(&pem).map_err(|error| cause(&error))) {
            Ok(extra) => trusted.extend(extra),
            Err(error) => warnings.push(Report::warning(
                "SHAZBOT_EXTRA_CERTS",
                format!("clustershazbot ignores NODE_EXTRA_CA_CERTS, {}: {error}", path.display()),
            )),
        }
    }
    trusted
}

// reqwest parses certificates only when it builds a client: without this one, a bad file would fail every client.
fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, reqwest::Error> {
    let certificates = Certificate::from_pem_bundle(pem)?;
    Client::builder().no_proxy().tls_certs_only(certificates.clone()).build()?;
    Ok(certificates)
}
