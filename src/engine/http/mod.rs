//! Builds HTTP clients that behave like Node's `fetch`: the same trusted certificates, the same proxies.

mod resolver;
mod response;
mod tls;

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy};

use super::report::Report;
use crate::clock;
use crate::config::Network;

pub use resolver::{Resolver, resolve_own_address};
pub use response::{MAX_RESPONSE, cause, header_value, read_up_to};

/// How long an idle connection is kept: Node's servers close theirs after 5 s.
const IDLE: Duration = Duration::from_secs(4);

/// Builds clients that share the settings of TLS and proxies.
pub struct ClientFactory<'a> {
    network: &'a Network,
    certificates: Vec<Certificate>,
}

impl<'a> ClientFactory<'a> {
    /// Also returns warnings for the operator.
    pub fn new(network: &'a Network) -> (Self, Vec<Report>) {
        // Fails if another engine of this process has done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut warnings = Vec::new();
        let certificates = tls::trusted(network, &mut warnings);
        if network.accept_any_certificate {
            warnings.push(Report::warning(
                "SHAZBOT_TLS_UNVERIFIED",
                "NODE_TLS_REJECT_UNAUTHORIZED is 0: clustershazbot accepts any certificate and sends its secrets to any \
                 server that answers"
                    .into(),
            ));
        }
        (Self { network, certificates }, warnings)
    }

    /// Builds a client that follows redirects by `redirects`. `customise` may change further settings. The error names the
    /// variable that is wrong.
    pub fn build(
        &self,
        redirects: Policy,
        customise: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, String> {
        let builder = Client::builder()
            .user_agent(concat!("clustershazbot/", env!("CARGO_PKG_VERSION")))
            .pool_idle_timeout(clock::real(IDLE))
            .redirect(redirects)
            // A Referer would show a presigned URL to the target of a redirect.
            .referer(false)
            .tls_certs_only(self.certificates.clone())
            .tls_danger_accept_invalid_certs(self.network.accept_any_certificate);
        let client = customise(self.proxied(builder)?).build();
        client.map_err(|error| format!("The HTTP client cannot be created: {}", cause(&error)))
    }

    fn proxied(&self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        // Otherwise reqwest would obey the proxy variables even if Node does not.
        let mut builder = builder.no_proxy();
        let except = || self.network.no_proxy.as_deref().and_then(NoProxy::from_string);
        if let Some(url) = &self.network.http_proxy {
            let proxy = Proxy::http(url.expose()).map_err(|_| "HTTP_PROXY: it is not a URL")?;
            builder = builder.proxy(proxy.no_proxy(except()));
        }
        if let Some(url) = &self.network.https_proxy {
            let proxy = Proxy::https(url.expose()).map_err(|_| "HTTPS_PROXY: it is not a URL")?;
            builder = builder.proxy(proxy.no_proxy(except()));
        }
        Ok(builder)
    }
}
