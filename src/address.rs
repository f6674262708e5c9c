//! Classifies IP addresses: which are loopback, and which cannot belong to a server of a cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Metadata services of clouds outside the link-local range, from their documentation: Alibaba, Oracle, Azure, AWS over
/// IPv6 (EC2 and EKS pods), Google over IPv6. They hand out a machine's credentials.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether this address is link-local, multicast or a cloud's metadata service: no server runs there, and the secret must
/// never be sent there.
pub fn is_forbidden(address: IpAddr) -> bool {
    let address = without_ipv6_wrapping(address);
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    is_link_local || address.is_multicast() || METADATA.contains(&address)
}

/// Whether this address leads back to this machine. The unspecified address, 0.0.0.0, does so too.
pub fn is_loopback(address: IpAddr) -> bool {
    let address = without_ipv6_wrapping(address);
    address.is_loopback() || address.is_unspecified()
}

/// Whether the host of this URL is a loopback address, or `localhost` or a name below it.
pub fn is_loopback_host(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_end_matches('.');
    of_url(url).map_or(name == "localhost" || name.ends_with(".localhost"), is_loopback)
}

/// The IP address in a URL, or None if its host is a name.
pub fn of_url(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

// IPv6 carries IPv4 addresses in four forms: mapped, compatible, NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn without_ipv6_wrapping(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            v4(high, low)
        }
        _ => address,
    }
}
