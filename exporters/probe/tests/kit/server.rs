//! Servers on loopback that say what a test wants.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// A server; it ends with its value.
pub struct Server {
    pub at: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    /// `localhost:port`: a name that certificates are for.
    pub fn name(&self) -> String {
        format!("localhost:{}", self.at.port())
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Serves each connection with `serve`, all at once.
pub async fn serve<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let work = serve(stream);
            tokio::spawn(work);
        }
    });
    Server { at, _task: AbortOnDropHandle::new(task) }
}

/// The same, behind TLS.
pub async fn serve_tls<F>(
    config: Arc<ServerConfig>,
    serve_one: impl Fn(tokio_rustls::server::TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(config);
    serve(move |stream| {
        let (acceptor, serve_one) = (acceptor.clone(), serve_one.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_one(stream).await;
            }
        }
    })
    .await
}

/// A web site in plain HTTP/1: what it answers depends on the path.
pub async fn site(mut stream: impl Stream) {
    let Some((head, body)) = request(&mut stream).await else { return };
    let line = head.lines().next().unwrap_or_default();
    let path = line.split(' ').nth(1).unwrap_or_default();
    let path = path.strip_prefix("http://").and_then(|p| p.find('/').map(|at| &p[at..])).unwrap_or(path);
    let answer = answer(line, path, &head, &body);
    let _ = stream.write_all(&answer).await;
    if path == "/hang-in-body" {
        std::future::pending::<()>().await;
    }
    if path == "/gigabyte" {
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..1024 {
            if stream.write_all(&chunk).await.is_err() {
                return;
            }
        }
    }
    let _ = stream.shutdown().await;
}

/// One request: its head, and as much of a body as it announces.
pub async fn request(stream: &mut impl Stream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn answer(line: &str, path: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let ok = |headers: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
    };
    let to = |status: &str, to: &str| {
        format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 2\r\n\r\nto").into_bytes()
    };
    let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or("none").to_owned();
    match path {
        "/" => ok(
            "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nX-Colour: red\r\nX-Colour: blue\r\n",
            "hello world",
        ),
        "/chunked" => {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec()
        }
        "/until-close" => b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(),
        "/old" => b"HTTP/1.0 200 OK\r\n\r\nhello".to_vec(),
        "/empty" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/head" => b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_vec(),
        "/missing" => b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone".to_vec(),
        "/redirect" => to("302", "/redirect2?x=1"),
        "/redirect2?x=1" => to("301", "/"),
        "/for-ever" => to("302", "/for-ever"),
        "/keep-method" => to("307", "/echo"),
        "/drop-method" => to("303", "/echo"),
        "/no-location" => b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nto".to_vec(),
        "/to-file" => to("302", "file:///etc/passwd"),
        "/to-nowhere" => to("302", "http://127.0.0.1:1/"),
        "/cookie" => {
            b"HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        "/to-name" => to("302", &format!("http://{}/echo", host.replace("127.0.0.1", "localhost"))),
        "/echo" => {
            // Two clients call themselves by two names, and only one of them tells where it came from.
            let own = |line: &&str| !line.starts_with("User-Agent") && !line.starts_with("Referer");
            let head: Vec<_> = head.lines().filter(own).collect();
            ok("", &format!("{line}\n{}\n{}", head.join("\n"), String::from_utf8_lossy(body)))
        }
        "/gzip" => {
            use std::io::Write;
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&b"hello ".repeat(100)).unwrap();
            let packed = gzip.finish().unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                packed.len()
            );
            [head.into_bytes(), packed].concat()
        }
        "/gigabyte" => b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n".to_vec(),
        "/hang-in-body" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello".to_vec(),
        "/close-early" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello".to_vec(),
        "/close-at-once" => Vec::new(),
        "/garbage" => b"\x16\x03\x01 garbage\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 500 What\r\nContent-Length: 0\r\n\r\n".to_vec(),
    }
}

/// The same site over HTTP/2, as far as hyper's server goes.
pub async fn site_h2(stream: impl Stream) {
    use http_body_util::Full;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let answer = hyper::service::service_fn(|_request: http::Request<hyper::body::Incoming>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(bytes::Bytes::from_static(b"hello"))))
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), answer).await;
}
