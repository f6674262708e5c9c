//! `Origins`: which servers may be listed, and so get the secret. Checks every URL in a message or list, and every
//! address that a name resolves to.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use url::Url;

use crate::address;
use crate::server_url::ServerUrl;
use crate::url_mistakes::mistake;

/// The rules of one server, from its base URL and `SHAZBOT_ALLOWED_ORIGINS`.
#[derive(Debug)]
pub struct Origins {
    own_is_https: bool,
    // If our base URL has a name, this is known only after its lookup.
    own_is_loopback: AtomicBool,
    // Whether a loopback address was refused since the last lookup of our own name, or that lookup failed.
    refused_loopback: AtomicBool,
    // SHAZBOT_ALLOWED_ORIGINS.
    allowed: Option<Vec<Allowed>>,
}

/// An item of `SHAZBOT_ALLOWED_ORIGINS`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Origin { scheme: String, host: String, port: Option<u16> },
    Addresses(IpNet),
}

impl Origins {
    /// The rules of the server with the base URL `own`. `list` is `SHAZBOT_ALLOWED_ORIGINS`; the error names the
    /// invalid item.
    pub fn new(own: &ServerUrl, list: Option<&str>) -> Result<Self, String> {
        let items = list.map(|list| list.split(',').map(str::trim).filter(|item| !item.is_empty()));
        let allowed = items.map(|items| items.map(Allowed::parse).collect::<Result<Vec<_>, _>>()).transpose()?;
        let url = Url::parse(own.as_str()).map_err(|error| error.to_string())?;
        let own_is_loopback = AtomicBool::new(address::is_loopback_host(&url));
        let origins = Self {
            own_is_https: url.scheme() == "https",
            own_is_loopback,
            refused_loopback: AtomicBool::new(false),
            allowed,
        };
        match origins.check(&url) {
            Err(_) if origins.allowed.is_some() => {
                let name = if address::of_url(&url).is_none() { " (a network does not match names)" } else { "" };
                Err(format!("SHAZBOT_BASE_URL, {own}, is not among them{name}"))
            }
            _ => Ok(origins),
        }
    }

    /// Parses a server's base URL and checks whether it may be listed.
    pub fn parse(&self, text: &str) -> Result<ServerUrl, &'static str> {
        let (server, url) = ServerUrl::parse_with_url(text)?;
        self.check(&url)?;
        Ok(server)
    }

    /// Checks whether a server with this URL may be listed. The error is the reason.
    pub fn check(&self, url: &Url) -> Result<(), &'static str> {
        let address = address::of_url(url);
        let is_downgrade = self.own_is_https && url.scheme() == "http";
        if let Some(allowed) = &self.allowed {
            let is_allowed = allowed.iter().any(|item| item.allows(url, address, is_downgrade));
            return if is_allowed { Ok(()) } else { Err("its origin is not among SHAZBOT_ALLOWED_ORIGINS") };
        }
        if is_downgrade {
            return Err("it is http and this server is https: the secret would be sent in clear text");
        }
        if address::is_loopback_host(url) && !self.own_is_loopback() {
            self.refused_loopback.store(true, Ordering::Relaxed);
            return Err("it is at a loopback address, which leads back to this machine, and SHAZBOT_BASE_URL is not");
        }
        Ok(())
    }

    /// Checks an address to which a listed server's name resolved. The error is the reason.
    pub fn check_address(&self, address: IpAddr) -> Result<(), &'static str> {
        let is_named =
            |item: &Allowed| matches!(item, Allowed::Addresses(net) if net.contains(&address.to_canonical()));
        if address::is_forbidden(address) {
            Err("its name resolves to an address that is link-local, multicast or a cloud's metadata service")
        } else if address::is_loopback(address)
            && !self.own_is_loopback()
            && !self.allowed.iter().flatten().any(is_named)
        {
            self.refused_loopback.store(true, Ordering::Relaxed);
            Err("its name resolves to a loopback address, and SHAZBOT_BASE_URL does not")
        } else {
            Ok(())
        }
    }

    /// Records that our own base URL resolves to this address.
    pub fn add_own_address(&self, address: IpAddr) {
        if address::is_loopback(address) {
            self.own_is_loopback.store(true, Ordering::Relaxed);
        }
    }

    /// Records that our own name did not resolve and must be looked up again.
    pub fn expect_own_address(&self) {
        self.refused_loopback.store(true, Ordering::Relaxed);
    }

    /// Whether our own name must be looked up again: it did not resolve, or a loopback address was refused since.
    pub fn take_refused_loopback(&self) -> bool {
        self.refused_loopback.swap(false, Ordering::Relaxed)
    }

    /// Whether our own base URL is known to be at a loopback address.
    pub fn own_is_loopback(&self) -> bool {
        self.own_is_loopback.load(Ordering::Relaxed)
    }
}

