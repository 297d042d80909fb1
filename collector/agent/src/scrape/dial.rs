//! How a connection is made: straight to a host, through a proxy, or to a socket in the file system.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use taffrail_probe::http::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tower_service::Service;
use url::Url;

use crate::http_client::root_cause;

/// The longest answer of a proxy to CONNECT, in bytes.
const MAX_ANSWER: usize = 16 << 10;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Dialling = Pin<Box<dyn Future<Output = Result<Link, Failure>> + Send>>;

/// Makes connections.
#[derive(Clone, Debug)]
pub struct Dial {
    tcp: HttpConnector,
    way: Way,
}

/// Where connections go.
#[derive(Clone, Debug)]
pub enum Way {
    /// To the host in the address.
    Direct,
    /// To a proxy, but for the hosts that it is not asked for.
    Proxy(Arc<Proxy>),
    /// To this socket, whatever the address says.
    Socket(Arc<Path>),
}

impl Dial {
    /// Connects by `way`.
    pub fn new(way: Way) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Dial { tcp, way }
    }
}

impl Service<Uri> for Dial {
    type Response = Link;
    type Error = Failure;
    type Future = Dialling;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Dialling {
        let Dial { mut tcp, way } = self.clone();
        Box::pin(async move {
            let (proxy, via) = match &way {
                Way::Socket(path) => {
                    let stream = UnixStream::connect(path).await;
                    let stream = stream.map_err(|error| format!("{}: {error}", path.display()))?;
                    return Ok(Link { stream: Stream::Unix(TokioIo::new(stream)), absolute: false });
                }
                Way::Direct => (None, None),
                Way::Proxy(proxy) => (Some(proxy), through(proxy, &to)),
            };
            let (Some(proxy), Some(via)) = (proxy, via) else {
                let stream = Stream::Tcp(tcp.call(to).await?);
                return Ok(Link { stream, absolute: false });
            };
            let host = via.host_str().unwrap_or_default();
            let address = format!("http://{host}:{}", via.port_or_known_default().unwrap_or(80)).parse()?;
            let stream = tcp.call(address).await;
            let mut stream = stream.map_err(|error| format!("the proxy {host}: {}", root_cause(&error)))?;
            let secure = to.scheme_str() == Some("https");
            if secure {
                tunnel(proxy, &via, stream.inner_mut(), &to).await?;
            }
            // A tunnel is as good as the host itself. Without one the proxy reads requests, and wants whole addresses.
            Ok(Link { stream: Stream::Tcp(stream), absolute: !secure })
        })
    }
}

/// The proxy for requests to `to`, if they go through one.
pub fn through(proxy: &Proxy, to: &Uri) -> Option<Url> {
    proxy.of(&Url::parse(&to.to_string()).ok()?).cloned()
}

/// `Basic …` for the user and password in a proxy's address, if it has any.
pub fn credentials(proxy: &Url) -> Option<String> {
    if proxy.username().is_empty() {
        return None;
    }
    let plain = |text: &str| percent_decoded(text.as_bytes());
    let mut pair = plain(proxy.username());
    pair.push(b':');
    pair.extend(plain(proxy.password().unwrap_or_default()));
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                plain.push(byte);
                rest = &after[2..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

/// Opens a tunnel to the host of `to` over a connection to the proxy (RFC 9110, 9.3.6).
async fn tunnel(proxy: &Proxy, via: &Url, stream: &mut TcpStream, to: &Uri) -> Result<(), Failure> {
    let host = to.host().unwrap_or_default();
    let authority = format!("{host}:{}", to.port_u16().unwrap_or(443));
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(credentials) = credentials(via) {
        request.extend(format!("Proxy-Authorization: {credentials}\r\n").into_bytes());
    }
    for (name, value) in proxy.connect_headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            request.extend_from_slice(part);
        }
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < MAX_ANSWER {
        // Byte by byte: what follows the answer belongs to the tunnel.
        answer.push(stream.read_u8().await.map_err(|_| "the proxy closes the connection")?);
    }
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    match line.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(()),
        _ => Err(format!("the proxy opens no tunnel to {authority}, and answers: {line}").into()),
    }
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    /// Requests name the whole address.
    absolute: bool,
}

#[derive(Debug)]
enum Stream {
    Tcp(TokioIo<TcpStream>),
    Unix(TokioIo<UnixStream>),
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.absolute)
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, to),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, to),
        }
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, from),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_told_the_password_as_it_is_meant() {
        let of = |url: &str| credentials(&Url::parse(url).unwrap());
        assert_eq!(of("http://proxy:3128"), None);
        // ada:p@ss%
        assert_eq!(of("http://ada:p%40ss%25@proxy:3128").unwrap(), "Basic YWRhOnBAc3Ml");
        assert_eq!(of("http://ada@proxy:3128").unwrap(), "Basic YWRhOg==");
    }
}
