//! `Proxies`: selects the proxy of a request, as Node does with `NODE_USE_ENV_PROXY=1`.

use std::net::Ipv4Addr;

use url::Url;

use crate::config::{Network, ProxyVariable};

/// The proxies in the environment.
pub struct Proxies {
    http: Option<EnvProxy>,
    https: Option<EnvProxy>,
    // NO_PROXY.
    exceptions: String,
}

struct EnvProxy {
    url: Url,
    // Without user name and password.
    name: String,
}

impl Proxies {
    /// The error names the invalid variable.
    pub fn new(network: &Network) -> Result<Self, String> {
        let parse = |variable: &Option<ProxyVariable>| variable.as_ref().map(EnvProxy::parse).transpose();
        Ok(Self {
            http: parse(&network.http_proxy)?,
            https: parse(&network.https_proxy)?,
            exceptions: network.no_proxy.clone().unwrap_or_default(),
        })
    }

    /// The URL of the proxy for a request to `url`.
    pub fn url(&self, url: &Url) -> Option<Url> {
        self.find(url).map(|proxy| proxy.url.clone())
    }

    /// Appends the proxy of the request to an error text, because it may be the cause.
    pub fn explain(&self, url: Option<&Url>, error: String) -> String {
        match url.and_then(|url| self.find(url)) {
            Some(proxy) => format!("through the proxy {}: {error}", proxy.name),
            None => error,
        }
    }

    /// Whether a request to `url` goes through a proxy.
    pub fn is_used(&self, url: Option<&Url>) -> bool {
        url.is_some_and(|url| self.find(url).is_some())
    }

    /// The hosts of the proxies.
    pub fn hosts(&self) -> Vec<String> {
        [&self.http, &self.https].into_iter().flatten().filter_map(|it| it.url.host_str().map(str::to_owned)).collect()
    }

    fn find(&self, url: &Url) -> Option<&EnvProxy> {
        let proxy = if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !is_excepted(&self.exceptions, url))
    }
}

impl EnvProxy {
    fn parse(variable: &ProxyVariable) -> Result<Self, String> {
        let url = Url::parse(variable.url.expose()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url else {
            return Err(format!("{}: it is not an http or https URL, such as http://proxy:3128", variable.name));
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        let name = format!("{}://{host}{port} of {}", url.scheme(), variable.name);
        Ok(Self { url, name })
    }
}

// Node's two clients, `http.request` and `fetch`, read NO_PROXY differently. An exception of either counts, so that the
// secret is never sent to a proxy that the operator has excluded.
fn is_excepted(list: &str, url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let port = url.port_or_known_default().unwrap_or_default();
    is_excepted_by_request(list, host.trim_start_matches('[').trim_end_matches(']'), port)
        || is_excepted_by_fetch(list, host, port)
}

// As `shouldUseProxy` in Node's lib/internal/http.js. An IPv6 address has no brackets.
fn is_excepted_by_request(list: &str, host: &str, port: u16) -> bool {
    let address = host.parse::<Ipv4Addr>().ok();
    list.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| {
        let is_below = |suffix: &str| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
        let is_in_range = |address: Ipv4Addr| {
            let mut ends = entry.split('-').map(|end| end.trim().parse::<Ipv4Addr>());
            matches!((ends.next(), ends.next()), (Some(Ok(from)), Some(Ok(to))) if (from..=to).contains(&address))
        };
        entry == "*"
            || entry == host
            || entry == format!("{host}:{port}")
            || entry.strip_prefix('.').is_some_and(|suffix| host == suffix || is_below(suffix))
            || entry.strip_prefix('*').is_some_and(|suffix| suffix.starts_with('.') && host.ends_with(suffix))
            || address.is_some_and(is_in_range)
    })
}

// As `EnvHttpProxyAgent` of undici, Node's `fetch`. An IPv6 address has brackets.
fn is_excepted_by_fetch(list: &str, host: &str, port: u16) -> bool {
    let is_separator = |c: char| c == ',' || c.is_whitespace();
    list == "*"
        || list.split(is_separator).filter(|entry| !entry.is_empty()).any(|entry| {
            let (name, wanted) = match entry.rsplit_once(':') {
                Some((name, digits))
                    if !name.is_empty() && !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()) =>
                {
                    (name, digits.trim_start_matches('0'))
                }
                _ => (entry, ""),
            };
            let name = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')).unwrap_or(name).to_lowercase();
            (wanted.is_empty() || wanted == port.to_string())
                && (host == name || host.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.')))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;

    // __test__/tls-and-proxy.test.js checks the same table against Node itself.
    const CASES: &str = include_str!("../../../__test__/support/no-proxy.json");

    #[derive(serde::Deserialize)]
    struct Case {
        list: String,
        url: String,
        direct: bool,
    }

    fn variable(name: &'static str, url: &str) -> ProxyVariable {
        ProxyVariable { name, url: Secret::new(url.into()) }
    }

    #[test]
    fn no_proxy_is_read_as_node_reads_it() {
        let cases: Vec<Case> = serde_json::from_str(CASES).expect("a table");
        assert!(cases.len() > 50);
        for Case { list, url, direct } in cases {
            assert_eq!(is_excepted(&list, &Url::parse(&url).expect(&url)), direct, "NO_PROXY={list:?} {url}");
        }
    }

    #[test]
    fn each_scheme_has_its_own_proxy() {
        let network = Network { http_proxy: Some(variable("http_proxy", "http://p:3128")), ..Network::default() };
        let proxies = Proxies::new(&network).expect("valid");
        let url = |text: &str| proxies.url(&Url::parse(text).expect(text)).map(String::from);
        assert_eq!(url("http://a/").as_deref(), Some("http://p:3128/"));
        assert_eq!(url("https://a/"), None);
    }

    #[test]
    fn an_error_names_the_proxy_and_its_variable_without_the_password() {
        let network =
            Network { https_proxy: Some(variable("HTTPS_PROXY", "http://me:hunter2@p:3128")), ..Network::default() };
        let proxies = Proxies::new(&network).expect("valid");
        let explain = |url: &str| proxies.explain(Some(&Url::parse(url).expect(url)), "connection refused".into());
        assert_eq!(explain("https://a/"), "through the proxy http://p:3128 of HTTPS_PROXY: connection refused");
        assert_eq!(explain("http://a/"), "connection refused");
    }

    #[test]
    fn a_proxy_that_is_not_an_http_url_is_an_error_that_names_the_variable() {
        for wrong in ["no proxy", "proxy:3128", "socks5://p", "htp://p:3128", "http://"] {
            let network = Network { http_proxy: Some(variable("http_proxy", wrong)), ..Network::default() };
            let error = Proxies::new(&network).err().expect(wrong);
            assert!(error.starts_with("http_proxy: "), "{wrong}: {error}");
        }
    }
}
