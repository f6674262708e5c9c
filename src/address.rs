//! Classifies IP addresses: loopback addresses, and addresses that cannot belong to a server of a cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use url::{Host, Url};

/// IPv4 addresses of cloud metadata services, which hand out a machine's credentials. The link-local ones are listed
/// because an IPv6 address that contains one of them is refused, whatever its prefix.
const METADATA_V4: [Ipv4Addr; 10] = [
    // AWS, Google, Azure, OpenStack, … (docs.aws.amazon.com, "Retrieve instance metadata").
    Ipv4Addr::new(169, 254, 169, 254),
    // AWS ECS tasks and EKS Pod Identity (docs.aws.amazon.com, "Task IAM role", "EKS Pod Identity agent").
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Scaleway (docs.cloud-init.io, datasource Scaleway).
    Ipv4Addr::new(169, 254, 42, 42),
    // Tencent Cloud (metadata.tencentyun.com).
    Ipv4Addr::new(169, 254, 0, 23),
    // Alibaba Cloud (alibabacloud.com/help, "Overview of ECS instance metadata").
    Ipv4Addr::new(100, 100, 100, 200),
    // Volcano Engine (github.com/volcengine/cello, credential server).
    Ipv4Addr::new(100, 96, 0, 96),
    // UCloud (docs.ucloud.cn/uhost/guide/metadata/metadata-server).
    Ipv4Addr::new(100, 80, 80, 80),
    // Oracle Cloud at Customer (docs.oracle.com, "Retrieve Predefined Instance Metadata").
    Ipv4Addr::new(192, 0, 0, 192),
    // Azure's platform service (learn.microsoft.com, "What is IP address 168.63.129.16?").
    Ipv4Addr::new(168, 63, 129, 16),
];

/// IPv6 addresses of cloud metadata services.
const METADATA_V6: [Ipv6Net; 6] = [
    // AWS: ::254 is EC2's, ::23 EKS Pod Identity's; Amazon reserves the network (docs.aws.amazon.com).
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32),
    // Google (cloud.google.com/compute/docs/metadata, machines with IPv6 only).
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    // Oracle (github.com/oracle/oci-python-sdk, instance principals).
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128),
    // Scaleway (docs.cloud-init.io, datasource Scaleway).
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128),
    // Akamai (docs.cloud-init.io, datasource Akamai).
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1), 128),
    // Alibaba Cloud (github.com/canonical/cloud-init, datasource AliYun).
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200), 128),
];

/// Whether this address is link-local, multicast or a metadata service. No server runs there, and the secret must never
/// be sent there. Also checks the IPv4 address in an IPv6 address.
pub fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => {
            address.is_unicast_link_local()
                || address.is_multicast()
                || METADATA_V6.iter().any(|net| net.contains(&address))
                || translated(address).into_iter().flatten().any(is_forbidden_v4)
                || is_local_nat64(address) && rfc6052(address).iter().any(Ipv4Addr::is_link_local)
                || contains_metadata_v4(address)
        }
    }
}

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    address.is_link_local() || address.is_multicast() || METADATA_V4.contains(&address)
}

/// Whether this address leads to this machine, as 0.0.0.0 also does.
pub fn is_loopback(address: IpAddr) -> bool {
    let is_loopback_v4 = |it: Ipv4Addr| it.is_loopback() || it.is_unspecified();
    match address {
        IpAddr::V4(address) => is_loopback_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || translated(address).into_iter().flatten().any(is_loopback_v4)
        }
    }
}

/// Whether this is 0.0.0.0 or `::`, where a server can listen but not be reached.
pub fn is_unspecified(address: IpAddr) -> bool {
    address.to_canonical().is_unspecified()
}

/// Whether the host of this URL is a loopback address, `localhost` or a subdomain of it.
pub fn is_loopback_host(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_end_matches('.');
    of_url(url).map_or(name == "localhost" || name.ends_with(".localhost"), is_loopback)
}

/// The IP address in a URL. None if the host is a name.
pub fn of_url(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

// The IPv4 addresses in an IPv6 address with a well-known prefix. Teredo contains two: its server and its client.
fn translated(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let one = |high: u16, low: u16| [Some(v4(high, low)), None];
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
        // Compatible and mapped (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052), NAT64 for local use (RFC 8215).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, 0, 0, high, low]
        // 6to4 (RFC 3056), ISATAP (RFC 5214).
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x100 | 0x200 | 0x300, 0x5efe, high, low] => one(high, low),
        // Teredo (RFC 4380) inverts the bits of the client's address.
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            [Some(v4(server_high, server_low)), Some(v4(!high, !low))]
        }
        _ => [None, None],
    }
}

