//! Targets that are a host, with a port or without.

use std::net::Ipv6Addr;

use crate::failure::Failure;

/// The host and the port of `host`, `host:port`, `[address]:port` or a bare IPv6 address.
pub fn host_and_port(target: &str, default: u16) -> Result<(&str, u16), Failure> {
    let wrong = || Failure::Target {
        target: target.to_owned(),
        wanted: "a host, with a port or without, such as dns.example or [::1]:53",
    };
    if target.parse::<Ipv6Addr>().is_ok() {
        return Ok((target, default));
    }
    let (host, port) = match target.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (target, default),
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if host.is_empty() || (bare.is_none() && host.contains([':', '[', ']', '/', '@'])) {
        return Err(wrong());
    }
    Ok((bare.unwrap_or(host), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_optional() {
        for (target, wanted) in [
            ("a", ("a", 53)),
            ("a:1", ("a", 1)),
            ("::1", ("::1", 53)),
            ("[::1]", ("::1", 53)),
            ("[::1]:5", ("::1", 5)),
            ("127.0.0.1", ("127.0.0.1", 53)),
        ] {
            assert_eq!(host_and_port(target, 53).unwrap(), wanted);
        }
        for wrong in ["", "a:", "a:b", ":53", "a:b:1", "http://a", "a:70000", "[::1"] {
            assert!(host_and_port(wrong, 53).is_err(), "{wrong}");
        }
    }
}
