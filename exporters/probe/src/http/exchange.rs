//! One request and its answer: connect, perhaps through a proxy, perhaps with TLS, ask.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::report::Facts;
use super::settings::Settings;
use super::timing::{FirstByte, Phase, Timed};
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::tls;

/// One request.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) url: &'a Url,
    /// Where its host is; empty where that is the proxy's business.
    pub(super) ips: Vec<IpAddr>,
    /// The name in the `host` header.
    pub(super) host: HeaderValue,
    /// The name that the certificate must be for.
    pub(super) server_name: &'a str,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer, its body still to be read.
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: Incoming,
    pub(super) over_tls: bool,
    /// Moves bytes for the body; ends when this does.
    _connection: AbortOnDropHandle<()>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to the server, ready for a request.
struct Open {
    stream: Box<dyn Stream>,
    http2: bool,
    /// A proxy reads the request first, and wants the whole address in it.
    absolute: bool,
}

impl Ask<'_> {
    /// The server as the proxy is told, `host:port`.
    fn authority(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or(80);
        match self.ips.first() {
            Some(ip) => SocketAddr::new(*ip, port).to_string(),
            None => format!("{}:{port}", self.url.host_str().unwrap_or_default()),
        }
    }

    fn uri(&self, open: &Open) -> Result<Uri, Failure> {
        let path = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let whole = match (open.http2, open.absolute) {
            // HTTP/2 has no host header: the name is part of the address.
            (true, _) => format!("https://{}{path}", self.host.to_str().unwrap_or_default()),
            (_, true) => format!("http://{}{path}", self.authority()),
            _ => path.to_owned(),
        };
        whole.parse().map_err(|e| Failure::Answer(format!("`{whole}` cannot be asked for: {e}")))
    }

    fn request(&self, open: &Open) -> Result<http::Request<Full<Bytes>>, Failure> {
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri(open)?;
        *request.headers_mut() = self.headers.clone();
        if open.http2 {
            *request.version_mut() = Version::HTTP_2;
        } else {
            request.headers_mut().insert(HOST, self.host.clone());
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(request)
    }
}

/// Asks, and waits for the head of the answer.
pub(super) async fn exchange(
    settings: &Settings,
    attempt: &mut Attempt<'_>,
    facts: &mut Facts,
    ask: &Ask<'_>,
) -> Result<Answer, Failure> {
    facts.tls = None;
    let open = connect(settings, attempt, facts, ask).await?;
    let over_tls = facts.tls.is_some();
    let request = ask.request(&open)?;
    attempt.trail.say(format!("{} {}", request.method(), ask.url));
    facts.phases.enter(Phase::Processing);
    let first = FirstByte::new(&attempt.cx.clock);
    let io = TokioIo::new(Timed { inner: open.stream, first: first.clone() });
    let name = ask.url.host_str().unwrap_or_default();
    let doing = || format!("waiting for an answer of {name}");
    let fail = |e: hyper::Error| Failure::Answer(format!("no answer of {name}: {}", super::chain(&e)));
    let (response, connection) = if open.http2 {
        let (mut sender, connection) = attempt
            .within(doing, http2::Builder::new(TokioExecutor::new()).handshake(io))
            .await?
            .map_err(fail)?;
        let connection = spawn(connection);
        (attempt.within(doing, sender.send_request(request)).await?, connection)
    } else {
        let (mut sender, connection) = attempt
            .within(doing, http1::Builder::new().title_case_headers(true).handshake(io))
            .await?
            .map_err(fail)?;
        let connection = spawn(connection);
        (attempt.within(doing, sender.send_request(request)).await?, connection)
    };
    let (head, body) = response.map_err(fail)?.into_parts();
    // Of HTTP/2 the first bytes are the protocol's own.
    match first.get().filter(|_| !open.http2) {
        Some(at) => facts.phases.enter_at(Phase::Transfer, at),
        None => facts.phases.enter(Phase::Transfer),
    }
    attempt.trail.say(format!("Answer: {} over {:?}", head.status, head.version));
    Ok(Answer { head, body, over_tls, _connection: connection })
}

/// The connection's work, beside the request. What goes wrong in it shows in the answer.
fn spawn<E>(connection: impl Future<Output = Result<(), E>> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = connection.await;
    }))
}

async fn connect(
    settings: &Settings,
    attempt: &mut Attempt<'_>,
    facts: &mut Facts,
    ask: &Ask<'_>,
) -> Result<Open, Failure> {
    let secure = ask.url.scheme() == "https";
    let proxy = settings.proxy.as_ref().and_then(|proxy| Some((proxy, proxy.of(ask.url)?)));
    facts.phases.enter(Phase::Connect);
    let stream = match proxy {
        None => direct(attempt, ask).await?,
        Some((proxy, url)) => {
            // The guard is for targets; the proxy is the operator's own choice.
            for ip in &ask.ips {
                attempt.allow(*ip)?;
            }
            let mut stream = to_proxy(attempt, url).await?;
            if secure {
                proxy.tunnel(attempt, &mut stream, &ask.authority()).await?;
            }
            stream
        }
    };
    if !secure {
        return Ok(Open { stream: Box::new(stream), http2: false, absolute: proxy.is_some() });
    }
    facts.phases.enter(Phase::Tls);
    let offered: &[&[u8]] = if settings.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    let shaken = settings.tls.connect(attempt, stream, ask.server_name, offered).await;
    let connection = shaken.outcome.as_ref().ok().map(|stream| stream.get_ref().1);
    facts.tls = Some(tls::Seen::new(shaken.presented.as_ref(), connection, &mut attempt.trail));
    let stream = shaken.outcome?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Open { stream: Box::new(stream), http2, absolute: false })
}

/// Connects to the first address that answers. A target has one; a redirect's host may have several.
async fn direct(attempt: &mut Attempt<'_>, ask: &Ask<'_>) -> Result<TcpStream, Failure> {
    let port = ask.url.port_or_known_default().unwrap_or(80);
    let mut last = None;
    for ip in &ask.ips {
        match attempt.connect(SocketAddr::new(*ip, port), None).await {
            Err(failure @ Failure::Connect { .. }) => last = Some(failure),
            other => return other,
        }
    }
    Err(last.unwrap_or_else(|| Failure::Answer("the target's name was not looked up".into())))
}

async fn to_proxy(attempt: &mut Attempt<'_>, proxy: &Url) -> Result<TcpStream, Failure> {
    let host = proxy.host_str().unwrap_or_default();
    let ips = attempt.lookup(host).await?;
    let port = proxy.port_or_known_default().unwrap_or(80);
    let ip =
        ips.first().copied().ok_or_else(|| Failure::Answer(format!("the proxy {host} has no address")))?;
    attempt.trail.say(format!("Through the proxy {host}:{port}"));
    attempt.open(SocketAddr::new(ip, port), None).await
}
