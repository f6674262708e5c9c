//! The settings of connections: Node's own variables for TLS and proxies, and the client certificate.

use std::io;
use std::path::PathBuf;

use super::{Environment, Reader};
use crate::auth::Secret;

/// The variable of a proxy. Its URL may contain a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyVariable {
    /// The spelling that is set.
    pub name: &'static str,
    /// Its value.
    pub url: Secret,
}

/// The certificate and key that this server shows to servers that require one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `SHAZBOT_TLS_CERT`.
    pub certificate: Pem,
    /// `SHAZBOT_TLS_KEY`.
    pub key: Pem,
}

/// A variable with PEM text, or with the path of a PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// The name of the variable.
    pub name: &'static str,
    value: Secret,
}

impl Pem {
    /// The PEM text. Blocks to read the file.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let value = self.value.expose();
        if value.trim_start().starts_with("-----BEGIN") {
            // Some tools write a line break as a backslash and an n.
            return Ok(value.replace("\\n", "\n").into_bytes());
        }
        std::fs::read(value)
    }
}

impl ClientCertificate {
    /// None if the variables are not set.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (certificate, key) = ("SHAZBOT_TLS_CERT", "SHAZBOT_TLS_KEY");
        let pem = |name, value: &str| Pem { name, value: Secret::new(value.into()) };
        match (reader.get(certificate), reader.get(key)) {
            (Some(cert), Some(value)) => Some(Self { certificate: pem(certificate, cert), key: pem(key, value) }),
            (Some(_), None) => {
                reader.problem(key, "it is missing: SHAZBOT_TLS_CERT needs the private key of its certificate");
                None
            }
            (None, Some(_)) => {
                reader.problem(certificate, "it is missing: SHAZBOT_TLS_KEY needs the certificate of its key");
                None
            }
            (None, None) => None,
        }
    }
}

/// The settings of connections.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The certificate authorities that Node trusts instead of its built-in ones, in PEM.
    pub authorities: Option<String>,
    /// Shown to servers and master lists that require a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// `NODE_EXTRA_CA_CERTS`: a file with additional trusted certificates.
    pub extra_ca_certs: Option<PathBuf>,
    /// Whether `NODE_TLS_REJECT_UNAUTHORIZED` is `0`.
    pub accept_any_certificate: bool,
    /// `HTTP_PROXY`, if `NODE_USE_ENV_PROXY` is `1`.
    pub http_proxy: Option<ProxyVariable>,
    /// `HTTPS_PROXY`, if `NODE_USE_ENV_PROXY` is `1`.
    pub https_proxy: Option<ProxyVariable>,
    /// `NO_PROXY`.
    pub no_proxy: Option<String>,
}

impl Network {
    pub(super) fn from_environment(environment: &Environment) -> Self {
        let get = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        // The lower-case name wins, as in curl and Node.
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, get(name)?)));
        let is_proxied = get("NODE_USE_ENV_PROXY").as_deref() == Some("1");
        let proxy = |names| {
            let (name, url) = first(names).filter(|_| is_proxied)?;
            Some(ProxyVariable { name, url: Secret::new(url) })
        };
        Self {
            authorities: None,
            client_certificate: None,
            extra_ca_certs: get("NODE_EXTRA_CA_CERTS").map(PathBuf::from),
            accept_any_certificate: get("NODE_TLS_REJECT_UNAUTHORIZED").as_deref() == Some("0"),
            http_proxy: proxy(["http_proxy", "HTTP_PROXY"]),
            https_proxy: proxy(["https_proxy", "HTTPS_PROXY"]),
            no_proxy: first(["no_proxy", "NO_PROXY"]).map(|(_, list)| list),
        }
    }
}
