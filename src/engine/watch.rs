//! `Watches`: the open watch connections. The kernel of a watched server closes them when its process ends.
//!
//! Nothing is sent on them. We close them with a FIN, never with a reset, which Node reports to the other program as
//! `clientError`. For the same reason a TLS handshake that has begun is completed (`tlsClientError`).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use url::Url;

use super::dial::{Dialer, Stream, connect};
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
    dialer: Arc<Dialer>,
    // Dropping one closes its connection.
    closers: BTreeMap<RequestId, oneshot::Sender<Infallible>>,
    pub tasks: JoinSet<Result<(), Error>>,
}

impl Watches {
    pub fn new(factory: &ClientFactory<'_>, origins: &Arc<Origins>) -> Self {
        let dialer = Arc::new(Dialer::new(factory, origins));
        Self { dialer, closers: BTreeMap::new(), tasks: JoinSet::new() }
    }

    pub fn open(&mut self, shared: Arc<Shared>, id: RequestId, to: ServerUrl) {
        self.closers.retain(|_, closer| !closer.is_closed());
        let (closer, on_close) = oneshot::channel();
        self.closers.insert(id, closer);
        let dialer = Arc::clone(&self.dialer);
        self.tasks.spawn(async move { watch(&shared, &dialer, id, &to, on_close).await });
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
    dialer: &Dialer,
    id: RequestId,
    to: &ServerUrl,
    on_close: oneshot::Receiver<Infallible>,
) -> Result<(), Error> {
    let ended = |end| shared.core.with(|core, now| core.handle_watch_ended(now, id, end));
    let opened = clock::timeout(OPEN_TIMEOUT, open(dialer, to)).await.unwrap_or(Err(WatchEnd::NotOpened));
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(end) => return ended(end),
    };
    shared.core.with(|core, now| core.handle_watch_opened(now, id))?;
    tokio::select! {
        end = end(&mut stream) => ended(end)?,
        _ = on_close => {}
    }
    // On timeout the drop sends a FIN, too.
    let _ = clock::timeout(CLOSE_TIMEOUT, stream.close()).await;
    Ok(())
}

async fn open(dialer: &Dialer, to: &ServerUrl) -> Result<Stream, WatchEnd> {
    let url = Url::parse(to.as_str()).map_err(|_| WatchEnd::Unsupported)?;
    // A proxy closes idle connections on its own.
    let addresses = dialer.addresses(&url).await.map_err(|error| not_opened(&error))?;
    let addresses = addresses.ok_or(WatchEnd::Unsupported)?;
    let tcp = connect(&addresses, OPEN_TIMEOUT).await.map_err(|error| not_opened(&error))?;
    dialer.secure(&url, tcp).await.map_err(|error| not_opened(&error))
}

fn not_opened(error: &io::Error) -> WatchEnd {
    if is_shortage(error) { WatchEnd::Local } else { WatchEnd::NotOpened }
}

// Waits until the peer ends a connection or sends data.
async fn end(stream: &mut Stream) -> WatchEnd {
    match stream.read().await {
        Err(error) if is_shortage(&error) => WatchEnd::Local,
        Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable) => {
            WatchEnd::Vanished
        }
        Ok(_) | Err(_) => WatchEnd::Closed,
    }
}
