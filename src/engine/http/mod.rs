//! Builds HTTP clients that behave like Node's `fetch`: the same trusted certificates, the same proxies.

mod certificate;
mod certificate_error;
mod identity;
mod proxy;
mod redirects;
mod resolver;
mod response;
mod tls;
mod verifier;

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy};
use rustls::ClientConfig;

use super::report::Report;
use super::workers::Workers;
use crate::clock;
use crate::config::Network;

pub use identity::{Files as IdentityFiles, Identity};
pub use proxy::Proxies;
pub use redirects::{reason_against_list, to_lists, within_origin};
pub use resolver::{CONNECT_TO, Resolver, follow_own_name, look_up};
pub use response::{MAX_RESPONSE, cause, header_value, read_up_to};
pub use tls::TlsFiles;
use tls::client_config;

/// How long an idle connection is kept, in practice up to twice as long. Enough for the steps of one repair or
/// announcement. Not longer, since on Node before 26 `server.close()` waits for a connection without a request.
const IDLE: Duration = Duration::from_secs(1);

/// Builds clients that share the settings of TLS and proxies.
pub struct ClientFactory<'a> {
    pub names: &'a Arc<Workers>,
    pub tls: ClientConfig,
    /// The certificate for servers that require one.
    pub identity: Option<Arc<Identity>>,
    pub proxies: Arc<Proxies>,
}

impl<'a> ClientFactory<'a> {
    /// `names` resolves names. Also returns warnings for the operator. The error names the invalid variable.
    pub fn new(network: &Network, names: &'a Arc<Workers>, files: TlsFiles) -> Result<(Self, Vec<Report>), String> {
        let mut warnings = Vec::new();
        let (tls, identity) = client_config(network, files, &mut warnings)?;
        if network.accept_any_certificate {
            warnings.push(Report::warning(
                "SHAZBOT_TLS_UNVERIFIED",
                "NODE_TLS_REJECT_UNAUTHORIZED is 0: clustershazbot accepts any certificate and sends its secrets to any \
                 server that answers. Remove it, and name your certificate authority in NODE_EXTRA_CA_CERTS"
                    .into(),
            ));
        }
        let proxies = Arc::new(Proxies::new(network)?);
        Ok((Self { names, tls, identity, proxies }, warnings))
    }

    /// Builds a client with this redirect policy and resolver, which keeps up to `max_idle` idle connections to a host.
    pub fn build(&self, redirects: Policy, resolver: &Resolver, max_idle: usize) -> Result<Client, String> {
        let proxies = Arc::clone(&self.proxies);
        let builder = Client::builder()
            .user_agent(concat!("clustershazbot/", env!("CARGO_PKG_VERSION")))
            .pool_idle_timeout(clock::real(IDLE))
            .pool_max_idle_per_host(max_idle)
            .redirect(redirects)
            // A Referer would show a presigned URL to the target of a redirect.
            .referer(false)
            // reqwest's own resolver would use the threads of tokio.
            .dns_resolver(Arc::new(resolver.clone()))
            // Otherwise reqwest would read the proxy variables even if Node does not.
            .no_proxy()
            .proxy(Proxy::custom(move |url| proxies.url(url)))
            .tls_backend_preconfigured(self.tls.clone());
        builder.build().map_err(|error| format!("The HTTP client cannot be created: {}", cause(&error)))
    }
}
