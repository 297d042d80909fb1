//! The ICMP prober: whether a host answers an echo request ("ping"), and how fast.

mod echo;
mod socket;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use taffrail_core::metrics;

use self::echo::Echo;
use self::socket::{EchoSocket, Sending};
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::number::random_u16;
use crate::resolve::Addressing;

metrics! {
    /// Seconds each phase of the echo took: resolve, setup and rtt, the time between request and reply.
    DURATION: Gauge = "probe_icmp_duration_seconds" ["phase"];
    /// The hop limit (TTL) that the reply arrived with: it changes when the way back does.
    HOPS: Gauge = "probe_icmp_reply_hop_limit" [];
}

/// What is sent where nothing else is asked for: as long as blackbox_exporter's payload, so that packets are.
const PAYLOAD: &[u8; 28] = b"taffrail probe taffrail prob";

/// The largest payload that fits a datagram of either version.
pub const MAX_PAYLOAD: usize = 65_507 - echo::HEADER;

/// How to send the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which address is asked.
    pub addressing: Addressing,
    /// The address to ask from.
    pub source: Option<IpAddr>,
    /// Bytes of payload, at most [`MAX_PAYLOAD`]; 28 without it.
    pub payload_size: Option<usize>,
    /// Whether no router may cut the packet up.
    pub dont_fragment: bool,
    /// The TTL or hop limit; the machine's default without one.
    pub ttl: Option<u8>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            addressing: Addressing::default(),
            source: None,
            payload_size: None,
            dont_fragment: false,
            ttl: Some(64),
        }
    }
}

#[derive(Default)]
struct Measured {
    resolve: Duration,
    setup: Duration,
    rtt: Duration,
    hops: Option<u8>,
}

/// Asks the target, a host or an address.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let mut measured = Measured::default();
    let asked = ask(settings, attempt, &mut measured).await;
    for (phase, took) in [("resolve", measured.resolve), ("setup", measured.setup), ("rtt", measured.rtt)] {
        attempt.out.put(&DURATION, [phase], took.as_secs_f64());
    }
    if let Some(hops) = measured.hops {
        attempt.out.put(&HOPS, [], f64::from(hops));
    }
    asked
}

/// The host that a target names: it has no port.
pub(crate) fn host(target: &str) -> Result<&str, Failure> {
    let bare = target.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(target);
    if bare.is_empty() || (bare.contains([':', '/']) && bare.parse::<Ipv6Addr>().is_err()) {
        let wanted = "a host or an address without a port, such as router.example or 192.0.2.1";
        return Err(Failure::Target { target: target.to_owned(), wanted });
    }
    Ok(bare)
}

async fn ask(settings: &Settings, attempt: &mut Attempt<'_>, measured: &mut Measured) -> Result<(), Failure> {
    let bare = host(attempt.target)?;
    let (ip, took) = attempt.resolve(bare, settings.addressing).await;
    measured.resolve = took;
    let ip = ip?;
    attempt.allow(ip)?;
    let clock = attempt.cx.clock.clone();
    let start = clock.monotonic();
    let failed = |error: socket::EchoError| Failure::Answer(error.to_string());
    let source = settings.source.or(attempt.cx.source).filter(|source| source.is_ipv4() == ip.is_ipv4());
    let sending = Sending { source, ttl: settings.ttl, dont_fragment: settings.dont_fragment };
    let socket = EchoSocket::open(ip, sending).map_err(failed)?;
    let echo = Echo {
        v6: ip.is_ipv6(),
        id: (!socket.is_ping()).then(random_u16),
        sequence: next_sequence(),
        payload: payload(settings.payload_size),
    };
    measured.setup = clock.monotonic().saturating_sub(start);
    let kind = if socket.is_ping() { "a ping socket" } else { "a raw socket" };
    attempt.trail.say(format!("Sending an echo request to {ip} through {kind}"));
    let start = clock.monotonic();
    socket.send(&echo).map_err(failed)?;
    let reply = attempt.within(|| format!("waiting for the reply of {ip}"), socket.reply(&echo)).await?;
    measured.hops = reply.map_err(failed)?;
    measured.rtt = clock.monotonic().saturating_sub(start);
    Ok(())
}

fn payload(size: Option<usize>) -> Vec<u8> {
    let mut payload = PAYLOAD.to_vec();
    payload.resize(size.unwrap_or(PAYLOAD.len()).min(MAX_PAYLOAD), 0);
    payload
}

/// Two processes that are started together do not count alike, as the first number is random.
fn next_sequence() -> u16 {
    static NEXT: std::sync::LazyLock<AtomicU16> = std::sync::LazyLock::new(|| AtomicU16::new(random_u16()));
    NEXT.fetch_add(1, Ordering::Relaxed)
}
