//! Which addresses a request may go to: public ones, and those of the networks that its grant names.
//!
//! IPv4 is public unless it is listed here; IPv6 is public only in `2000::/3`, where addresses of the internet are, without
//! what is listed here. Lists follow the IANA registries of special-purpose addresses, with their exceptions left out:
//! nobody needs an anycast address of a protocol under `192.0.0.0/24`, and attackers do.
//!
//! An IPv6 address that carries an IPv4 address leads to that one, so that one is checked: mapped addresses
//! (`::ffff:0:0/96`), and `64:ff9b::/96`, which networks without IPv4 use for every IPv4 server. The other carriers are
//! refused as they are: `64:ff9b:1::/48` is for networks of one's own, 6to4 and Teredo are given up, and
//! IPv4-compatible addresses were never in use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 networks that are not public.
const NOT_PUBLIC_V4: [Ipv4Net; 17] = [
    v4(0, 0, 0, 0, 8),          // "this network"; Linux takes 0.0.0.0 for loopback
    v4(10, 0, 0, 0, 8),         // private
    v4(100, 64, 0, 0, 10),      // behind a carrier's NAT; some clouds' metadata
    v4(127, 0, 0, 0, 8),        // loopback
    v4(168, 63, 129, 16, 32),   // a cloud's host agent, on every one of its machines
    v4(169, 254, 0, 0, 16),     // link-local; most clouds' metadata
    v4(172, 16, 0, 0, 12),      // private
    v4(192, 0, 0, 0, 24),       // protocol assignments; a cloud's metadata
    v4(192, 0, 2, 0, 24),       // documentation
    v4(192, 88, 99, 0, 24),     // 6to4 relays
    v4(192, 168, 0, 0, 16),     // private
    v4(198, 18, 0, 0, 15),      // benchmarks
    v4(198, 51, 100, 0, 24),    // documentation
    v4(203, 0, 113, 0, 24),     // documentation
    v4(224, 0, 0, 0, 4),        // multicast
    v4(240, 0, 0, 0, 4),        // reserved
    v4(255, 255, 255, 255, 32), // broadcast
];

/// Where public IPv6 addresses are.
const UNICAST_V6: Ipv6Net = v6(0x2000, 0, 3);

/// IPv6 networks in there that are not public.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4
    v6(0x3fff, 0, 20),     // documentation
];

/// IPv4 servers as networks without IPv4 reach them; the last 32 bits are the IPv4 address.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 96);

/// Whether a connection to this address may be opened, by a grant that names these networks beyond the public ones.
pub(super) fn may_connect(address: IpAddr, networks: &[IpNet]) -> bool {
    let leads_to = leads_to(address);
    is_public(leads_to) || networks.iter().any(|network| network.contains(&leads_to))
}

/// The address that packets to this one arrive at.
fn leads_to(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(carrier) if NAT64.contains(&carrier) => {
            let [.., a, b, c, d] = carrier.octets();
            IpAddr::from([a, b, c, d])
        }
        address => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            UNICAST_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn public_addresses_may_be_connected_to() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::200e",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "::ffff:1.1.1.1",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(may_connect(address(text), &[]), "{text}");
        }
    }

    #[test]
    fn everything_else_may_not() {
        for text in [
            // Loopback, unspecified, broadcast, multicast.
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "ff0e::1",
            // Private, link-local, shared, and what clouds put there.
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fc00::1",
            "fd00:ec2::254",
            "fdff:ffff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            // Documentation, benchmarks, reserved.
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "240.0.0.1",
            "2001:db8::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "3fff::1",
            "100::1",
            "5f00::1",
            "4000::1",
            "1000::1",
            // IPv4 addresses inside IPv6 ones.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:7f00:1",
            "::127.0.0.1",
            "::10.0.0.1",
            "::8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::0.0.0.0",
            "64:ff9b:1::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:0:1::8.8.8.8",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:808:808::1",
            "192.88.99.1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001::1",
        ] {
            assert!(!may_connect(address(text), &[]), "{text}");
        }
    }

    #[test]
    fn networks_that_are_granted_may_be_connected_to_and_no_others() {
        let networks: Vec<IpNet> = ["10.1.0.0/16", "::1/128", "fd00::/8"].map(|text| text.parse().unwrap()).into();
        for (text, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("64:ff9b::10.1.2.3", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("::1", true),
            ("::2", false),
            ("fd12::1", true),
            ("fc00::1", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(may_connect(address(text), &networks), expected, "{text}");
        }
    }

    #[test]
    fn every_ipv6_network_does_not_include_ipv4_in_disguise() {
        let all = ["::/0".parse().unwrap()];
        for text in ["::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "127.0.0.1"] {
            assert!(!may_connect(address(text), &all), "{text}");
        }
        assert!(may_connect(address("::1"), &all));
    }
}
