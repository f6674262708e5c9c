//! HTTP as Node's `fetch` would do it: the same trust in certificates, the same proxies.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::report::Report;
use crate::auth::Secret;
use crate::config::{Config, Network};
use crate::message::{ServerUrl, is_link_local};
use crate::protocol::ExchangeError;

/// Largest answer or list that is read, bytes: what v1 sends of 50 000 servers, twice over.
pub const MAX_BODY: usize = 16 << 20;
/// Exchanges under way at a time: a leave's 20 and 100 monitors, and some. Each takes a file descriptor of the program.
const MAX_EXCHANGES: usize = 128;
/// How long a connection may be idle and still be used: Node closes them after 5 s.
const IDLE: Duration = Duration::from_secs(4);

/// The clients: for gossip, which follows no redirect, and for the master list, which may.
pub struct Http {
    gossip: Client,
    // The same, but each exchange has a connection of its own.
    fresh: Client,
    list: Client,
    secret: HeaderValue,
    places: Semaphore,
}

impl Http {
    /// Builds the clients. Returns with them what an operator should know; the error says which variable is wrong.
    pub fn new(config: &Config) -> Result<(Self, Vec<Report>), String> {
        // Fails where it has been done before, by another engine of this process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut warnings = Vec::new();
        let certificates = trusted(&config.network, &mut warnings);
        let client = |policy, resolver: Option<Arc<NoLinkLocal>>, idle| {
            let mut builder = Client::builder()
                .user_agent(concat!("clustershazbot/", env!("CARGO_PKG_VERSION")))
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(idle)
                .redirect(policy)
                // It would show a presigned URL to wherever a redirect leads.
                .referer(false)
                .tls_certs_only(certificates.clone());
            if config.network.accept_any_certificate {
                builder = builder.tls_danger_accept_invalid_certs(true);
            }
            if let Some(resolver) = resolver {
                builder = builder.dns_resolver(resolver);
            }
            let client = proxied(builder, &config.network)?.build();
            client.map_err(|error| format!("The HTTP client cannot be made: {}", cause(&error)))
        };
        if config.network.accept_any_certificate {
            warnings.push(Report::warning(
                "SHAZBOT_TLS_UNVERIFIED",
                "NODE_TLS_REJECT_UNAUTHORIZED is 0: clustershazbot accepts any certificate, and sends its secrets to \
                 whoever answers"
                    .into(),
            ));
        }
        let http = Self {
            gossip: client(Policy::none(), Some(Arc::new(NoLinkLocal)), usize::MAX)?,
            fresh: client(Policy::none(), Some(Arc::new(NoLinkLocal)), 0)?,
            list: client(Policy::default(), None, usize::MAX)?,
            secret: header(&config.secret),
            places: Semaphore::new(MAX_EXCHANGES),
        };
        Ok((http, warnings))
    }

    /// Sends a gossip message and returns the body of the answer.
    pub async fn gossip(
        &self,
        to: &ServerUrl,
        body: Vec<u8>,
        timeout: Duration,
        fresh: bool,
    ) -> Result<Vec<u8>, ExchangeError> {
        let client = if fresh { &self.fresh } else { &self.gossip };
        let request = client
            .post(format!("{to}clustershazbot/gossip"))
            .header(AUTHORIZATION, self.secret.clone())
            .header(CONTENT_TYPE, "application/json")
            .timeout(timeout)
            .body(body);
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let response = request.send().await.map_err(|error| exchange_error(&error))?;
        let status = response.status();
        let body = read(response).await?;
        if status.is_success() {
            Ok(body)
        } else if status == StatusCode::UNAUTHORIZED && is_refused_secret(&body) {
            Err(ExchangeError::SecretRefused)
        } else {
            let why = error_text(&body).map(|text| format!(": {text}")).unwrap_or_default();
            let answer = format!("it answered {status}{why}");
            // A proxy in front of a program that does not listen, or a program whose engine is not started.
            let not_yet = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE);
            Err(if not_yet { ExchangeError::Unreachable(answer) } else { ExchangeError::Other(answer) })
        }
    }

    /// Reads a master list; one that is not there is empty.
    pub async fn get_list(&self, url: &Url, timeout: Duration) -> Result<Vec<u8>, String> {
        let response = self.list.get(url.clone()).timeout(timeout).send().await.map_err(|error| cause(&error))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            status if status.is_success() => read(response).await.map_err(|error| error.to_string()),
            status => Err(format!("the store answered {status}")),
        }
    }

    /// Writes a master list.
    pub async fn put_list(
        &self,
        url: &Url,
        auth: Option<&Secret>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(), String> {
        let mut request =
            self.list.put(url.clone()).header(CONTENT_TYPE, "application/json").timeout(timeout).body(body);
        if let Some(auth) = auth {
            request = request.header(AUTHORIZATION, header(auth));
        }
        let status = request.send().await.map_err(|error| cause(&error))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("the store answered {status}")) }
    }
}

