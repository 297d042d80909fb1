//! Servers to probe, in a process of their own: `taffrail-bench webs ADDRESS…` with one address each for TCP, HTTP, HTTPS
//! with HTTP/1.1 and HTTPS with HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

#[derive(Clone)]
enum Kind {
    Tcp,
    Http,
    Https(TlsAcceptor),
    H2(TlsAcceptor),
}

/// Serves until it is killed.
pub fn run(arguments: &[String]) -> Result<()> {
    let addresses: Vec<SocketAddr> =
        arguments.iter().map(|address| address.parse()).collect::<Result<_, _>>()?;
    let [tcp, http, https, h2] = addresses[..] else { bail!("webs: wants four addresses") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let kinds = [
            (tcp, Kind::Tcp),
            (http, Kind::Http),
            (https, Kind::Https(acceptor(b"http/1.1")?)),
            (h2, Kind::H2(acceptor(b"h2")?)),
        ];
        let mut servers = Vec::new();
        for (address, kind) in kinds {
            servers.push(tokio::spawn(listen(TcpListener::bind(address).await?, kind)));
        }
        for server in servers {
            server.await?;
        }
        Ok(())
    })
}

/// A certificate of its own, which nobody trusts, for one protocol.
fn acceptor(protocol: &[u8]) -> Result<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn listen(listener: TcpListener, kind: Kind) {
    while let Ok((stream, _)) = listener.accept().await {
        let kind = kind.clone();
        // A connection that ends early is the prober's business.
        tokio::spawn(async move { serve(stream, kind).await });
    }
}

async fn serve(mut stream: TcpStream, kind: Kind) -> Result<()> {
    stream.set_nodelay(true)?;
    match kind {
        Kind::Tcp => {
            while stream.read(&mut [0; 64]).await? > 0 {}
            stream.shutdown().await.context("closing")
        }
        Kind::Http => one(TokioIo::new(stream)).await,
        Kind::Https(acceptor) => one(TokioIo::new(acceptor.accept(stream).await?)).await,
        Kind::H2(acceptor) => {
            let io = TokioIo::new(acceptor.accept(stream).await?);
            Ok(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service_fn(answer)).await?)
        }
    }
}

/// One request a connection: nothing is kept open.
async fn one(io: impl Read + Write + Unpin) -> Result<()> {
    Ok(http1::Builder::new().keep_alive(false).serve_connection(io, service_fn(answer)).await?)
}

async fn answer<B>(_: hyper::Request<B>) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    Ok(hyper::Response::new(Full::new(Bytes::from_static(b"all is well\n"))))
}
