//! `Watches`: the open watch connections. The kernel of a watched server closes them when its process ends.
//!
//! Nothing is sent on them. We close them with a FIN, never with a reset, which Node reports to the other program as
//! `clientError`. For the same reason a TLS handshake that has begun is completed (`tlsClientError`).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::dial::{Dialer, connect};
use super::http::ClientFactory;
use super::shared::Shared;
use super::shortage::is_shortage;
use crate::clock;
use crate::error::Error;
use crate::origins::Origins;
use crate::protocol::{RequestId, WatchEnd};
use crate::server_url::ServerUrl;

/// The time limit to open a connection, including name lookup and TLS handshake.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long to wait for the peer's FIN.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same at the end of the engine, because a leave must be quick.
const FINAL_CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// The watch connections of this server, a small task each.
pub struct Watches {
    connector: Arc<Connector>,
    // Dropping one closes its connection.
    closers: BTreeMap<RequestId, oneshot::Sender<Infallible>>,
    pub tasks: JoinSet<Result<(), Error>>,
}

impl Watches {
    pub fn new(factory: &ClientFactory<'_>, origins: &Arc<Origins>) -> Self {
        let connector = Connector { dialer: Dialer::new(factory, origins), tls: Arc::new(factory.tls.clone()).into() };
        Self { connector: Arc::new(connector), closers: BTreeMap::new(), tasks: JoinSet::new() }
    }

    pub fn open(&mut self, shared: Arc<Shared>, id: RequestId, to: ServerUrl) {
        self.closers.retain(|_, closer| !closer.is_closed());
        let (closer, on_close) = oneshot::channel();
        self.closers.insert(id, closer);
        let connector = Arc::clone(&self.connector);
        self.tasks.spawn(async move { watch(&shared, &connector, id, &to, on_close).await });
    }

    pub fn close(&mut self, id: RequestId) {
        self.closers.remove(&id);
    }

    /// Closes all, and waits briefly until that is done.
    pub async fn close_all(&mut self) {
        self.closers.clear();
        // The system closes the rest.
        let _ = clock::timeout(FINAL_CLOSE_TIMEOUT, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

// Holds a connection until one side closes it. The core ignores reports about connections that it has closed.
async fn watch(
    shared: &Shared,
    connector: &Connector,
    id: RequestId,
    to: &ServerUrl,
    on_close: oneshot::Receiver<Infallible>,
) -> Result<(), Error> {
    let ended = |end| shared.core.with(|core, now| core.handle_watch_ended(now, id, end));
    let opened = clock::timeout(OPEN_TIMEOUT, connector.open(to)).await.unwrap_or(Err(WatchEnd::NotOpened));
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(end) => return ended(end),
    };
    shared.core.with(|core, now| core.handle_watch_opened(now, id))?;
    tokio::select! {
        end = stream.end() => ended(end)?,
        _ = on_close => {}
    }
    // On timeout the drop sends a FIN, too.
    let _ = clock::timeout(CLOSE_TIMEOUT, stream.close()).await;
    Ok(())
}

struct Connector {
    dialer: Dialer,
    tls: TlsConnector,
}

impl Connector {
    async fn open(&self, to: &ServerUrl) -> Result<Stream, WatchEnd> {
        let url = Url::parse(to.as_str()).map_err(|_| WatchEnd::Unsupported)?;
        // A proxy closes idle connections on its own.
        let addresses = self.dialer.addresses(&url).await.map_err(|error| not_opened(&error))?;
        let addresses = addresses.ok_or(WatchEnd::Unsupported)?;
        let tcp = connect(&addresses, OPEN_TIMEOUT).await.map_err(|error| not_opened(&error))?;
        if url.scheme() != "https" {
            return Ok(Stream::Plain(tcp));
        }
        let name = match url.host().ok_or(WatchEnd::Unsupported)? {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|_| WatchEnd::NotOpened)?,
            Host::Ipv4(address) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
            Host::Ipv6(address) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        };
        let opened = self.tls.connect(name, tcp).await.map_err(|error| not_opened(&error))?;
        Ok(Stream::Tls(Box::new(opened)))
    }
}

fn not_opened(error: &io::Error) -> WatchEnd {
    if is_shortage(error) { WatchEnd::Local } else { WatchEnd::NotOpened }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    // Waits until the peer ends the connection or sends data.
    async fn end(&mut self) -> WatchEnd {
        let mut byte = [0];
        let read = match self {
            Self::Plain(tcp) => tcp.read(&mut byte).await,
            Self::Tls(tls) => tls.read(&mut byte).await,
        };
        match read {
            Err(error) if is_shortage(&error) => WatchEnd::Local,
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable) => {
                WatchEnd::Vanished
            }
            Ok(_) | Err(_) => WatchEnd::Closed,
        }
    }

    // Sends a FIN and waits for the peer's. Unread bytes would make the kernel send a reset.
    async fn close(self) {
        let mut tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.into_inner().0,
        };
        let mut unread = [0; 1_024];
        if tcp.shutdown().await.is_ok() {
            while matches!(tcp.read(&mut unread).await, Ok(1..)) {}
        }
    }
}
