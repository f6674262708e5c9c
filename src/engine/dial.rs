//! `Dialer`: opens connections, for watches and to find out why a server does not answer. No message is sent on them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::http::{ClientFactory, Proxies, Resolver};
use crate::clock;
use crate::origins::Origins;

/// TCP keep-alive detects a vanished host within 11 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
/// The system counts these times in whole seconds.
const MIN_KEEPALIVE: Duration = Duration::from_secs(1);

/// Resolves and connects to servers that may be contacted.
#[derive(Clone)]
pub struct Dialer {
    resolver: Resolver,
    proxies: Arc<Proxies>,
    tls: TlsConnector,
}

impl Dialer {
    pub fn new(factory: &ClientFactory<'_>, origins: &Arc<Origins>) -> Self {
        let resolver = Resolver::for_servers(origins, factory.names, &factory.proxies);
        Self { resolver, proxies: Arc::clone(&factory.proxies), tls: Arc::new(factory.tls.clone()).into() }
    }

    /// The addresses to connect to. None if there is a proxy, which must not be bypassed, or if the name resolves to
    /// addresses that must not be contacted.
    pub async fn addresses(&self, url: &Url) -> io::Result<Option<Vec<SocketAddr>>> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return Ok(None) };
        if self.proxies.is_used(Some(url)) {
            return Ok(None);
        }
        // The origin was checked when the server was listed; the addresses of its name are checked here.
        Ok(match host {
            Host::Ipv4(address) => Some(vec![(address, port).into()]),
            Host::Ipv6(address) => Some(vec![(address, port).into()]),
            Host::Domain(name) => {
                let found = self.resolver.find(name).await?.ok();
                found.map(|found| found.into_iter().map(|it| (it.ip(), port).into()).collect())
            }
        })
    }

    /// Completes the TLS handshake, if the server speaks https.
    pub async fn secure(&self, url: &Url, tcp: TcpStream) -> io::Result<Stream> {
        if url.scheme() != "https" {
            return Ok(Stream::Plain(tcp));
        }
        let name = match url.host().ok_or(io::ErrorKind::InvalidInput)? {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|_| io::ErrorKind::InvalidInput)?,
            Host::Ipv4(address) => ServerName::IpAddress(IpAddr::from(address).into()),
            Host::Ipv6(address) => ServerName::IpAddress(IpAddr::from(address).into()),
        };
        Ok(Stream::Tls(Box::new(self.tls.connect(name, tcp).await?)))
    }
}

/// An open connection.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Waits until the peer sends data or ends the connection.
    pub async fn read(&mut self) -> io::Result<usize> {
        let mut byte = [0];
        match self {
            Self::Plain(tcp) => tcp.read(&mut byte).await,
            Self::Tls(tls) => tls.read(&mut byte).await,
        }
    }

    /// Sends a FIN and waits for the peer's. Unread bytes would make the kernel send a reset.
    pub async fn close(self) {
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

/// Tries the addresses in turn. Each gets a part of the time, so that a silent one leaves time for the next.
pub async fn connect(addresses: &[SocketAddr], within: Duration) -> io::Result<TcpStream> {
    let share = within / addresses.len().max(1) as u32;
    let mut failure = io::ErrorKind::NotFound.into();
    for address in addresses {
        match clock::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let real = |duration| clock::real(duration).max(MIN_KEEPALIVE);
                let keepalive = TcpKeepalive::new()
                    .with_time(real(KEEPALIVE_IDLE))
                    .with_interval(real(KEEPALIVE_INTERVAL))
                    .with_retries(KEEPALIVE_RETRIES);
                // If this fails, only the renewal of a watch detects a vanished host.
                let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}
