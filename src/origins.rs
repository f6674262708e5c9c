//! Which servers may be listed, and so be sent the secret: the check at the validator, of every URL that a peer or a list names,
//! and of every address that a name leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use url::{Host, Url};

use crate::message::ServerUrl;

/// Where clouds answer requests for a machine's credentials, besides the link-local addresses: Alibaba, Oracle, Azure, AWS
/// over IPv6 (of a machine, and of a pod of EKS), Google over IPv6, by their documentation of instance metadata.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// The rule of one server.
#[derive(Debug)]
pub struct Origins {
    own_is_https: bool,
    // Where our own base URL is a name, this is known once that is looked up.
    own_is_loopback: AtomicBool,
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
    /// The rule for the server with this base URL. `list` is `SHAZBOT_ALLOWED_ORIGINS`; the error says which item of it is
    /// wrong.
    pub fn new(own: &ServerUrl, list: Option<&str>) -> Result<Self, String> {
        let items = list.map(|list| list.split(',').map(str::trim).filter(|item| !item.is_empty()));
        let allowed = items.map(|items| items.map(Allowed::parse).collect::<Result<Vec<_>, _>>()).transpose()?;
        // What a ServerUrl holds is a URL.
        let url = Url::parse(own.as_str()).map_err(|error| error.to_string())?;
        let own_is_loopback = AtomicBool::new(is_loopback_host(&url));
        let origins = Self { own_is_https: url.scheme() == "https", own_is_loopback, allowed };
        match origins.check(&url) {
            Err(_) if origins.allowed.is_some() => {
                let name = if address(&url).is_none() { " (a network does not stand for names)" } else { "" };
                Err(format!("SHAZBOT_BASE_URL, {own}, is not among them{name}"))
            }
            _ => Ok(origins),
        }
    }

    /// Whether a server with this URL may be listed; the error says why not.
    pub fn check(&self, url: &Url) -> Result<(), &'static str> {
        let address = address(url);
        let is_downgrade = self.own_is_https && url.scheme() == "http";
        if let Some(allowed) = &self.allowed {
            let is_allowed = allowed.iter().any(|item| item.allows(url, address, is_downgrade));
            return if is_allowed { Ok(()) } else { Err("its origin is not among SHAZBOT_ALLOWED_ORIGINS") };
        }
        if is_downgrade {
            return Err("it is http where this server is https, and would be sent the secret in clear");
        }
        if is_loopback_host(url) && !self.own_is_loopback() {
            return Err("it is at a loopback address, which leads back to this machine, and SHAZBOT_BASE_URL is not");
        }
        Ok(())
    }

    /// Whether to connect to this address, which the name of a server that is listed leads to; the error says why not.
    pub fn check_address(&self, address: IpAddr) -> Result<(), &'static str> {
        let is_named =
            |item: &Allowed| matches!(item, Allowed::Addresses(net) if net.contains(&address.to_canonical()));
        if is_never_a_server(address) {
            Err("its name leads to an address that is link-local or one of a cloud's own")
        } else if is_loopback(address) && !self.own_is_loopback() && !self.allowed.iter().flatten().any(is_named) {
            Err("its name leads to a loopback address, and SHAZBOT_BASE_URL does not")
        } else {
            Ok(())
        }
    }

    /// Notes that our own base URL leads to this address.
    pub fn own_address(&self, address: IpAddr) {
        if is_loopback(address) {
            self.own_is_loopback.store(true, Ordering::Relaxed);
        }
    }

    fn own_is_loopback(&self) -> bool {
        self.own_is_loopback.load(Ordering::Relaxed)
    }
}

impl Allowed {
    // An origin as browsers write the sources of a page's content: `*.` before the host for all names below it, `:*` for
    // all ports.
    fn parse(item: &str) -> Result<Self, String> {
        if let Ok(net) = item.parse::<IpNet>() {
            return Ok(Self::Addresses(net.trunc()));
        }
        if let Ok(address) = item.parse::<IpAddr>() {
            return Ok(Self::Addresses(address.into()));
        }
        // What stands before an @ may be a password.
        let shown = item.rsplit('@').next().unwrap_or_default();
        let wrong = |why| Err(format!("{shown:?} {why}"));
        let (text, any_port) = item.strip_suffix(":*").map_or((item, false), |text| (text, true));
        // A name that stands for any.
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
            return wrong("has a star that does not stand for whole names: *.example.com");
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
            // It names no scheme.
            Self::Addresses(net) => !is_downgrade && address.is_some_and(|it| net.contains(&it.to_canonical())),
        }
    }
}

/// Whether no server of a cluster can be there, and something that should not be sent a secret is.
pub fn is_never_a_server(address: IpAddr) -> bool {
    let address = plain(address);
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    is_link_local || address.is_multicast() || METADATA.contains(&address)
}

// An address of IPv4 in one of the forms in which IPv6 carries it: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let four = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            four(high, low)
        }
        _ => address,
    }
}

/// The address that a URL names, where it names no name.
pub fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

// 0.0.0.0 leads to this machine too.
fn is_loopback(address: IpAddr) -> bool {
    let address = plain(address);
    address.is_loopback() || address.is_unspecified()
}

fn is_loopback_host(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_end_matches('.');
    address(url).map_or(name == "localhost" || name.ends_with(".localhost"), is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(own: &str, list: Option<&str>) -> Origins {
        Origins::new(&ServerUrl::parse(own).expect(own), list).expect("valid")
    }

    fn check(origins: &Origins, url: &str) -> Result<(), &'static str> {
        ServerUrl::parse_allowed(url, origins).map(drop)
    }

    #[test]
    fn without_a_list_everything_is_allowed_but_what_leads_inside_or_to_clear_text() {
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
    fn a_server_at_a_loopback_address_meets_others_there() {
        for own in ["http://localhost:3000/", "http://127.0.0.1:3000/", "http://[::1]:3000/"] {
            assert_eq!(check(&origins(own, None), "http://127.0.0.1:3001/"), Ok(()), "{own}");
        }
        // Debian gives a machine's own name the address 127.0.1.1.
        let debian = origins("http://my-machine:3000/", None);
        let address = "127.0.1.1".parse().expect("an address");
        assert!(debian.check_address(address).is_err());
        debian.own_address(address);
        assert_eq!((debian.check_address(address), check(&debian, "http://127.0.0.1:3001/")), (Ok(()), Ok(())));
    }

    #[test]
    fn with_a_list_only_what_is_in_it_is_allowed() {
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
            // A network has no scheme: never from https to http.
            "http://10.1.2.3/",
            "https://10.2.0.1/",
            "https://c:8443/",
            "https://c.b/",
        ] {
            assert!(check(&origins, bad).is_err_and(|error| error.contains("SHAZBOT_ALLOWED_ORIGINS")), "{bad}");
        }
    }

    #[test]
    fn no_list_lets_a_cloud_s_own_addresses_through() {
        let origins = origins("http://a/", Some("0.0.0.0/0,http://a"));
        assert!(check(&origins, "http://169.254.169.254/").is_err_and(|error| error.contains("link-local")));
        assert!(origins.check_address("169.254.169.254".parse().expect("an address")).is_err());
        assert_eq!(origins.check_address("127.0.0.1".parse().expect("an address")), Ok(()));
    }

    #[test]
    fn an_item_that_cannot_be_read_is_named() {
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
            ("https://b", "https://a/, is not among them (a network"),
            ("", "https://a/, is not among them (a network"),
        ] {
            assert!(Origins::new(&own, Some(list)).is_err_and(|error| error.contains(why)), "{list}");
        }
    }
}
