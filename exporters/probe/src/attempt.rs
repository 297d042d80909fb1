//! One probe under way: its target, its time, its trail, and where its samples go.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use taffrail_core::Out;
use tokio::net::{TcpSocket, TcpStream};

use crate::context::Context;
use crate::failure::Failure;
use crate::trail::Trail;

/// One probe under way.
pub struct Attempt<'a> {
    /// As given by whoever asked.
    pub target: &'a str,
    /// What probes share.
    pub cx: &'a Context,
    /// Where samples go.
    pub out: &'a mut Out,
    /// What happened.
    pub trail: Trail,
    limit: Duration,
    until: Duration,
}

impl<'a> Attempt<'a> {
    /// Begins now, and may take `limit`.
    pub fn new(target: &'a str, cx: &'a Context, out: &'a mut Out, limit: Duration) -> Self {
        let until = cx.clock.monotonic() + limit;
        Attempt { target, cx, out, trail: Trail::new(&cx.clock), limit, until }
    }

    /// The time left.
    pub fn left(&self) -> Duration {
        self.until.saturating_sub(self.cx.clock.monotonic())
    }

    /// Waits for `work`, but not longer than there is time. `doing` says what it is, for the failure: "resolving x".
    pub async fn within<T>(
        &self,
        doing: impl FnOnce() -> String,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.left(), work).await {
            Ok(done) => Ok(done),
            Err(_) => Err(Failure::Timeout { doing: doing(), limit: self.limit }),
        }
    }

    /// Fails when the address must not be probed.
    pub fn allow(&self, ip: IpAddr) -> Result<(), Failure> {
        match &self.cx.guard {
            Some(guard) => guard(ip.to_canonical()).map_err(|why| Failure::Forbidden { ip, why }),
            None => Ok(()),
        }
    }

    /// Connects to an address, if it may be probed, from `source` or else from the context's.
    pub async fn connect(&mut self, to: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, Failure> {
        self.allow(to.ip())?;
        self.open(to, source).await
    }

    /// Connects without asking the guard: to what the operator chose, such as a proxy.
    pub(crate) async fn open(
        &mut self,
        to: SocketAddr,
        source: Option<IpAddr>,
    ) -> Result<TcpStream, Failure> {
        let source = source.or(self.cx.source).filter(|ip| ip.is_ipv4() == to.is_ipv4());
        let connecting = async {
            let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            if let Some(ip) = source {
                socket.bind(SocketAddr::new(ip, 0))?;
            }
            let stream = socket.connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = self.within(|| format!("connecting to {to}"), connecting).await?;
        let stream = stream.map_err(|why| Failure::Connect { to, why })?;
        self.trail.say(format!("Connected to {to}"));
        Ok(stream)
    }
}
