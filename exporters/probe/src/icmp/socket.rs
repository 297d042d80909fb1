//! The socket an echo goes through: a ping socket where the kernel allows it, else a raw one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto};
use taffrail_core::sys;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::echo::{Echo, behind_ipv4};

/// How the packet is sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// The address to send from; the kernel's choice without one.
    pub source: Option<IpAddr>,
    /// The TTL or hop limit; the machine's default without one.
    pub ttl: Option<u8>,
    /// Whether no router may cut it up.
    pub dont_fragment: bool,
}

/// Why there is no socket, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// Neither kind of socket is allowed.
    #[error(
        "this process may not send echo requests: neither does the sysctl net.ipv4.ping_group_range hold its group \
         {group}, nor has it CAP_NET_RAW; set `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"` (in a container: \
         `sysctls:` of the service), or give it the capability NET_RAW"
    )]
    Forbidden {
        /// The process' group.
        group: u32,
    },
    /// The kernel refused something else.
    #[error("{what}: {source}")]
    Kernel {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

fn kernel(what: &'static str) -> impl Fn(Errno) -> EchoError {
    move |errno| EchoError::Kernel { what, source: errno.into() }
}

/// An ICMP socket that sends to one address, and receives from it alone.
#[derive(Debug)]
pub struct EchoSocket {
    socket: UdpSocket,
    v6: bool,
    raw: bool,
}

impl EchoSocket {
    /// Opens a socket to `target`.
    pub fn open(target: IpAddr, sending: Sending) -> Result<Self, EchoError> {
        let v6 = target.is_ipv6();
        let (family, protocol) = match v6 {
            true => (AddressFamily::INET6, ipproto::ICMPV6),
            false => (AddressFamily::INET, ipproto::ICMP),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let open = |kind| net::socket_with(family, kind, flags, Some(protocol));
        let (fd, raw) = match open(SocketType::DGRAM) {
            Ok(fd) => (fd, false),
            Err(Errno::ACCESS | Errno::PERM | Errno::PROTONOSUPPORT) => match open(SocketType::RAW) {
                Ok(fd) => (fd, true),
                Err(Errno::ACCESS | Errno::PERM) => {
                    return Err(EchoError::Forbidden { group: rustix::process::getegid().as_raw() });
                }
                Err(errno) => return Err(kernel("no socket for echo requests")(errno)),
            },
            Err(errno) => return Err(kernel("no socket for echo requests")(errno)),
        };
        configure(&fd, v6, sending)?;
        // A connected socket receives only what comes from there, and learns when there is no way there.
        net::connect(&fd, &SocketAddr::new(target, 0)).map_err(kernel("no way to the target"))?;
        // What tokio does for a UDP socket is what any socket for datagrams needs: to be waited for.
        let socket = UdpSocket::from_std(fd.into())
            .map_err(|source| EchoError::Kernel { what: "the socket cannot be waited for", source })?;
        Ok(EchoSocket { socket, v6, raw })
    }

    /// Whether it is a ping socket, on which the kernel numbers the asker.
    pub fn is_ping(&self) -> bool {
        !self.raw
    }

    /// Sends a request.
    pub fn send(&self, echo: &Echo) -> Result<(), EchoError> {
        let sent = net::send(&self.socket, &echo.request(), net::SendFlags::empty());
        sent.map(drop).map_err(|errno| match errno {
            Errno::MSGSIZE => EchoError::Kernel {
                what: "the packet is larger than the way takes, and may not be cut up",
                source: errno.into(),
            },
            errno => kernel("the request cannot be sent")(errno),
        })
    }

    /// Waits for the reply, and gives its hop limit where the kernel tells it.
    pub async fn reply(&self, echo: &Echo) -> Result<Option<u8>, EchoError> {
        let failed = |what| move |source| EchoError::Kernel { what, source };
        // An IPv4 header is in front of what raw sockets receive; what is longer is no reply.
        let mut buffer = vec![0; echo.payload.len() + 128];
        loop {
            self.socket.readable().await.map_err(failed("the socket cannot be waited for"))?;
            let receive = || sys::receive_with_hop_limit(self.socket.as_fd(), &mut buffer);
            let (len, mut hops) = match self.socket.try_io(Interest::READABLE, receive) {
                Ok(received) => received,
                // Nothing was there after all.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(failed("no reply")(error)),
            };
            let mut packet = &buffer[..len];
            if self.raw && !self.v6 {
                let Some((inner, ttl)) = behind_ipv4(packet) else { continue };
                (packet, hops) = (inner, Some(ttl));
            }
            if echo.is_answered_by(packet) {
                return Ok(hops);
            }
        }
    }
}

fn configure(fd: &OwnedFd, v6: bool, sending: Sending) -> Result<(), EchoError> {
    if let Some(source) = sending.source {
        net::bind(fd, &SocketAddr::new(source, 0)).map_err(kernel("the source address cannot be used"))?;
    }
    if let Some(ttl) = sending.ttl {
        let set = match v6 {
            true => sockopt::set_ipv6_unicast_hops(fd, Some(ttl)),
            false => sockopt::set_ip_ttl(fd, u32::from(ttl)),
        };
        set.map_err(kernel("the TTL cannot be set"))?;
    }
    if sending.dont_fragment {
        let set = match v6 {
            true => sockopt::set_ipv6_mtu_discover(fd, Ipv6PathMtuDiscovery::DO),
            false => sockopt::set_ip_mtu_discover(fd, Ipv4PathMtuDiscovery::DO),
        };
        set.map_err(kernel("fragments cannot be forbidden"))?;
    }
    // Without it the reply's hop limit is not known; the echo itself works.
    let _ = sys::want_hop_limit(fd.as_fd(), v6);
    Ok(())
}
