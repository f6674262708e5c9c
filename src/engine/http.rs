//! HTTP as Node's `fetch` would do it: the same trust in certificates, the same proxies.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, Response, StatusCode};
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use url::Url;

use super::list_http::ListHttp;
use super::report::Report;
use crate::auth::Secret;
use crate::config::{Config, Network};
use crate::error::{UNAUTHORIZED, WRONG_CLUSTER};
use crate::message::ServerUrl;
use crate::origins::Origins;
use crate::protocol::ExchangeError;

/// Largest answer or list that is read, bytes: what a v1 server sends of 50 000 of ours.
pub const MAX_BODY: usize = 8 << 20;
/// How long an answer may be, bytes, before it must wait for its turn, and how many have theirs: whatever answers come at a
/// time, they take no more memory than that. Envelope are below 90 kB. A turn ends, or one that trickles would keep it.
const LARGE_BODY: usize = 128 << 10;
const LARGE_AT_A_TIME: usize = 1;
const TURN: Duration = Duration::from_secs(1);
/// Exchanges under way at a time: a leave's 20 and 100 monitors, and some. Each takes a file descriptor of the program.
const MAX_EXCHANGES: usize = 128;
/// How many characters of a peer's reason are read. What is told of it is shorter: a secret in it is blanked first.
const MAX_REASON: usize = 2_000;
/// How long a start waits for the look-up of our own name.
const FIND_LIMIT: Duration = Duration::from_secs(1);
/// How long a connection may be idle and still be used: Node closes them after 5 s.
const IDLE: Duration = Duration::from_secs(4);

/// The clients: for gossip, which follows no redirect, and for the master list, which may.
pub struct Http {
    gossip: Client,
    // The same, but each exchange has a connection of its own.
    fresh: Client,
    /// For the master lists.
    pub lists: ListHttp,
    places: Semaphore,
    large: Semaphore,
}

impl Http {
    /// Builds the clients. Returns with them what an operator should know; the error says which variable is wrong.
    pub fn new(config: &Config) -> Result<(Self, Vec<Report>), String> {
        // Fails where it has been done before, by another engine of this process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut warnings = Vec::new();
        let certificates = trusted(&config.network, &mut warnings);
        let resolver = Arc::new(Resolver::new(config));
        let client = |policy, resolver: Option<Arc<Resolver>>, idle| {
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
            gossip: client(Policy::none(), Some(Arc::clone(&resolver)), usize::MAX)?,
            fresh: client(Policy::none(), Some(resolver), 0)?,
            lists: ListHttp::new(&config.master_lists, |policy| client(policy, None, usize::MAX))?,
            places: Semaphore::new(MAX_EXCHANGES),
            large: Semaphore::new(LARGE_AT_A_TIME),
        };
        Ok((http, warnings))
    }

    /// Sends a gossip message and returns the body of the answer.
    pub async fn gossip(
        &self,
        to: &ServerUrl,
        header: &Secret,
        body: Vec<u8>,
        timeout: Duration,
        fresh: bool,
    ) -> Result<Vec<u8>, ExchangeError> {
        let client = if fresh { &self.fresh } else { &self.gossip };
        let request = client
            .post(format!("{to}clustershazbot/gossip"))
            .header(AUTHORIZATION, header_value(header))
            .header(CONTENT_TYPE, "application/json")
            .timeout(timeout)
            .body(body);
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let response = request.send().await.map_err(|error| exchange_error(&error))?;
        let status = response.status();
        let body = self.read(response).await?;
        if status.is_success() {
            return Ok(body);
        }
        let text = error_text(&body);
        // v1's Express route answers 401 to every error: only the text tells.
        let begins = |with| text.as_ref().is_some_and(|text| text.starts_with(with));
        if status == StatusCode::UNAUTHORIZED && begins(UNAUTHORIZED) {
            return Err(ExchangeError::SecretRejected);
        }
        let answer =
            format!("it answered {status}{}", text.as_ref().map(|text| format!(": {text}")).unwrap_or_default());
        // A proxy in front of a program that does not listen, or a program whose engine is not started.
        let not_yet = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE);
        Err(match text {
            Some(text) if begins(WRONG_CLUSTER) => ExchangeError::WrongCluster(format!("it says: {text}")),
            _ if not_yet => ExchangeError::Unreachable(answer),
            _ => ExchangeError::Other(answer),
        })
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, ExchangeError> {
        let mut body = Vec::new();
        if read_up_to(&mut response, &mut body, LARGE_BODY).await? {
            return Ok(body);
        }
        // The semaphore is never closed.
        let _turn = self.large.acquire().await;
        let rest = tokio::time::timeout(TURN, read_up_to(&mut response, &mut body, MAX_BODY));
        let ended = rest.await.map_err(|_| ExchangeError::Other("its answer is large and comes slowly".into()))?;
        if ended? { Ok(body) } else { Err(ExchangeError::Other(format!("its answer is over {} MiB", MAX_BODY >> 20))) }
    }
}