impl Allowed {
    // Parses an origin as in a Content-Security-Policy: `*.` before the host matches all subdomains, `:*` all ports.
    fn parse(item: &str) -> Result<Self, String> {
        if let Ok(net) = item.parse::<IpNet>() {
            return Ok(Self::Addresses(net.trunc()));
        }
        // The text before an @ may be a password.
        let shown = item.rsplit('@').next().unwrap_or_default();
        let wrong = |why| Err(format!("{shown:?} {why}"));
        let nobody = "is the address at which a server listens, not one at which it is reached";
        if let Ok(address) = item.parse::<IpAddr>() {
            return if address::is_unspecified(address) { wrong(nobody) } else { Ok(Self::Addresses(address.into())) };
        }
        if let Some(why) = mistake(item) {
            return Err(format!("{shown:?}: {why}"));
        }
        let (text, any_port) = item.strip_suffix(":*").map_or((item, false), |text| (text, true));
        let url = Url::parse(&text.replacen("://*.", "://any.", 1));
        let Ok(url) = url else {
            return wrong("is neither an origin, https://*.example.com:3000, nor a CIDR, 10.0.0.0/8");
        };
        let (true, Some(host)) = (matches!(url.scheme(), "http" | "https"), url.host_str()) else {
            return wrong("is neither http nor https");
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || has_user {
            return wrong("has more than a scheme, a host and a port");
        }
        if host.contains('*') {
            return wrong("has a star that does not stand for whole labels: write *.example.com");
        }
        if address::of_url(&url).is_some_and(address::is_unspecified) {
            return wrong(nobody);
        }
        let host = if text.contains("://*.") { host.replacen("any.", "*.", 1) } else { host.to_owned() };
        let port = if any_port { None } else { url.port_or_known_default() };
        Ok(Self::Origin { scheme: url.scheme().into(), host, port })
    }

    fn allows(&self, url: &Url, address: Option<IpAddr>, is_downgrade: bool) -> bool {
        match self {
            Self::Origin { scheme, host, port } => {
                let found = url.host_str().unwrap_or_default();
                let below = host.strip_prefix('*').is_some_and(|end| found.len() > end.len() && found.ends_with(end));
                let same_port = port.is_none() || *port == url.port_or_known_default();
                url.scheme() == scheme && (found == host || below) && same_port
            }
            // A network has no scheme, so it must not allow http if this server uses https.
            Self::Addresses(net) => !is_downgrade && address.is_some_and(|it| net.contains(&it.to_canonical())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(own: &str, list: Option<&str>) -> Origins {
        Origins::new(&ServerUrl::parse(own).expect(own), list).expect("valid")
    }

    fn check(origins: &Origins, url: &str) -> Result<(), &'static str> {
        origins.parse(url).map(drop)
    }

    #[test]
    fn without_a_list_all_are_allowed_except_loopback_metadata_and_a_downgrade_to_http() {
        let public = origins("https://a.example.com/", None);
        for good in ["https://b/", "https://10.0.0.1:3000/", "https://[fd00::1]/app/"] {
            assert_eq!(check(&public, good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("http://b/", "clear"),
            ("https://localhost/", "loopback"),
            ("https://a.localhost./", "loopback"),
            ("https://127.9.9.9/", "loopback"),
            ("https://0.0.0.0/", "loopback"),
            ("https://[::1]/", "loopback"),
            ("https://[::ffff:127.0.0.1]/", "loopback"),
            ("https://169.254.169.254/", "link-local"),
            ("https://100.100.100.200/", "cloud"),
            ("https://[fd00:ec2::254]/", "cloud"),
            ("https://[fd00:ec2::23]/", "cloud"),
            ("https://[64:ff9b::169.254.169.254]/", "cloud"),
            ("https://[2002:a9fe:a9fe::]/", "cloud"),
            ("https://[::127.0.0.1]/", "loopback"),
            ("https://[64:ff9b::127.0.0.1]/", "loopback"),
            ("https://224.0.0.1/", "cloud"),
        ] {
            assert!(check(&public, bad).is_err_and(|error| error.contains(why)), "{bad}");
        }
    }

    #[test]
    fn a_server_at_a_loopback_address_may_list_other_loopback_servers() {
        for own in ["http://localhost:3000/", "http://127.0.0.1:3000/", "http://[::1]:3000/"] {
            assert_eq!(check(&origins(own, None), "http://127.0.0.1:3001/"), Ok(()), "{own}");
        }
        // Debian resolves a machine's own name to 127.0.1.1.
        let debian = origins("http://my-machine:3000/", None);
        let address = "127.0.1.1".parse().expect("an address");
        assert!(debian.check_address(address).is_err());
        debian.add_own_address(address);
        assert_eq!((debian.check_address(address), check(&debian, "http://127.0.0.1:3001/")), (Ok(()), Ok(())));
    }

    #[test]
    fn with_a_list_only_matching_origins_are_allowed() {
        let list = "https://*.cluster.internal:3000, http://b:*,10.1.0.0/16, fd12::/16, https://c";
        let origins = origins("https://a.cluster.internal:3000/", Some(list));
        for good in [
            "https://b.cluster.internal:3000/",
            "https://x.y.cluster.internal:3000/app/",
            "http://b/",
            "http://b:8080/",
            "https://10.1.2.3:9/",
            "https://[::ffff:10.1.2.3]/",
            "https://[fd12::1]/",
            "https://c:443/",
        ] {
            assert_eq!(check(&origins, good), Ok(()), "{good}");
        }
        for bad in [
            "https://cluster.internal:3000/",
            "https://evilcluster.internal:3000/",
            "https://b.cluster.internal/",
            "http://b.cluster.internal:3000/",
            "https://b/",
            // A network has no scheme: never a downgrade from https to http.
            "http://10.1.2.3/",
            "https://10.2.0.1/",
            "https://c:8443/",
            "https://c.b/",
        ] {
            assert!(check(&origins, bad).is_err_and(|error| error.contains("SHAZBOT_ALLOWED_ORIGINS")), "{bad}");
        }
    }

    #[test]
    fn no_list_allows_metadata_addresses() {
        let origins = origins("http://a/", Some("0.0.0.0/0,http://a"));
        assert!(check(&origins, "http://169.254.169.254/").is_err_and(|error| error.contains("link-local")));
        assert!(origins.check_address("169.254.169.254".parse().expect("an address")).is_err());
        assert_eq!(origins.check_address("127.0.0.1".parse().expect("an address")), Ok(()));
    }

    #[test]
    fn an_invalid_item_is_named_in_the_error() {
        let own = ServerUrl::parse("https://a/").expect("valid");
        for (list, why) in [
            ("https://a,b", "\"b\" is neither an origin"),
            ("https://a,ftp://b", "neither http nor https"),
            ("https://a,https://b/app", "has more than"),
            ("https://a,10.0.0.0/33", "is neither"),
            ("https://a,https://*b", "has a star"),
            ("https://a,https://*:*", "has a star"),
            ("https://a,https://b.*.c", "has a star"),
            ("https://a,https://:hunter2@b", "\"b\" has more than"),
            ("https://a,https://${HOST}:3000", "it contains the placeholder ${HOST}, which"),
            ("https://a,https://b:0", "its port is 0"),
            ("https://a,http://undefined", "its host is \"undefined\""),
            ("https://a,http://0.0.0.0:3000", "is the address at which a server listens"),
            ("https://a,::", "is the address at which a server listens"),
            ("https://b", "https://a/, is not among them (a network"),
            ("", "https://a/, is not among them (a network"),
        ] {
            assert!(Origins::new(&own, Some(list)).is_err_and(|error| error.contains(why)), "{list}");
        }
    }
}
