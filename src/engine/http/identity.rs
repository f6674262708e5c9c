//! `Identity`: the client certificate, for servers that require one. Renewed while the process runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, SignatureScheme};

use crate::config::ClientCertificate;

/// The content of the two PEM files.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    /// Reads the files; blocks. The error names the variable.
    pub fn read(config: &ClientCertificate) -> Result<Self, String> {
        let read = |pem: &crate::config::Pem| {
            // Does not show the path, which may be a key that is not in PEM.
            pem.read().map_err(|error| format!("{}: the file that it names cannot be read: {error}", pem.name))
        };
        Ok(Self { certificate: read(&config.certificate)?, key: read(&config.key)? })
    }

    fn parse(&self) -> Result<CertifiedKey, String> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate).filter_map(Result::ok).collect();
        if chain.is_empty() {
            return Err("SHAZBOT_TLS_CERT: it has no certificate in PEM (-----BEGIN CERTIFICATE-----)".into());
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(
            |_| "SHAZBOT_TLS_KEY: it has no private key in PEM, or one with a passphrase: use a key without",
        )?;
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                "SHAZBOT_TLS_KEY: it is not the key of the first certificate in SHAZBOT_TLS_CERT: that must be the \
                 certificate of this key, before its intermediate certificates"
                    .into()
            }
            error => format!("SHAZBOT_TLS_CERT and SHAZBOT_TLS_KEY: {error}"),
        })
    }
}

/// The certificate that all connections share.
#[derive(Debug)]
pub struct Identity(Mutex<State>);

#[derive(Debug)]
struct State {
    files: Files,
    current: Arc<CertifiedKey>,
    failures: u32,
    problem: Option<String>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files(…)")
    }
}

impl Identity {
    pub fn new(files: Files) -> Result<Self, String> {
        let current = Arc::new(files.parse()?);
        Ok(Self(Mutex::new(State { files, current, failures: 0, problem: None })))
    }

    /// Uses the files' new content for new connections. If it is invalid, keeps the previous certificate.
    pub fn renew(&self, read: Result<Files, String>) {
        let mut state = self.state();
        let parsed = match read {
            Ok(files) if files == state.files => None,
            Ok(files) => Some(files.parse().map(|current| (files, current))),
            Err(error) => Some(Err(error)),
        };
        match parsed {
            None => state.failures = 0,
            Some(Ok((files, current))) => {
                (state.files, state.current, state.failures) = (files, Arc::new(current), 0);
            }
            Some(Err(error)) => {
                state.failures += 1;
                // The first time, only one of the two files may have been replaced yet.
                if state.failures >= 2 {
                    state.problem = Some(error);
                }
            }
        }
    }

    /// Why the files could not be used, if that has happened since the last call.
    pub fn take_problem(&self) -> Option<String> {
        self.state().problem.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.state().current))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
