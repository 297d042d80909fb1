//! Which addresses `/probe` asks: those of the networks that the config lists, and never those where a machine's own
//! network, or its cloud, hands out what strangers must not have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Network;

/// Where clouds serve credentials, beside link-local addresses: (address, whose).
const METADATA: [(&str, &str); 6] = [
    ("fd00:ec2::254", "Amazon's"),
    ("fd00:ec2::23", "Amazon's"),
    ("fd20:ce::254", "Google's"),
    ("100.100.100.200", "Alibaba's"),
    ("192.0.0.192", "Oracle's"),
    ("168.63.129.16", "Azure's"),
];

/// Says why `address` is not probed for a stranger.
pub(super) fn check(networks: &[Network], address: IpAddr) -> Result<(), String> {
    // Whoever reaches an IPv4 address by way of IPv6 reaches the same machine.
    for address in [Some(address.to_canonical()), embedded(address)].into_iter().flatten() {
        if let Some(what) = never(address) {
            return Err(format!("{what}, which /probe never asks"));
        }
    }
    if networks.iter().any(|network| network.contains(address)) {
        return Ok(());
    }
    Err("it is in none of the networks that `probe: {networks: […]}` lists".to_owned())
}

fn never(address: IpAddr) -> Option<String> {
    if let Some((_, whose)) = METADATA.iter().find(|(known, _)| known.parse() == Ok(address)) {
        return Some(format!("it is {whose} metadata service"));
    }
    let what = match address {
        IpAddr::V4(v4) if v4.is_link_local() => "a link-local address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "a link-local address",
        address if address.is_unspecified() => "the unspecified address",
        address if address.is_multicast() => "a group, not one address",
        IpAddr::V4(Ipv4Addr::BROADCAST) => "everybody's address",
        _ => return None,
    };
    Some(format!("it is {what}"))
}

/// The IPv4 address that an IPv6 address leads to: by NAT64 (RFC 6052), by 6to4 (RFC 3056), or the old notation.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let octets = v6.octets();
    let at = match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => 12,
        [0, 0, 0, 0, 0, 0, ..] if v6 != Ipv6Addr::LOCALHOST && v6 != Ipv6Addr::UNSPECIFIED => 12,
        [0x2002, ..] => 2,
        _ => return None,
    };
    let octets: [u8; 4] = octets[at..at + 4].try_into().ok()?;
    Some(IpAddr::V4(octets.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(networks: &[&str], address: &str) -> Option<String> {
        let networks: Vec<Network> = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        check(&networks, address.parse().unwrap()).err()
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_whatever_is_listed() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            // The same by other ways.
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
        ] {
            let why = refused(&["0.0.0.0/0", "::/0"], address);
            assert!(why.as_deref().is_some_and(|why| why.contains("never asks")), "{address}: {why:?}");
        }
    }

    #[test]
    fn only_listed_networks_are_asked() {
        let networks = ["10.0.0.0/8", "::1"];
        assert_eq!(refused(&networks, "10.1.2.3"), None);
        assert_eq!(refused(&networks, "::ffff:10.1.2.3"), None);
        assert_eq!(refused(&networks, "::1"), None);
        assert!(refused(&networks, "127.0.0.1").unwrap().contains("none of the networks"));
        assert!(refused(&networks, "192.0.2.1").is_some());
        assert!(refused(&[], "192.0.2.1").is_some());
    }
}