// Mozilla's roots, as Node has them built in, and what NODE_EXTRA_CA_CERTS adds.
fn trusted(network: &Network, warnings: &mut Vec<Report>) -> Vec<Certificate> {
    let built_in = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let mut trusted: Vec<_> = built_in.filter_map(|der| Certificate::from_der(der).ok()).collect();
    if let Some(path) = &network.extra_ca_certs {
        let read = std::fs::read(path).map_err(|error| error.to_string());
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

// Only a client that is made of them looks into the certificates.
fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, reqwest::Error> {
    let certificates = Certificate::from_pem_bundle(pem)?;
    Client::builder().no_proxy().tls_certs_only(certificates.clone()).build()?;
    Ok(certificates)
}

/// Node's own resolver but for link-local addresses, whatever name they hide behind.
struct NoLinkLocal;

impl Resolve for NoLinkLocal {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<_> = found.iter().copied().filter(|address| !is_link_local(address.ip())).collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(io::Error::other("its name leads to a link-local address").into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

fn proxied(builder: ClientBuilder, network: &Network) -> Result<ClientBuilder, String> {
    // Without this reqwest would obey the proxy variables even where Node does not.
    let mut builder = builder.no_proxy();
    let except = || network.no_proxy.as_deref().and_then(NoProxy::from_string);
    if let Some(url) = &network.http_proxy {
        let proxy = Proxy::http(url).map_err(|_| "HTTP_PROXY: it is not a URL")?;
        builder = builder.proxy(proxy.no_proxy(except()));
    }
    if let Some(url) = &network.https_proxy {
        let proxy = Proxy::https(url).map_err(|_| "HTTPS_PROXY: it is not a URL")?;
        builder = builder.proxy(proxy.no_proxy(except()));
    }
    Ok(builder)
}

fn header(secret: &Secret) -> HeaderValue {
    // Latin-1, as Node sends and reads headers. The configuration has checked that nothing else is in it.
    let bytes: Vec<u8> = secret.expose().chars().map(|c| c as u8).collect();
    let mut value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

async fn read(mut response: Response) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| exchange_error(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ExchangeError::Other(format!("its answer is over {} MiB", MAX_BODY >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

// v1's Express route answers 401 to every error: only the text tells.
fn is_refused_secret(body: &[u8]) -> bool {
    error_text(body).is_some_and(|text| text.starts_with("Unauthorized: "))
}

// What an answer gives as the reason, as far as it is worth reading. Express has it in `error`; Nest in `message`, with the
// status's name in `error`.
fn error_text(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = ["message", "error"].into_iter().find_map(|name| body.get(name)?.as_str())?;
    Some(text.chars().filter(|c| !c.is_control()).take(200).collect())
}

fn exchange_error(error: &reqwest::Error) -> ExchangeError {
    if error.is_timeout() {
        ExchangeError::TimedOut
    } else if !error.is_connect() {
        ExchangeError::Other(cause(error))
    } else if is_refusal(error) {
        ExchangeError::NotListening(cause(error))
    } else {
        ExchangeError::Unreachable(cause(error))
    }
}

fn is_refusal(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        source = error.source();
    }
    false
}

// The innermost cause says what happened; those around it say only that something did. It never names the URL, which
// may be presigned.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut innermost = error.source();
    while let Some(source) = innermost.and_then(std::error::Error::source) {
        innermost = Some(source);
    }
    innermost.map_or_else(|| "the request failed".into(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn a_name_that_leads_to_a_link_local_address_is_not_contacted() {
        let resolve = |name: &str| run(NoLinkLocal.resolve(name.parse().expect("a name")));
        assert!(resolve("localhost").is_ok_and(|mut addresses| addresses.next().is_some()));
        let error = resolve("169.254.169.254").err().expect("refused");
        assert!(error.to_string().contains("link-local"), "{error}");
    }

    #[test]
    fn only_the_words_of_a_refused_secret_are_one() {
        assert!(is_refused_secret(br#"{"error":"Unauthorized: Invalid SHAZBOT_SECRET"}"#));
        assert!(is_refused_secret(br#"{"statusCode":401,"message":"Unauthorized: Invalid SHAZBOT_SECRET"}"#));
        // The README's route answers 401 to every error.
        assert!(!is_refused_secret(br#"{"error":"Clustershazbot engine not started"}"#));
        assert!(!is_refused_secret(br#"{"statusCode":401,"message":"Unauthorized"}"#));
        assert!(!is_refused_secret(b"Unauthorized"));
    }
}
