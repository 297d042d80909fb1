//! Connections, with TLS or without: bounded in number, in time without a word, and in what a message may hold.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};
use taffrail_wire::syslog::Frames;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::queue::{Queue, Raw};
use crate::config::Syslog;
use crate::sources::door::{Books, ServerTrust};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a message that has begun may take to go on.
const GOES_ON: Duration = Duration::from_secs(60);
/// How long after the stop more is waited for, each time: what is under way is read.
const UNDER_WAY: Duration = Duration::from_millis(50);
/// After so long without a word the other side is asked whether it is there still.
const ASK: Duration = Duration::from_secs(60);
/// How long after a failure to take a connection the next try is.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
    max_message: usize,
    idle: Duration,
    queue: Queue,
    books: Books,
}

impl Connections {
    pub(super) fn new(config: &Syslog, queue: Queue, books: Books) -> Self {
        let places = Arc::new(Semaphore::new(config.max_connections));
        Connections { places, max_message: config.max_message, idle: config.idle, queue, books }
    }
}

/// Takes connections until `stop`.
pub(super) async fn listen(
    listener: TcpListener,
    trust: Option<Arc<ServerTrust>>,
    shared: Arc<Connections>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                shared.books.failed(format!("no connection can be taken: {error}"));
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        let Ok(place) = shared.places.clone().try_acquire_owned() else {
            shared.books.refused("connections");
            shared.books.failed(format!("too many connections: {} was turned away", peer.ip()));
            continue;
        };
        let (trust, shared, stop) = (trust.clone(), shared.clone(), stop.clone());
        connections.spawn(async move {
            let _place = place;
            shared.books.connected(true);
            connection(stream, peer.ip().to_canonical(), trust, &shared, stop).await;
            shared.books.connected(false);
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    trust: Option<Arc<ServerTrust>>,
    shared: &Connections,
    stop: CancellationToken,
) {
    // A sender that lost its power says no more, and its place is not held for ever.
    let _ = set_socket_keepalive(&stream, true).and_then(|()| set_tcp_keepidle(&stream, ASK));
    let Some(trust) = trust else { return messages(stream, peer, shared, stop).await };
    let handshake = async { trust.acceptor().await.accept(stream).await };
    match timeout(HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => messages(stream, peer, shared, stop).await,
        Ok(Err(error)) => {
            shared.books.refused("tls");
            shared.books.failed(format!("{peer}: the TLS handshake failed: {error}"));
        }
        Err(_) => shared.books.refused("tls"),
    }
}

/// Reads messages until the sender ends, says nothing for too long, or the source stops.
async fn messages(
    mut stream: impl AsyncRead + Unpin,
    peer: IpAddr,
    shared: &Connections,
    stop: CancellationToken,
) {
    let mut frames = Frames::new(shared.max_message);
    let mut buffer = vec![0; 16 << 10];
    let mut found = Vec::new();
    loop {
        let patience = match (stop.is_cancelled(), frames.is_open()) {
            (true, _) => UNDER_WAY,
            (false, true) => GOES_ON.min(shared.idle),
            (false, false) => shared.idle,
        };
        let read = tokio::select! {
            biased;
            read = timeout(patience, stream.read(&mut buffer)) => read,
            () = stop.cancelled(), if !stop.is_cancelled() => continue,
        };
        let Ok(Ok(len @ 1..)) = read else { break };
        let good =
            frames.take(&buffer[..len], |frame| found.push(Raw::new(frame.bytes, frame.missing, peer)));
        // A sender is not read from while there is no room: it has to wait.
        for message in found.drain(..) {
            shared.queue.put(message).await;
        }
        if let Err(error) = good {
            shared.books.refused("framing");
            shared.books.failed(format!("{peer}: {error}"));
            return;
        }
    }
    frames.end(|frame| found.push(Raw::new(frame.bytes, frame.missing, peer)));
    for message in found {
        shared.queue.put(message).await;
    }
}
