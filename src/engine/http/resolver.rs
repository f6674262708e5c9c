//! Resolves the names of servers and stores, and refuses addresses that must not be contacted.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;
use url::Url;

use super::super::shortage::{hidden_shortage, is_shortage};
use super::super::workers::Workers;
use super::proxy::Proxies;
use crate::address;
use crate::clock;
use crate::config::{List, Location};
use crate::origins::Origins;
use crate::server_url::ServerUrl;

/// The delay before a lookup is retried that failed for lack of a resource.
const SHORTAGE_RETRY: Duration = Duration::from_secs(1);
/// The least time between other lookups of our own name.
const RETRY: Duration = Duration::from_secs(2);

tokio::task_local! {
    /// The address that a request connects to instead of resolving its name. Must be allowed for servers.
    pub static CONNECT_TO: IpAddr;
}

/// The system's resolver, without the addresses that must not be contacted.
#[derive(Clone)]
pub struct Resolver {
    names: Arc<Workers>,
    check: Arc<CheckAddress>,
    // Proxies may be anywhere, because the program's own environment configures them.
    proxies: Arc<[String]>,
}

type CheckAddress = dyn Fn(&str, IpAddr) -> Result<(), &'static str> + Send + Sync;

impl Resolver {
    /// For gossip: only addresses that a server of the cluster may have.
    pub fn for_servers(origins: &Arc<Origins>, names: &Arc<Workers>, proxies: &Proxies) -> Self {
        let origins = Arc::clone(origins);
        let check = Arc::new(move |_: &str, address| origins.check_address(address));
        Self { names: Arc::clone(names), check, proxies: proxies.hosts().into() }
    }

    /// For master lists. A list may be at a loopback address, but a redirect from elsewhere must not lead there.
    pub fn for_lists(lists: &[List], names: &Arc<Workers>, proxies: &Proxies) -> Self {
        let locations = lists.iter().flat_map(|list| [Some(&list.read), list.write.as_ref()]).flatten();
        let urls = locations.filter_map(|it| if let Location::Http(url) = it { Some(url) } else { None });
        let is_loopback = urls.clone().any(address::is_loopback_host);
        let hosts: Vec<_> = urls.filter_map(|url| url.host_str().map(str::to_owned)).collect();
        let check = move |name: &str, address| {
            if address::is_forbidden(address) {
                Err("its name resolves to an address that is link-local, multicast or a cloud's metadata service")
            } else if address::is_loopback(address) && !is_loopback && !hosts.iter().any(|host| host == name) {
                Err("the store redirects to a name that resolves to a loopback address")
            } else {
                Ok(())
            }
        };
        Self { names: Arc::clone(names), check: Arc::new(check), proxies: proxies.hosts().into() }
    }

    /// Looks up a name. The inner error is the reason why none of its addresses may be contacted.
    pub async fn find(&self, name: &str) -> io::Result<Result<Vec<SocketAddr>, &'static str>> {
        let found = match CONNECT_TO.try_with(|address| SocketAddr::new(*address, 0)) {
            Ok(address) => vec![address],
            Err(_) => look_up(&self.names, name).await?,
        };
        Ok(self.allowed(name, found.into_iter()))
    }

    fn allowed(
        &self,
        name: &str,
        addresses: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, &'static str> {
        if self.proxies.iter().any(|proxy| proxy == name) {
            return Ok(addresses.collect());
        }
        let (mut allowed, mut refused) = (Vec::new(), None);
        for address in addresses {
            match (self.check)(name, address.ip()) {
                Ok(()) => allowed.push(address),
                Err(why) => refused = Some(why),
            }
        }
        refused.filter(|_| allowed.is_empty()).map_or(Ok(allowed), Err)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let allowed = resolver
                .find(name.as_str())
                .await?
                .map_err(|why| io::Error::new(io::ErrorKind::PermissionDenied, why))?;
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

pub async fn look_up(names: &Workers, name: &str) -> io::Result<Vec<SocketAddr>> {
    let name = name.to_owned();
    let look_up = move || match (name.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(hidden_shortage().unwrap_or(error)),
    };
    names.run(look_up).await
}

/// Looks up the name in our own base URL, because only a server at a loopback address may list others at one. Repeats
/// until the name resolves, and again after a loopback server was refused. Drops `first` after the first lookup.
pub async fn follow_own_name(origins: &Origins, own: &ServerUrl, names: &Workers, first: oneshot::Sender<()>) {
    let own = Url::parse(own.as_str()).ok();
    let Some(name) = own.as_ref().and_then(Url::domain) else { return };
    let mut first = Some(first);
    while !origins.own_is_loopback() {
        match look_up(names, name).await {
            Ok(addresses) => addresses.iter().for_each(|it| origins.add_own_address(it.ip())),
            Err(error) if is_shortage(&error) => {
                clock::sleep(SHORTAGE_RETRY).await;
                continue;
            }
            Err(_) => origins.expect_own_address(),
        }
        first = None;
        while !origins.own_is_loopback() {
            clock::sleep(RETRY).await;
            if origins.take_refused_loopback() {
                break;
            }
        }
    }
    drop(first);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;
    use crate::config::{Network, ProxyVariable};

    fn proxies(url: &str) -> Proxies {
        let variable = ProxyVariable { name: "HTTP_PROXY", url: Secret::new(url.into()) };
        Proxies::new(&Network { http_proxy: Some(variable), ..Network::default() }).expect("valid")
    }

    fn names() -> Arc<Workers> {
        Arc::new(Workers::start("names").expect("a thread"))
    }

    fn resolve(resolver: &Resolver, name: &str) -> Result<usize, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcome = runtime.block_on(resolver.resolve(name.parse().expect("a name")));
        outcome.map(Iterator::count).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_whose_name_resolves_to_a_forbidden_address_is_not_contacted() {
        let own = ServerUrl::parse("http://a.example.com/").expect("valid");
        let origins = Arc::new(Origins::new(&own, None).expect("valid"));
        let resolver = Resolver::for_servers(&origins, &names(), &proxies("http://localhost:3128"));
        assert!(resolve(&resolver, "169.254.169.254").is_err_and(|error| error.contains("link-local")));
        assert!(resolve(&resolver, "127.0.0.1").is_err_and(|error| error.contains("loopback")));
        assert!(resolve(&resolver, "localhost").is_ok_and(|count| count > 0), "a proxy may be there");
        origins.add_own_address("127.0.1.1".parse().expect("an address"));
        assert!(resolve(&resolver, "127.0.0.1").is_ok());
    }

    #[test]
    fn a_list_is_never_read_at_a_metadata_address_and_at_a_loopback_address_only_if_one_is_configured() {
        let resolver = |list: &str| {
            let read = Location::Http(Url::parse(list).expect(list));
            Resolver::for_lists(&[List { write: None, read }], &names(), &proxies("http://proxy:3128"))
        };
        let store = resolver("http://store.example.com/list");
        assert!(resolve(&store, "169.254.169.254").is_err_and(|error| error.contains("metadata")));
        assert!(resolve(&store, "127.0.0.1").is_err_and(|error| error.contains("loopback")));
        assert!(resolve(&store, "10.0.0.1").is_ok());
        let local = resolver("http://localhost:9000/list");
        assert!(resolve(&local, "169.254.169.254").is_err());
        assert!(resolve(&local, "127.0.0.1").is_ok());
        // Debian resolves a machine's own name to 127.0.1.1.
        assert!(resolve(&resolver("http://127.0.1.1/list"), "127.0.1.1").is_ok());
    }
}
