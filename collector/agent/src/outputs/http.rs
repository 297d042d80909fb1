//! The client that posts to receivers: no redirects followed, every answer bounded in size and time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use taffrail_core::Clock;
use taffrail_wire::retry_after;

use super::verdict::{Fate, Verdict};
use crate::config::{Auth, Receiver};

/// The most that is read of an answer's body.
const MAX_BODY: usize = 64 << 10;

/// Why no client could be made for a receiver.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A header that HTTP cannot carry.
    #[error("output {output}: the header {header} has a name or value that HTTP cannot carry")]
    Header {
        /// The output's name.
        output: String,
        /// The header's name.
        header: String,
    },
    /// The file of authorities cannot be used.
    #[error("output {output}: ca_file {path}: {what}")]
    Authorities {
        /// The output's name.
        output: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The machine's own authorities cannot be used.
    #[error("output {output}: {what}")]
    Platform {
        /// The output's name.
        output: String,
        /// What is wrong.
        what: String,
    },
}

/// Posts to one receiver.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
    clock: Clock,
}

/// TLS is set up only where the address asks for it: it costs memory.
#[derive(Debug)]
enum Connection {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// A receiver's answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// When it said to come back.
    pub retry_after: Option<Duration>,
    /// Its headers.
    pub headers: HeaderMap,
    /// The first 64 KiB of its body.
    pub body: String,
}

impl Answer {
    /// The body's beginning, on one line, for people.
    pub fn message(&self) -> String {
        let line: String =
            self.body.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        line.trim().to_owned()
    }
}

impl Client {
    /// A client for `receiver`.
    pub fn new(receiver: &Receiver, clock: Clock) -> Result<Self, ClientError> {
        let headers = headers(receiver)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(receiver.timeout.min(Duration::from_secs(10))));
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        let builder = builder
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(2)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new());
        let connection = match receiver.url.scheme_str() {
            Some("https") => Connection::Tls(builder.build(tls(receiver, http)?)),
            _ => Connection::Plain(builder.build(http)),
        };
        Ok(Client { connection, uri: receiver.url.clone(), headers, timeout: receiver.timeout, clock })
    }

    /// Posts `body`, with the headers that its protocol needs. What fails below HTTP is a verdict already: it is always
    /// tried again.
    pub async fn post(&self, body: Bytes, protocol: &HeaderMap) -> Result<Answer, Verdict> {
        match tokio::time::timeout(self.timeout, self.exchange(body, protocol)).await {
            Ok(result) => result,
            Err(_) => {
                let seconds = self.timeout.as_secs_f64();
                Err(retry(format!("no answer from {} within {seconds} s", self.authority()), Fate::Unknown))
            }
        }
    }

    async fn exchange(&self, body: Bytes, protocol: &HeaderMap) -> Result<Answer, Verdict> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        // What the protocol needs stands above what the config says.
        headers.extend(protocol.clone());
        let sent = match &self.connection {
            Connection::Plain(client) => client.request(request).await,
            Connection::Tls(client) => client.request(request).await,
        };
        let response = sent.map_err(|error| {
            // Before a connection stands nothing was sent; after that nobody knows.
            let cause = root_cause(&error);
            match error.is_connect() {
                true => retry(format!("cannot connect to {}: {cause}", self.authority()), Fate::NotStored),
                false => retry(format!("no answer from {}: {cause}", self.authority()), Fate::Unknown),
            }
        })?;
        self.read(response).await
    }

    fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer, Verdict> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let header = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok());
        let wait = header.and_then(|text| retry_after(text, self.clock.now_ms() / 1000));
        // The status alone says what to do: a body that is too long, or breaks off, only has less to say.
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        let body = body.map(|b| String::from_utf8_lossy(&b.to_bytes()).into_owned()).unwrap_or_default();
        Ok(Answer { status, retry_after: wait, headers, body })
    }
}

fn retry(cause: String, fate: Fate) -> Verdict {
    Verdict::Retry { after: None, cause, fate }
}

/// What is at the bottom of an error; what is above says only through how many hands it went.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The headers that a protocol needs, from names in lower case and values that HTTP can carry.
pub fn protocol(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    headers.iter().map(header).collect()
}

fn headers(receiver: &Receiver) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    let agent = concat!("taffrail/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    for (name, value) in &receiver.headers {
        let wrong = || ClientError::Header { output: receiver.name.clone(), header: name.to_owned() };
        let name = HeaderName::try_from(name).map_err(|_| wrong())?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| wrong())?);
    }
    if let Some(auth) = &receiver.auth {
        let text = match auth {
            Auth::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose());
                format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
            }
            Auth::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        let wrong = |_| ClientError::Header { output: receiver.name.clone(), header: "Authorization".into() };
        let mut value = HeaderValue::try_from(text).map_err(wrong)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn tls(receiver: &Receiver, http: HttpConnector) -> Result<HttpsConnector<HttpConnector>, ClientError> {
    let builder = HttpsConnectorBuilder::new();
    let builder = match &receiver.ca_file {
        None => builder.try_with_platform_verifier().map_err(|error| ClientError::Platform {
            output: receiver.name.clone(),
            what: format!("the machine's certificate authorities cannot be read: {error}"),
        })?,
        Some(path) => {
            let wrong = |what: String| ClientError::Authorities {
                output: receiver.name.clone(),
                path: path.clone(),
                what,
            };
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))? {
                let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
                roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("no certificate in it; PEM is expected".into()));
            }
            let config = rustls::ClientConfig::builder().with_root_certificates(Arc::new(roots));
            builder.with_tls_config(config.with_no_client_auth())
        }
    };
    Ok(builder.https_or_http().enable_http1().wrap_connector(http))
}
