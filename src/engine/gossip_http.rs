//! `GossipClient`: sends gossip messages over HTTP and classifies errors.

use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use url::Url;

use super::dial::{Dialer, connect};
use super::failure::{INVALID_ANSWER, answered_code, failure_of, io_failure, name_failure};
use super::http::{CONNECT_TO, ClientFactory, MAX_RESPONSE, Proxies, Resolver, header_value, read_up_to};
use super::shortage::shortage_behind;
use crate::auth::Secret;
use crate::clock;
use crate::config::Config;
use crate::error::{BUSY, UNAUTHORIZED, WRONG_CLUSTER};
use crate::protocol::{ExchangeError, Failure, Place};
use crate::server_url::ServerUrl;

/// The route below a server's base URL.
const ROUTE: &str = "clustershazbot/gossip";
/// Most exchanges at a time: 100 monitors, and a few more. Each takes a file descriptor.
const MAX_EXCHANGES: usize = 128;
/// Further ones that are urgent: the 20 of a leave, and those of a suspicion.
const URGENT_EXCHANGES: usize = 32;
/// How many silent servers are diagnosed at a time. Each takes a file descriptor.
const DIAGNOSES: usize = 16;
/// How long a diagnosis waits for the end of a TLS handshake: the other program's event loop may be blocked.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Larger responses are read in turn, bytes, so that many at a time cannot fill the memory. Responses of protocol 2
/// servers are below 90 kB.
const LARGE_BODY: usize = 128 << 10;
/// How many large responses are read at a time.
const LARGE_AT_A_TIME: usize = 1;
/// The time limit of a large response, so that a slow one does not block the others.
const LARGE_TIMEOUT: Duration = Duration::from_secs(1);
/// After this share of its timeout an answer is late. Then the client tries to connect, for a third of the timeout, to
/// find out whether the host accepts connections.
const LATE: (u32, u32) = (3, 5);
/// Most characters read of a peer's error message. Reports cut it further after redaction.
const MAX_ERROR_TEXT: usize = 2_000;

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, ExchangeError>> + Send + 'a>>;

pub struct GossipClient {
    pooled: Client,
    // Opens a new connection for each request.
    unpooled: Client,
    proxies: Arc<Proxies>,
    exchanges: Semaphore,
    urgent: Semaphore,
    diagnoses: Arc<Semaphore>,
    large: Semaphore,
    dialer: Dialer,
}

/// Why an exchange was not begun. Not a shortage of the machine: servers do not answer.
pub const TOO_MANY: &str = "too many exchanges are under way";

impl GossipClient {
    pub fn new(factory: &ClientFactory<'_>, config: &Config) -> Result<Self, String> {
        let resolver = Resolver::for_servers(&config.origins, factory.names, &factory.proxies);
        Ok(Self {
            pooled: factory.build(Policy::none(), &resolver, usize::MAX)?,
            unpooled: factory.build(Policy::none(), &resolver, 0)?,
            proxies: Arc::clone(&factory.proxies),
            exchanges: Semaphore::new(MAX_EXCHANGES),
            urgent: Semaphore::new(URGENT_EXCHANGES),
            diagnoses: Arc::new(Semaphore::new(DIAGNOSES)),
            large: Semaphore::new(LARGE_AT_A_TIME),
            dialer: Dialer::new(factory, &config.origins),
        })
    }

