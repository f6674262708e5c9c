//! Node's own variables for TLS and proxies, which the engine's HTTP clients obey as Node's `fetch` does.

use std::path::PathBuf;

use super::Environment;
use crate::auth::Secret;

/// The variables. The URL of a proxy may contain a password.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// `NODE_EXTRA_CA_CERTS`: a file with additional trusted certificates.
    pub extra_ca_certs: Option<PathBuf>,
    /// Whether `NODE_TLS_REJECT_UNAUTHORIZED` is `0`.
    pub accept_any_certificate: bool,
    /// `HTTP_PROXY`, if `NODE_USE_ENV_PROXY` is `1`.
    pub http_proxy: Option<Secret>,
    /// `HTTPS_PROXY`, if `NODE_USE_ENV_PROXY` is `1`.
    pub https_proxy: Option<Secret>,
    /// `NO_PROXY`.
    pub no_proxy: Option<String>,
}

impl Network {
    pub(super) fn from_environment(environment: &Environment) -> Self {
        let get = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        // The lower-case name wins, as in curl and Node.
        let proxy = |name: &str| get(&name.to_lowercase()).or_else(|| get(name));
        let proxied = get("NODE_USE_ENV_PROXY").as_deref() == Some("1");
        Self {
            extra_ca_certs: get("NODE_EXTRA_CA_CERTS").map(PathBuf::from),
            accept_any_certificate: get("NODE_TLS_REJECT_UNAUTHORIZED").as_deref() == Some("0"),
            http_proxy: proxy("HTTP_PROXY").filter(|_| proxied).map(Secret::new),
            https_proxy: proxy("HTTPS_PROXY").filter(|_| proxied).map(Secret::new),
            no_proxy: proxy("NO_PROXY"),
        }
    }
}
