//! Syslog as a source: RFC 5424 and RFC 3164, by UDP, TCP and TLS.
//!
//! Syslog knows no answers: what was sent is out of the sender's hands. So everything here takes what comes as fast as it can,
//! and counts what it cannot. By TCP a sender is made to wait instead.

mod entries;
mod queue;
mod tcp;
mod udp;

use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::entries::Assembler;
use self::tcp::Connections;
use super::door::{self, Books, Door, ServerTrust};
use super::{Context, Running};
use crate::config::Syslog;

/// How long connections may take to end when the source stops.
const TO_END: Duration = Duration::from_secs(1);

/// All sockets of the source.
struct Sockets {
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
    tls: Option<(TcpListener, Arc<ServerTrust>)>,
}

/// Opens the door. Waits for the disk, where certificates are.
///
/// # Errors
/// When an address cannot be listened on, or certificates cannot be used.
pub fn start(
    name: &str,
    labels: &BTreeMap<String, String>,
    config: &Syslog,
    context: Context,
) -> anyhow::Result<Running> {
    let mut tls = None;
    if let Some((address, settings)) = &config.tls {
        let trust = ServerTrust::new(settings, &context.clock).map_err(anyhow::Error::msg)?;
        tls = Some((context.sockets.tcp(*address)?, Arc::new(trust)));
    }
    let sockets = Sockets {
        udp: config.udp.map(|address| context.sockets.udp(address)).transpose()?,
        tcp: config.tcp.map(|address| context.sockets.tcp(address)).transpose()?,
        tls,
    };
    let own_service = labels.contains_key("service_name");
    let door = Door::new(name, labels, context);
    let books = door.books.clone();
    info!(source = name, "takes syslog");
    let config = config.clone();
    door::start(name, books, move |stop| {
        serve(sockets.again(), config.clone(), door.clone(), own_service, stop)
    })
}

impl Sockets {
    /// The same sockets, to be used by another run.
    fn again(&self) -> std::io::Result<Sockets> {
        let tls = self
            .tls
            .as_ref()
            .map(|(socket, trust)| Ok::<_, std::io::Error>((socket.try_clone()?, trust.clone())));
        Ok(Sockets {
            udp: self.udp.as_ref().map(UdpSocket::try_clone).transpose()?,
            tcp: self.tcp.as_ref().map(TcpListener::try_clone).transpose()?,
            tls: tls.transpose()?,
        })
    }
}

async fn serve(
    sockets: std::io::Result<Sockets>,
    config: Syslog,
    door: Door,
    own_service: bool,
    stop: CancellationToken,
) {
    let (queue, waiting) = queue::queue();
    let connections = Arc::new(Connections::new(&config, queue.clone(), door.books.clone()));
    let mut doors = JoinSet::new();
    if let Err(error) =
        sockets.and_then(|sockets| open(sockets, queue, &connections, &door.books, &stop, &mut doors))
    {
        door.books.failed(format!("a socket cannot be used: {error}"));
        return stop.cancelled().await;
    }
    drop(connections);
    let assembler = Assembler::new(door, config.zone, config.max_message, own_service);
    let ending = async {
        stop.cancelled().await;
        // What hangs is left: its lines are with the sender still, or lost as by a reset.
        let _ = tokio::time::timeout(TO_END, async { while doors.join_next().await.is_some() {} }).await;
        doors.abort_all();
        while doors.join_next().await.is_some() {}
    };
    // The assembler ends when all ends of the queue are gone, and it is empty.
    tokio::join!(ending, assembler.run(waiting));
}

fn open(
    sockets: Sockets,
    queue: queue::Queue,
    connections: &Arc<Connections>,
    books: &Books,
    stop: &CancellationToken,
    doors: &mut JoinSet<()>,
) -> std::io::Result<()> {
    if let Some(socket) = sockets.udp {
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        doors.spawn(udp::receive(socket, queue, books.clone(), stop.clone()));
    }
    let tcp = sockets.tcp.map(|listener| (listener, None));
    let tls = sockets.tls.map(|(listener, trust)| (listener, Some(trust)));
    for (listener, trust) in tcp.into_iter().chain(tls) {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        doors.spawn(tcp::listen(listener, trust, connections.clone(), stop.clone()));
    }
    Ok(())
}