fn is_local_nat64(address: Ipv6Addr) -> bool {
    address.segments()[..3] == [0x64, 0xff9b, 1]
}

// The IPv4 addresses at the four positions of a NAT64 address (prefixes of 48, 56, 64 and 96 bits), skipping octet 8.
fn rfc6052(address: Ipv6Addr) -> [Ipv4Addr; 4] {
    let octets = address.octets();
    [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]]
        .map(|places| Ipv4Addr::from(places.map(|place: usize| octets[place])))
}

// Networks may have their own NAT64 or 6rd prefix, with the IPv4 address at any position. A server's address matches by
// chance once in ten million.
fn contains_metadata_v4(address: Ipv6Addr) -> bool {
    let octets = address.octets();
    let without_octet_8: Vec<u8> = octets.iter().enumerate().filter(|(at, _)| *at != 8).map(|(_, it)| *it).collect();
    let is_metadata = |window: &[u8]| METADATA_V4.iter().any(|it| it.octets() == window);
    octets.windows(4).any(is_metadata) || without_octet_8.windows(4).any(is_metadata)
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn link_local_multicast_and_metadata_addresses_are_forbidden_in_every_form() {
        for text in [
            "169.254.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "100.100.100.200",
            "100.96.0.96",
            "100.80.80.80",
            "192.0.0.192",
            "168.63.129.16",
            "fe80::a9fe:a9fe",
            "ff02::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "fd00:100::100:200",
            // Mapped, compatible, translated.
            "::ffff:169.254.1.1",
            "::ffff:100.100.100.200",
            "::169.254.169.254",
            "::ffff:0:a9fe:a9fe",
            "::ffff:0:169.254.1.1",
            "::ffff:0:224.0.0.1",
            // NAT64, well-known and for local use with each length of a prefix.
            "64:ff9b::a9fe:101",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:7::a9fe:101",
            "64:ff9b:1::100.100.100.200",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9fe:1:200::",
            "64:ff9b:1:a9:fe:102::",
            "64:ff9b:1:0:a9:fe01:200::",
            // 6to4, Teredo (its server, its client), ISATAP.
            "2002:a9fe:a9fe::",
            "2002:a9fe:101:1::5",
            "2001:0:a9fe:a9fe::",
            "2001::5601:5601",
            "2001:0:102:304:0:0:5601:fefe",
            "2001:db8::5efe:169.254.1.1",
            "fd12::200:5efe:a9fe:a9fe",
            // Prefixes of a network's own.
            "2001:db8::a9fe:a9fe",
            "2001:db8:1::100.100.100.200",
            "2001:db8:a9fe:a9fe::1",
            "2001:db8:1:a9fe:a9:fe00::",
            "2001:db8:1a9:fea9:fe::",
            "2001:db8:1:0:a9:fea9:fe00::",
        ] {
            assert!(is_forbidden(address(text)), "{text}");
        }
    }

    #[test]
    fn addresses_that_a_server_may_have_are_not_forbidden() {
        for text in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.169.254",
            "100.100.100.201",
            "169.253.169.254",
            "8.8.8.8",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::808:808",
            "64:ff9b:1::10.0.0.225",
            "64:ff9b:1:0:a:0:e100::",
            "64:ff9b:1:e012::10.0.0.1",
            "2001::f5ff:fffe",
            "2001:db8::5efe:10.0.0.1",
            "2002:a00:1::1",
            "fd00::1",
            "fd00:42::43",
            "fd00:42::1",
            "fd00:c1::1",
            "fd20:ce::255",
            "2a05:d014::a9fe:1",
        ] {
            assert!(!is_forbidden(address(text)), "{text}");
        }
    }

    #[test]
    fn loopback_addresses_are_found_in_every_form() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::127.0.0.1",
            "2002:7f00:1::",
            "2001:0:102:304::80ff:fffe",
            "2001:db8::5efe:127.0.0.1",
        ] {
            assert!(is_loopback(address(text)), "{text}");
        }
        for text in ["128.0.0.1", "10.0.0.1", "fd00::1", "64:ff9b:1::10.0.0.1", "2002:a00:1::"] {
            assert!(!is_loopback(address(text)), "{text}");
        }
    }
}