    /// Waits until one more exchange may begin, for up to half its timeout. An urgent one does not wait, because the
    /// core's deadlines run meanwhile.
    pub async fn permit(&self, timeout: Duration, is_urgent: bool) -> Result<SemaphorePermit<'_>, ExchangeError> {
        let permit = if is_urgent {
            self.exchanges.try_acquire().or_else(|_| self.urgent.try_acquire()).ok()
        } else {
            clock::timeout(timeout / 2, self.exchanges.acquire()).await.ok().and_then(Result::ok)
        };
        permit.ok_or_else(|| ExchangeError::Local(TOO_MANY.into()))
    }

    /// Sends a message and returns the body of the response.
    pub async fn send(
        &self,
        to: &ServerUrl,
        header: &Secret,
        body: Vec<u8>,
        timeout: Duration,
        new_connection: bool,
    ) -> Result<Vec<u8>, ExchangeError> {
        let client = if new_connection { &self.unpooled } else { &self.pooled };
        // Boxed, because it is awaited at two places: inlining it twice would make the binary larger.
        let mut sending: Sending<'_> = Box::pin(self.post(client, to, header, body, timeout));
        if let Ok(ended) = clock::timeout(timeout * LATE.0 / LATE.1, &mut sending).await {
            return ended;
        }
        let mut silence = pin!(self.explain_silence(to, timeout));
        let (ended, silence) = tokio::select! {
            ended = &mut sending => {
                let Err(ExchangeError::TimedOut) = ended else { return ended };
                (ended, silence.await)
            }
            silence = &mut silence => (sending.await, silence),
        };
        ended.map_err(|error| if error == ExchangeError::TimedOut { silence } else { error })
    }

    // Finds out why a server is silent: its host accepts no connections, or its program does not answer.
    async fn explain_silence(&self, to: &ServerUrl, timeout: Duration) -> ExchangeError {
        let Ok(url) = Url::parse(to.as_str()) else { return ExchangeError::TimedOut };
        let Ok(permit) = Arc::clone(&self.diagnoses).try_acquire_owned() else { return ExchangeError::TimedOut };
        let addresses = match clock::timeout(timeout / 6, self.dialer.addresses(&url)).await {
            Ok(Ok(Some(addresses))) => addresses,
            // A proxy accepted the connection.
            Ok(Ok(None)) => return ExchangeError::NoAnswer(timeout),
            Ok(Err(error)) => return ExchangeError::Unreachable(name_failure(&error)),
            Err(_) => return ExchangeError::Unreachable(Failure::new("EAI_AGAIN", "no answer of DNS in time")),
        };
        match connect(&addresses, timeout / 6).await {
            Ok(tcp) => {
                if url.scheme() == "https" {
                    tokio::spawn(complete_handshake(self.dialer.clone(), url, tcp, permit));
                }
                ExchangeError::NoAnswer(timeout)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => ExchangeError::TimedOut,
            Err(error) => ExchangeError::Unreachable(io_failure(&error)),
        }
    }

    /// Sends a message on a new connection to this address, because the name in the URL may have several.
    pub async fn send_to(
        &self,
        place: &Place,
        header: &Secret,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, ExchangeError> {
        // The unpooled client connects within this task, which has the address.
        let sending = self.post(&self.unpooled, &place.url, header, body, timeout);
        match place.address {
            Some(address) => CONNECT_TO.scope(address, sending).await,
            None => sending.await,
        }
    }

    async fn post(
        &self,
        client: &Client,
        to: &ServerUrl,
        header: &Secret,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, ExchangeError> {
        // Not the client's own timeout, which ends a request before it looks for an answer that has arrived.
        let posting = self.post_and_read(client, to, header, body);
        clock::timeout(timeout, posting).await.unwrap_or(Err(ExchangeError::TimedOut))
    }

    async fn post_and_read(
        &self,
        client: &Client,
        to: &ServerUrl,
        header: &Secret,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, ExchangeError> {
        let request = client
            .post(format!("{to}{ROUTE}"))
            .header(AUTHORIZATION, header_value(header))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = request.send().await.map_err(|error| self.exchange_error(&error))?;
        let (status, url) = (response.status(), response.url().clone());
        let header = |name| response.headers().get(name).map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
        let (location, encoding) = (header(LOCATION), header(CONTENT_ENCODING));
        let body = self.read(response).await?;
        // A proxy answers 502 or 407 for the server.
        let explain = |answer| self.proxies.explain(Some(&url), answer);
        if !status.is_success() {
            return Err(refusal(status, location.as_deref(), &body, explain));
        }
        let problem = match encoding {
            Some(encoding) if encoding != "identity" => {
                format!("its answer is compressed ({encoding}), which this server did not ask for")
            }
            Some(_) | None if body.trim_ascii_start().starts_with(b"<") => "its answer is an HTML page".into(),
            Some(_) | None => return Ok(body),
        };
        Err(ExchangeError::Other(Failure::new(INVALID_ANSWER, explain(problem))))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, ExchangeError> {
        let mut body = Vec::new();
        if read_up_to(&mut response, &mut body, LARGE_BODY).await.map_err(|error| self.exchange_error(&error))? {
            return Ok(body);
        }
        let _permit = self.large.acquire().await;
        let rest = clock::timeout(LARGE_TIMEOUT, read_up_to(&mut response, &mut body, MAX_RESPONSE));
        let ended = rest.await.map_err(|_| ExchangeError::Other("its answer is large and slow".into()))?;
        if ended.map_err(|error| self.exchange_error(&error))? {
            Ok(body)
        } else {
            Err(ExchangeError::Other(format!("its answer is over {} MiB", MAX_RESPONSE >> 20).into()))
        }
    }

    fn exchange_error(&self, error: &reqwest::Error) -> ExchangeError {
        let failure = || {
            let Failure { code, text } = failure_of(error);
            Failure { code, text: self.proxies.explain(error.url(), text) }
        };
        if let Some(shortage) = shortage_behind(error) {
            ExchangeError::Local(shortage.to_string())
        } else if error.is_timeout() {
            ExchangeError::TimedOut
        } else if !error.is_connect() {
            ExchangeError::Other(failure())
        } else if is_connection_refused(error) && !self.proxies.is_used(error.url()) {
            ExchangeError::Refused(failure().text)
        } else {
            // A refusing proxy says nothing about the server.
            ExchangeError::Unreachable(failure())
        }
    }
}

// A connection that ends before its TLS handshake raises `tlsClientError` in the other program.
async fn complete_handshake(dialer: Dialer, url: Url, tcp: TcpStream, _permit: OwnedSemaphorePermit) {
    let complete = async {
        if let Ok(stream) = dialer.secure(&url, tcp).await {
            stream.close().await;
        }
    };
    let _ = clock::timeout(HANDSHAKE_TIMEOUT, complete).await;
}

// Why a peer rejected a message.
fn refusal(
    status: StatusCode,
    location: Option<&str>,
    body: &[u8],
    explain: impl FnOnce(String) -> String,
) -> ExchangeError {
    let (text, code) = error_text(body);
    let begins = |with| text.as_ref().is_some_and(|text| text.starts_with(with));
    // Version 1's Express route answers every error with 401. Only the text distinguishes them.
    if status == StatusCode::UNAUTHORIZED && begins(UNAUTHORIZED) {
        return ExchangeError::SecretRejected;
    }
    if begins(WRONG_CLUSTER) {
        return ExchangeError::WrongCluster(format!("it says: {}", text.unwrap_or_default()));
    }
    if begins(BUSY) {
        return ExchangeError::Busy;
    }
    let target = location.filter(|_| status.is_redirection()).map(|target| format!(", a redirect to {target}"));
    let text = text.map(|text| format!(": {text}"));
    let text = format!("it answered {status}{}{}", target.unwrap_or_default(), text.unwrap_or_default());
    let answer = Failure { code: answered_code(status.as_u16(), code.as_deref()), text: explain(text) };
    match status {
        // A proxy without a backend, or a program whose engine has not started.
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => ExchangeError::NotReady(answer),
        _ => ExchangeError::Other(answer),
    }
}

// The error text in a response, and the code that the ready-made routes add. Express puts the text in `error`; Nest
// puts it in `message`, and the name of the status in `error`.
fn error_text(body: &[u8]) -> (Option<String>, Option<String>) {
    // A `Value` may need sixteen times the memory of its text.
    if body.len() > LARGE_BODY {
        return (None, None);
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let find = |names: &[&str]| names.iter().find_map(|name| body.get(name)?.as_str());
    let text = find(&["message", "error"]).map(|text| text.chars().take(MAX_ERROR_TEXT).collect());
    (text, find(&["code"]).map(str::to_owned))
}

fn is_connection_refused(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Instant;

    use super::super::http::TlsFiles;
    use super::super::workers::Workers;
    use super::*;
    use crate::config::Environment;

    fn run<T>(test: impl AsyncFnOnce(&GossipClient) -> T) -> T {
        let variables = [
            ("SHAZBOT_SECRET", "a gossip secret"),
            ("SHAZBOT_CONTROL_SECRET", "a control secret"),
            ("SHAZBOT_BASE_URL", "http://127.0.0.1/"),
            ("SHAZBOT_MASTER_LIST", "file:///list.json"),
        ];
        let environment: Environment = variables.map(|(name, value)| (name.into(), value.into())).into();
        let config = Config::from_environment(&environment).expect("valid");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let names = Arc::new(Workers::start("names").expect("a thread"));
            let (factory, _) = ClientFactory::new(&config.network, &names, TlsFiles::default()).expect("clients");
            test(&GossipClient::new(&factory, &config).expect("a client")).await
        })
    }

    #[test]
    fn exchanges_over_the_limit_fail_as_a_local_shortage_and_urgent_ones_have_a_reserve() {
        run(async |client| {
            let soon = Duration::from_millis(20);
            let is_local = |permit| matches!(permit, Err(ExchangeError::Local(_)));
            let mut permits = Vec::new();
            for _ in 0..MAX_EXCHANGES {
                permits.push(client.permit(soon, false).await.expect("a permit"));
            }
            assert!(is_local(client.permit(soon, false).await));
            for _ in 0..URGENT_EXCHANGES {
                permits.push(client.permit(soon, true).await.expect("a permit of the reserve"));
            }
            assert!(is_local(client.permit(soon, true).await));
            permits.truncate(1);
            assert!(client.permit(soon, false).await.is_ok());
        });
    }

    // A second connection to this server stays without an answer: its queue is full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_late_answer_does_not_wait_for_the_search_for_its_reason() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
        socket.listen(0).expect("it listens");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("an address");
        let timeout = Duration::from_secs(5);
        std::thread::spawn(move || {
            let (mut first, _) = listener.accept().expect("a connection");
            let answered = Instant::now() + timeout * LATE.0 / LATE.1 + Duration::from_millis(50);
            let fills = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100));
            let _fill: Vec<_> = (0..4).map(|_| fills()).collect();
            let mut request = [0; 4_096];
            let _ = first.read(&mut request).expect("a request");
            std::thread::sleep(answered.saturating_duration_since(Instant::now()));
            first.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").expect("it answers");
            std::thread::sleep(timeout);
        });
        let began = Instant::now();
        let (to, header) = (ServerUrl::parse(&format!("http://{address}/")).expect("valid"), Secret::new("x".into()));
        let answer = run(async |client| client.send(&to, &header, Vec::new(), timeout, false).await);
        assert_eq!(answer.expect("an answer"), b"{}");
        let took = began.elapsed();
        assert!(took > timeout * LATE.0 / LATE.1, "the search had begun: {took:?}");
        assert!(took < timeout * LATE.0 / LATE.1 + timeout / 9, "{took:?}");
    }

    #[test]
    fn the_error_text_of_express_and_nest_is_read() {
        let text = |body: &str| error_text(body.as_bytes()).0;
        assert_eq!(text(r#"{"error":"Unauthorized: x"}"#).as_deref(), Some("Unauthorized: x"));
        let nest = r#"{"statusCode":401,"error":"Unauthorized","message":"Unauthorized: x"}"#;
        assert_eq!(text(nest).as_deref(), Some("Unauthorized: x"));
        assert_eq!(text(r#"{"error":7}"#), None);
        assert_eq!(text("Unauthorized"), None);
        assert_eq!(text(&format!(r#"{{"error":"x","message":[{}0]}}"#, "0,".repeat(LARGE_BODY / 2))), None);
    }
}
