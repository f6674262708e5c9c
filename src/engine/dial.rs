//! `Dialer`: opens TCP connections, for watches and to find out why a server does not answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
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
pub struct Dialer {
    resolver: Resolver,
    proxies: Arc<Proxies>,
}

impl Dialer {
    pub fn new(factory: &ClientFactory<'_>, origins: &Arc<Origins>) -> Self {
        let resolver = Resolver::for_servers(origins, factory.names, &factory.proxies);
        Self { resolver, proxies: Arc::clone(&factory.proxies) }
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