// Reads what there is. Returns whether that was all: false where it is more than so many bytes, of which the first chunk
// beyond is read.
pub(super) async fn read_up_to(
    response: &mut Response,
    body: &mut Vec<u8>,
    most: usize,
) -> Result<bool, ExchangeError> {
    if response.content_length().is_some_and(|length| length > MAX_BODY as u64) {
        return Ok(false);
    }
    while body.len() <= most {
        let Some(chunk) = response.chunk().await.map_err(|error| exchange_error(&error))? else { return Ok(true) };
        body.extend_from_slice(&chunk);
    }
    Ok(false)
}

/// Looks up where our own base URL leads: only a server at a loopback address may meet others there.
pub async fn find_ourselves(config: &Config) {
    let found = Url::parse(config.settings.base_url.as_str()).ok();
    let Some(name) = found.as_ref().and_then(Url::domain) else { return };
    if let Ok(Ok(found)) = tokio::time::timeout(FIND_LIMIT, lookup_host((name, 0))).await {
        found.for_each(|address| config.origins.add_own_address(address.ip()));
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

/// Node's own resolver but for addresses where no server of the cluster may be, whatever name they hide behind.
struct Resolver {
    origins: Arc<Origins>,
    // They come from the program's own environment.
    proxies: Vec<String>,
}

impl Resolver {
    fn new(config: &Config) -> Self {
        let proxies = [&config.network.http_proxy, &config.network.https_proxy].into_iter().flatten();
        let proxies =
            proxies.filter_map(|proxy| Some(Url::parse(proxy.expose()).ok()?.host_str()?.to_owned())).collect();
        Self { origins: Arc::clone(&config.origins), proxies }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (origins, is_proxy) = (Arc::clone(&self.origins), self.proxies.iter().any(|proxy| proxy == name.as_str()));
        Box::pin(async move {
            let (mut allowed, mut refused) = (Vec::new(), None);
            for address in lookup_host((name.as_str(), 0)).await? {
                match origins.check_address(address.ip()) {
                    Err(why) if !is_proxy => refused = Some(why),
                    _ => allowed.push(address),
                }
            }
            if let Some(why) = refused.filter(|_| allowed.is_empty()) {
                return Err(io::Error::other(why).into());
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
        let proxy = Proxy::http(url.expose()).map_err(|_| "HTTP_PROXY: it is not a URL")?;
        builder = builder.proxy(proxy.no_proxy(except()));
    }
    if let Some(url) = &network.https_proxy {
        let proxy = Proxy::https(url.expose()).map_err(|_| "HTTPS_PROXY: it is not a URL")?;
        builder = builder.proxy(proxy.no_proxy(except()));
    }
    Ok(builder)
}

pub(super) fn header_value(secret: &Secret) -> HeaderValue {
    // Latin-1, as Node sends and reads headers. The configuration has checked that nothing else is in it.
    let bytes: Vec<u8> = secret.expose().chars().map(|c| c as u8).collect();
    let mut value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

// What an answer gives as the reason, as far as it is worth reading. Express has it in `error`; Nest in `message`, with the
// status's name in `error`.
fn error_text(body: &[u8]) -> Option<String> {
    // A `Value` may take sixteen times the room of its text.
    if body.len() > LARGE_BODY {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = ["message", "error"].into_iter().find_map(|name| body.get(name)?.as_str())?;
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect())
}

fn exchange_error(error: &reqwest::Error) -> ExchangeError {
    if error.is_timeout() {
        ExchangeError::TimedOut
    } else if !error.is_connect() {
        ExchangeError::Other(cause(error))
    } else if is_refusal(error) {
        ExchangeError::Refused(cause(error))
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
pub(super) fn cause(error: &reqwest::Error) -> String {
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
    fn a_name_that_leads_to_an_address_of_no_server_is_not_contacted() {
        let own = ServerUrl::parse("http://a.example.com/").expect("valid");
        let origins = Arc::new(Origins::new(&own, None).expect("valid"));
        let resolver = Resolver { origins: Arc::clone(&origins), proxies: vec!["localhost".into()] };
        let resolve = |name: &str| run(resolver.resolve(name.parse().expect("a name")));
        let error = resolve("169.254.169.254").err().expect("refused");
        assert!(error.to_string().contains("link-local"), "{error}");
        let error = resolve("127.0.0.1").err().expect("refused");
        assert!(error.to_string().contains("loopback"), "{error}");
        assert!(resolve("localhost").is_ok_and(|mut addresses| addresses.next().is_some()), "a proxy may be there");
        origins.add_own_address("127.0.1.1".parse().expect("an address"));
        assert!(resolve("127.0.0.1").is_ok());
    }

    #[test]
    fn the_reason_is_read_from_the_answers_of_express_and_of_nest() {
        let text = |body: &str| error_text(body.as_bytes());
        assert_eq!(text(r#"{"error":"Unauthorized: x"}"#).as_deref(), Some("Unauthorized: x"));
        let nest = r#"{"statusCode":401,"error":"Unauthorized","message":"Unauthorized: x"}"#;
        assert_eq!(text(nest).as_deref(), Some("Unauthorized: x"));
        assert_eq!(text(r#"{"error":7}"#), None);
        assert_eq!(text("Unauthorized"), None);
        assert_eq!(text(&format!(r#"{{"error":"x","message":[{}0]}}"#, "0,".repeat(LARGE_BODY / 2))), None);
    }
}
