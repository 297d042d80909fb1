//! Sockets that stay open while their source is restarted by a reload: what is sent meanwhile waits in the kernel.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Mutex;

use anyhow::Context as _;
use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::status::lock;

/// How much the kernel is asked to hold of what comes by UDP; how much it does is its own to bound (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 4 << 20;

/// The sockets of all doors, by address.
#[derive(Debug, Default)]
pub struct Sockets {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    tcp: HashMap<SocketAddr, TcpListener>,
    udp: HashMap<SocketAddr, UdpSocket>,
}

impl Sockets {
    /// A socket that listens, opened now or before.
    ///
    /// # Errors
    /// With the address, and what would help.
    pub fn tcp(&self, address: SocketAddr) -> anyhow::Result<TcpListener> {
        let mut held = lock(&self.held);
        if let Some(known) = held.tcp.get(&address) {
            return Ok(known.try_clone()?);
        }
        let socket = TcpListener::bind(address)
            .with_context(|| format!("TCP {address}"))
            .map_err(|error| explain(&error))?;
        socket.set_nonblocking(true)?;
        let ours = socket.try_clone()?;
        held.tcp.insert(address, socket);
        Ok(ours)
    }

    /// A socket for datagrams, opened now or before.
    ///
    /// # Errors
    /// With the address, and what would help.
    pub fn udp(&self, address: SocketAddr) -> anyhow::Result<UdpSocket> {
        let mut held = lock(&self.held);
        if let Some(known) = held.udp.get(&address) {
            return Ok(known.try_clone()?);
        }
        let socket = UdpSocket::bind(address)
            .with_context(|| format!("UDP {address}"))
            .map_err(|error| explain(&error))?;
        socket.set_nonblocking(true)?;
        // Less will do too.
        let _ = set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        let ours = socket.try_clone()?;
        held.udp.insert(address, socket);
        Ok(ours)
    }

    /// Closes those that are wanted no longer; `wanted` are protocols with addresses.
    pub fn keep(&self, wanted: impl Iterator<Item = (&'static str, SocketAddr)>) {
        let wanted: Vec<_> = wanted.collect();
        let mut held = lock(&self.held);
        held.tcp.retain(|address, _| wanted.contains(&("TCP", *address)));
        held.udp.retain(|address, _| wanted.contains(&("UDP", *address)));
    }
}

/// Says what would help.
fn explain(error: &anyhow::Error) -> anyhow::Error {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::AddrInUse) => {
            anyhow::anyhow!("{error} is taken by another program; end it, or listen elsewhere")
        }
        Some(io::ErrorKind::PermissionDenied) => anyhow::anyhow!(
            "{error} may not be listened on: ports below 1024 take the right to (CAP_NET_BIND_SERVICE); take a higher one"
        ),
        Some(io::ErrorKind::AddrNotAvailable) => {
            anyhow::anyhow!("{error} is no address of this machine; 0.0.0.0 or [::] is all that it has")
        }
        _ => anyhow::anyhow!("{error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_outlives_its_source_until_it_is_not_wanted() {
        let sockets = Sockets::default();
        let any = "127.0.0.1:0".parse().unwrap();
        let first = sockets.tcp(any).unwrap();
        let bound = first.local_addr().unwrap();
        drop(first);
        std::net::TcpStream::connect(bound).unwrap();
        assert_eq!(sockets.tcp(any).unwrap().local_addr().unwrap(), bound, "the same one");
        sockets.keep(std::iter::empty());
        assert!(std::net::TcpStream::connect(bound).is_err());
        let udp = sockets.udp(any).unwrap().local_addr().unwrap();
        let error = sockets.udp(udp).unwrap_err().to_string();
        assert!(error.starts_with(&format!("UDP {udp} is taken by another program")), "{error}");
        let error = sockets.tcp("192.0.2.1:1".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("no address of this machine"), "{error}");
    }
}
