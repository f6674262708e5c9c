//! Resolves the names of servers, and refuses addresses that no server of the cluster may have.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::Url;

use crate::clock;
use crate::config::Config;
use crate::origins::Origins;

/// How long a start waits for the lookup of its own name.
const OWN_TIMEOUT: Duration = Duration::from_secs(1);

/// The system's resolver, without the addresses that `Origins` forbids.
pub struct Resolver {
    origins: Arc<Origins>,
    // Proxies may be anywhere: they come from the program's own environment.
    proxies: Vec<String>,
}

impl Resolver {
    pub fn new(config: &Config) -> Self {
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

/// Resolves our own base URL: only a server at a loopback address may list others there.
pub async fn resolve_own_address(config: &Config) {
    let own = Url::parse(config.settings.base_url.as_str()).ok();
    let Some(name) = own.as_ref().and_then(Url::domain) else { return };
    if let Ok(Ok(addresses)) = clock::timeout(OWN_TIMEOUT, lookup_host((name, 0))).await {
        addresses.for_each(|address| config.origins.add_own_address(address.ip()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_url::ServerUrl;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn a_name_that_resolves_to_a_forbidden_address_is_not_contacted() {
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
}
