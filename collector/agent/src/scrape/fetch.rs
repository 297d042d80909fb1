//! Fetching pages from targets: redirects, compression, and a bound on everything.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue,
    LOCATION, USER_AGENT,
};
use http::{HeaderMap, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::failed::Failed;
use super::job::{Http, Job};
use super::tls;
use crate::config::Auth;
use crate::status::Stage;

/// Redirects that are followed one after another.
const REDIRECTS: usize = 10;

/// Asks the targets of one job.
#[derive(Debug)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    headers: HeaderMap,
    /// Sent to the host that the job names, not to where that redirects to.
    secret: HeaderMap,
    follow_redirects: bool,
    body_bytes: u64,
}

/// A page as it travelled.
#[derive(Debug, Default)]
pub struct Page {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Whether they are compressed.
    pub gzip: bool,
    /// The `Content-Type` header.
    pub content_type: String,
}

impl Client {
    /// A client for the targets of `job`, which asks for pages with the header `accept`.
    pub fn new(job: &Job, accept: &str) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        let agent = concat!("taffrail/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(ACCEPT, value("Accept", accept)?);
        let encoding = if job.compression { "gzip" } else { "identity" };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        Ok(Client {
            inner: connect(&job.http)?,
            headers,
            secret: secret(&job.http)?,
            follow_redirects: job.http.follow_redirects,
            body_bytes: job.limits.body_bytes,
        })
    }

    /// The page at `url`. An error says what a person has to look at.
    pub async fn get(&self, url: &str, timeout: Duration) -> Result<Page, Failed> {
        match tokio::time::timeout(timeout, self.follow(url, timeout)).await {
            Ok(result) => result.map_err(Failed::at(Stage::Fetch)),
            Err(_) => {
                Err(Failed::at(Stage::Timeout)(format!("no whole page within {} s", timeout.as_secs_f64())))
            }
        }
    }

    async fn follow(&self, url: &str, timeout: Duration) -> Result<Page, String> {
        let first: Uri = url.parse().map_err(|error| format!("`{url}` is not an address: {error}"))?;
        let mut headers = self.headers.clone();
        let patience = value("X-Prometheus-Scrape-Timeout-Seconds", &timeout.as_secs_f64().to_string())?;
        headers.insert(HeaderName::from_static("x-prometheus-scrape-timeout-seconds"), patience);
        let mut uri = first.clone();
        for _ in 0..=REDIRECTS {
            let same = uri.authority() == first.authority() && uri.scheme() == first.scheme();
            let response = self.ask(&uri, headers.clone(), same).await?;
            let status = response.status();
            let location = response
                .headers()
                .get(LOCATION)
                .filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && self.follow_redirects);
            match location {
                Some(location) => uri = resolve(&uri, location)?,
                None if status.as_u16() == 200 => return self.read(response).await,
                None => return Err(format!("the target answers HTTP {status}")),
            }
        }
        Err(format!("stopped after {REDIRECTS} redirects, the last to {uri}"))
    }

    async fn ask(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        with_secret: bool,
    ) -> Result<Response<Incoming>, String> {
        let mut request = http::Request::new(Empty::new());
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        if with_secret {
            request.headers_mut().extend(self.secret.clone());
        }
        self.inner.request(request).await.map_err(|error| {
            let cause = root_cause(&error);
            let host = uri.authority().map_or("", |authority| authority.as_str());
            match error.is_connect() {
                true => format!("cannot connect to {host}: {cause}"),
                false => format!("no answer from {host}: {cause}"),
            }
        })
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Page, String> {
        let header = |name| {
            let value: Option<&HeaderValue> = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let encoding = header(CONTENT_ENCODING);
        let gzip = match encoding.as_str() {
            "" | "identity" => false,
            "gzip" | "x-gzip" => true,
            other => return Err(format!("the page is encoded as `{other}`, and gzip was asked for")),
        };
        let content_type = header(CONTENT_TYPE);
        let mut incoming = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| format!("the page breaks off: {}", root_cause(&error)))?;
            let Some(data) = frame.data_ref() else { continue };
            if self.body_bytes > 0 && (body.len() + data.len()) as u64 > self.body_bytes {
                return Err(too_large(self.body_bytes));
            }
            body.extend_from_slice(data);
        }
        Ok(Page { body, gzip, content_type })
    }
}

impl Page {
    /// The page's text. It may not be longer than `limit` bytes; 0 is no limit.
    pub fn text(self, limit: u64) -> Result<Vec<u8>, String> {
        if !self.gzip {
            return Ok(self.body);
        }
        let most = if limit == 0 { u64::MAX } else { limit.saturating_add(1) };
        let mut text = Vec::with_capacity(self.body.len().saturating_mul(4).min(64 << 20));
        let read = MultiGzDecoder::new(&*self.body).take(most).read_to_end(&mut text);
        read.map_err(|error| format!("the page is not gzip as it says: {error}"))?;
        if limit > 0 && text.len() as u64 > limit { Err(too_large(limit)) } else { Ok(text) }
    }
}

fn too_large(limit: u64) -> String {
    format!("body_size_limit ({limit} bytes) exceeded")
}

fn connect(http: &Http) -> Result<legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let builder =
        HttpsConnectorBuilder::new().with_tls_config(tls::client_config(&http.tls)?).https_or_http();
    let builder = match &http.tls.server_name {
        Some(name) => {
            let name = rustls::pki_types::ServerName::try_from(name.clone())
                .map_err(|_| format!("server_name `{name}` is not a host's name"))?;
            builder.with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(name))
        }
        None => builder,
    };
    let connector = builder.enable_http1().wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(Duration::from_secs(300))
        .pool_max_idle_per_host(1)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .build(connector))
}

/// The headers that nobody but the job's own targets may see.
fn secret(http: &Http) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, secret) in &http.headers {
        let name =
            HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is not a header's name"))?;
        let mut value = value(name.as_str(), secret.expose())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    let text = match (&http.auth, &http.authorization) {
        (Some(Auth::Basic { username, password }), _) => {
            let pair = format!("{username}:{}", password.expose());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        (Some(Auth::Bearer(token)), _) => format!("Bearer {}", token.expose()),
        (None, Some((kind, credentials))) => format!("{kind} {}", credentials.expose()),
        (None, None) => return Ok(headers),
    };
    let mut value = value("Authorization", &text)?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(headers)
}

fn value(header: &str, text: &str) -> Result<HeaderValue, String> {
    HeaderValue::try_from(text).map_err(|_| format!("the header {header} has a value that HTTP cannot carry"))
}

/// Where a redirect leads: an address, or a path on the same host.
fn resolve(from: &Uri, location: &HeaderValue) -> Result<Uri, String> {
    let text = location.to_str().map_err(|_| "the target redirects to no address".to_owned())?;
    let wrong = |_| format!("the target redirects to `{text}`, which is not an address");
    let to: Uri = text.parse().map_err(wrong)?;
    if to.scheme().is_some() {
        return match to.scheme_str() {
            Some("http" | "https") => Ok(to),
            _ => Err(format!("the target redirects to `{text}`: only http and https are followed")),
        };
    }
    let mut parts = from.clone().into_parts();
    let path = match text.strip_prefix('/') {
        Some(_) => text.to_owned(),
        None => {
            let base = from.path().rsplit_once('/').map_or("", |(base, _)| base);
            format!("{base}/{text}")
        }
    };
    parts.path_and_query = Some(path.parse().map_err(wrong)?);
    Uri::from_parts(parts).map_err(|_| format!("the target redirects to `{text}`, which is not an address"))
}

/// What is at the bottom of an error; what is above says only through how many hands it went.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
