//! Node's own variables for TLS and proxies, which the engine's HTTP clients obey as Node's `fetch` does.

use std::path::PathBuf;

use super::Environment;
use crate::auth::Secret;

/// The variable of a proxy. Its URL may contain a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyVariable {
    /// Which of the two spellings is set.
    pub name: &'static str,
    /// As it is set.
    pub url: Secret,
}

/// The variables.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The certificate authorities that Node trusts in place of its built-in ones, in PEM.
    pub authorities: Option<String>,
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
            extra_ca_certs: get("NODE_EXTRA_CA_CERTS").map(PathBuf::from),
            accept_any_certificate: get("NODE_TLS_REJECT_UNAUTHORIZED").as_deref() == Some("0"),
            http_proxy: proxy(["http_proxy", "HTTP_PROXY"]),
            https_proxy: proxy(["https_proxy", "HTTPS_PROXY"]),
            no_proxy: first(["no_proxy", "NO_PROXY"]).map(|(_, list)| list),
        }
    }
}
