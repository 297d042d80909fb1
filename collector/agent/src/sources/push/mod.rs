//! Loki's push API as a source: whatever sends to Loki can send here.
//!
//! A request is answered when its lines are safe: every output has had its last word on them, or they are in the log on disk.
//! Until then the sender has them, and sends them again when there is no answer, with the times that they had: Loki
//! stores them once.

mod answer;
mod body;
mod entries;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::answer::Desk;
use super::door::{self, Door, ServerTrust};
use super::{Context, Running};
use crate::config::Push;

/// The most connections at once; further ones are closed, and counted.
const CONNECTIONS: usize = 256;
/// How long the head of a request may take, from the one before on: so long is a connection kept that nobody uses.
const HEAD: Duration = Duration::from_secs(60);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long after a failure to take a connection the next try is.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Opens the door. Waits for the disk, where certificates are.
///
/// # Errors
/// When the address cannot be listened on, or certificates cannot be used.
pub fn start(
    name: &str,
    labels: &BTreeMap<String, String>,
    config: &Push,
    context: Context,
) -> anyhow::Result<Running> {
    let listener = context.sockets.tcp(config.listen)?;
    let trust = config.tls.as_ref().map(|tls| ServerTrust::new(tls, &context.clock)).transpose();
    let trust = trust.map_err(anyhow::Error::msg)?.map(Arc::new);
    let door = Door::new(name, labels, context);
    let books = door.books.clone();
    let desk = Desk::new(door, config.auth.as_ref(), !labels.contains_key("service_name"));
    let desk = Arc::new(desk.map_err(anyhow::Error::msg)?);
    info!(source = name, "takes pushes at {}", config.listen);
    door::start(name, books, move |stop| serve(listener.try_clone(), trust.clone(), desk.clone(), stop))
}

async fn serve(
    listener: std::io::Result<StdListener>,
    trust: Option<Arc<ServerTrust>>,
    desk: Arc<Desk>,
    stop: CancellationToken,
) {
    let listener = match listener.and_then(TcpListener::from_std) {
        Ok(listener) => listener,
        Err(error) => {
            desk.books().failed(format!("the socket cannot be used: {error}"));
            return stop.cancelled().await;
        }
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                desk.books().failed(format!("no connection can be taken: {error}"));
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            desk.books().refused("connections");
            continue;
        };
        let (trust, desk, stop) = (trust.clone(), desk.clone(), stop.clone());
        connections.spawn(async move {
            let _place = place;
            desk.books().connected(true);
            connection(stream, trust, &desk, stop).await;
            desk.books().connected(false);
        });
    }
    // What is under way is answered; each answer has its own deadline.
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    trust: Option<Arc<ServerTrust>>,
    desk: &Arc<Desk>,
    stop: CancellationToken,
) {
    // Answers are small and each is waited for.
    let _ = stream.set_nodelay(true);
    let Some(trust) = trust else { return http(stream, desk, stop).await };
    let handshake = async { trust.acceptor().await.accept(stream).await };
    match timeout(HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => http(stream, desk, stop).await,
        Ok(Err(error)) => {
            desk.books().refused("tls");
            desk.books().failed(format!("a TLS handshake failed: {error}"));
        }
        Err(_) => desk.books().refused("tls"),
    }
}

async fn http<S: AsyncRead + AsyncWrite + Unpin>(stream: S, desk: &Arc<Desk>, stop: CancellationToken) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(desk.answer(request).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // However a connection ends: who sent something without an answer sends it again.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
