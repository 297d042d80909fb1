//! From a name to the address that is probed.

use std::net::IpAddr;
use std::time::Duration;

use taffrail_core::metrics;

use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::threads::Threads;

metrics! {
    /// Seconds it took to look up the target's name.
    LOOKUP: Gauge = "probe_dns_lookup_time_seconds" [];
    /// The version of the Internet Protocol that the probe used: 4 or 6, or 0 when the name has no address.
    PROTOCOL: Gauge = "probe_ip_protocol" [];
    /// A hash of the address that was probed: it changes when the address does.
    HASH: Gauge = "probe_ip_addr_hash" [];
}

/// Which version of the Internet Protocol is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// IPv4.
    V4,
    /// IPv6.
    #[default]
    V6,
}

impl Prefer {
    fn is(self, ip: IpAddr) -> bool {
        match self {
            Prefer::V4 => ip.is_ipv4(),
            Prefer::V6 => ip.is_ipv6(),
        }
    }
}

/// Which of a name's addresses is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressing {
    /// The version wanted.
    pub prefer: Prefer,
    /// Whether the other one will do.
    pub fallback: bool,
}

impl Default for Addressing {
    fn default() -> Self {
        Addressing { prefer: Prefer::V6, fallback: true }
    }
}

/// Looks names up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resolver {
    /// The system's resolver blocks a thread a lookup; however many names hang, there are no more than these.
    threads: Threads,
}

/// The most lookups at once.
const LOOKUPS: usize = 32;

impl Default for Resolver {
    fn default() -> Self {
        Resolver { threads: Threads::new(LOOKUPS) }
    }
}

impl Resolver {
    /// Every address of `host`, in the resolver's order. An address is its own.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse() {
            return Ok(vec![ip]);
        }
        let fail = |why: String| Failure::Resolve { host: host.to_owned(), why };
        let name = host.to_owned();
        let lookup = self.threads.run_any(move || {
            let found = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0));
            found.map(|all| all.map(|at| at.ip()).collect::<Vec<_>>())
        });
        match lookup.await {
            Ok(Ok(all)) if all.is_empty() => Err(fail("the name has no address".into())),
            Ok(Ok(all)) => Ok(all),
            Ok(Err(e)) => Err(fail(e.to_string())),
            Err(e) => Err(fail(e.to_string())),
        }
    }
}

impl Attempt<'_> {
    /// Every address of a name.
    pub async fn lookup(&mut self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let cx = self.cx;
        self.within(|| format!("resolving {host}"), cx.resolver.lookup(host)).await?
    }

    /// The address of the target that is probed, and how long the lookup took; writes the metrics of both.
    pub async fn resolve(
        &mut self,
        host: &str,
        addressing: Addressing,
    ) -> (Result<IpAddr, Failure>, Duration) {
        let start = self.cx.clock.monotonic();
        let found = self.lookup(host).await.and_then(|all| choose(host, &all, addressing));
        let took = self.cx.clock.monotonic().saturating_sub(start);
        let (protocol, hash) = match &found {
            Ok(ip) => {
                self.trail.say(format!("Resolved {host} to {ip}"));
                (if ip.is_ipv4() { 4.0 } else { 6.0 }, f64::from(hash(*ip)))
            }
            Err(_) => (0.0, 0.0),
        };
        self.out.put(&PROTOCOL, [], protocol);
        self.out.put(&LOOKUP, [], took.as_secs_f64());
        self.out.put(&HASH, [], hash);
        (found, took)
    }
}

fn choose(host: &str, all: &[IpAddr], addressing: Addressing) -> Result<IpAddr, Failure> {
    let Addressing { prefer, fallback } = addressing;
    let preferred = all.iter().copied().find(|ip| prefer.is(*ip));
    // Of the other version blackbox_exporter takes the last.
    let other = all.iter().copied().rfind(|_| fallback);
    preferred.or(other).ok_or_else(|| {
        let (want, key) = match prefer {
            Prefer::V4 => ("IPv4", "ip6"),
            Prefer::V6 => ("IPv6", "ip4"),
        };
        let why = format!(
            "no {want} address, and ip_protocol_fallback is off: turn it on, or set preferred_ip_protocol: {key}"
        );
        Failure::Resolve { host: host.to_owned(), why }
    })
}

/// FNV-1a of the address's bytes, 32 bits: blackbox_exporter's hash, so that a changed exporter changes no value.
fn hash(ip: IpAddr) -> u32 {
    let fnv = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().iter().fold(0x811c_9dc5, fnv),
        IpAddr::V6(ip) => ip.octets().iter().fold(0x811c_9dc5, fnv),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(all: &[&str]) -> Vec<IpAddr> {
        all.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn the_preferred_version_is_chosen_and_the_other_if_allowed() {
        let all = ips(&["10.0.0.1", "10.0.0.2", "::1", "::2"]);
        let chosen = |prefer, fallback, all: &[IpAddr]| {
            choose("x", all, Addressing { prefer, fallback }).map(|ip| ip.to_string())
        };
        assert_eq!(chosen(Prefer::V6, true, &all).unwrap(), "::1");
        assert_eq!(chosen(Prefer::V4, false, &all).unwrap(), "10.0.0.1");
        assert_eq!(chosen(Prefer::V6, true, &all[..2]).unwrap(), "10.0.0.2");
        let why = chosen(Prefer::V6, false, &all[..2]).unwrap_err().to_string();
        assert_eq!(
            why,
            "resolving x: no IPv6 address, and ip_protocol_fallback is off: turn it on, or set preferred_ip_protocol: ip4"
        );
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Go: fnv.New32a() over 127.0.0.1.
        assert_eq!(hash("127.0.0.1".parse().unwrap()), 3_668_918_509);
        assert_eq!(hash("::ffff:127.0.0.1".parse().unwrap()), 3_668_918_509);
        assert_ne!(hash("::1".parse().unwrap()), hash("::2".parse().unwrap()));
    }

    #[tokio::test]
    async fn addresses_need_no_lookup() {
        let resolver = Resolver { threads: Threads::new(0) };
        assert_eq!(resolver.lookup("[::1]").await.unwrap(), ips(&["::1"]));
        assert_eq!(resolver.lookup("127.0.0.1").await.unwrap(), ips(&["127.0.0.1"]));
    }
}
