//! Asks by HTTP as a job says: credentials, TLS, proxies, redirects. For targets, and for services that know of targets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, ResolveServerName};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use taffrail_core::Clock;
use taffrail_probe::http::Proxy;
use url::Url;

use super::dial::{self, Dial, Way};
use super::job::Http;
use crate::http_client::{Credentials, Source, Trust, Watched, root_cause};

/// Redirects that are followed one after another.
const REDIRECTS: usize = 10;

/// Asks hosts in one way.
#[derive(Debug)]
pub struct HttpClient {
    inner: legacy::Client<HttpsConnector<Dial>, Full<Bytes>>,
    trust: Trust,
    /// Sent to the host that is asked, not to where that redirects to; so are the credentials.
    headers: Vec<(HeaderName, Watched)>,
    credentials: Option<Credentials>,
    proxy: Option<Arc<Proxy>>,
    follow_redirects: bool,
}

impl HttpClient {
    /// A client that asks as `http` says.
    pub fn new(http: &Http, clock: &Clock) -> Result<Self, String> {
        let proxy = http.proxy.clone().map(Arc::new);
        let way = proxy.clone().map_or(Way::Direct, Way::Proxy);
        Self::with(http, way, proxy, clock)
    }

    /// A client of the service behind a socket in the file system; the host in addresses is of no account.
    pub fn of_socket(path: &Path, clock: &Clock) -> Result<Self, String> {
        Self::with(&Http::default(), Way::Socket(path.into()), None, clock)
    }

    fn with(http: &Http, way: Way, proxy: Option<Arc<Proxy>>, clock: &Clock) -> Result<Self, String> {
        let trust = Trust::new(&http.tls, clock).map_err(|error| format!("tls_config: {error}"))?;
        let mut tls = trust.config().map_err(|error| format!("tls_config: {error}"))?;
        if http.http2 {
            tls.alpn_protocols.push(b"h2".to_vec());
        }
        tls.alpn_protocols.push(b"http/1.1".to_vec());
        let names: Arc<dyn ResolveServerName + Send + Sync> = match trust.server_name()? {
            Some(name) => Arc::new(FixedServerNameResolver::new(name)),
            None => Arc::new(DefaultServerNameResolver::default()),
        };
        let connector = HttpsConnector::new(Dial::new(way), tls, false, names);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(300))
            .pool_max_idle_per_host(1)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        let header = |(name, source): &(String, Source)| {
            let name = HeaderName::try_from(name.as_str());
            let name = name.map_err(|error| format!("http_headers: {error}"))?;
            Ok((name, Watched::new(source.clone(), clock.clone())))
        };
        Ok(HttpClient {
            inner,
            trust,
            headers: http.headers.iter().map(header).collect::<Result<_, String>>()?,
            credentials: http.auth.as_ref().map(|auth| Credentials::new(auth, clock)).transpose()?,
            proxy,
            follow_redirects: http.follow_redirects,
        })
    }

    /// The answer to `GET`, behind redirects; its status may be any. An error says what a person has to look at.
    pub async fn get(&self, url: &str, headers: &HeaderMap) -> Result<Response<Incoming>, String> {
        let first: Uri = url.parse().map_err(|error| format!("`{url}` is not an address: {error}"))?;
        let mut uri = first.clone();
        for _ in 0..=REDIRECTS {
            let same = uri.authority() == first.authority() && uri.scheme() == first.scheme();
            let response = self.ask(&uri, headers.clone(), same).await?;
            let status = response.status().as_u16();
            let location = response
                .headers()
                .get(LOCATION)
                .filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308) && self.follow_redirects);
            match location {
                Some(location) => uri = resolve(&uri, location)?,
                None => return Ok(response),
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
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let agent = concat!("taffrail/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
        let authorization = self.sign(with_secret, request.headers_mut()).await?;
        self.tell_proxy(uri, request.headers_mut())?;
        if uri.scheme_str() == Some("https") {
            self.trust.refresh().await;
        }
        let response = self.inner.request(request).await.map_err(|error| {
            let cause = root_cause(&error);
            let host = uri.authority().map_or("", |authority| authority.as_str());
            match error.is_connect() {
                true => format!("cannot connect to {host}: {cause}"),
                false => format!("no answer from {host}: {cause}"),
            }
        })?;
        if let (Some(credentials), Some(value), 401) =
            (&self.credentials, authorization, response.status().as_u16())
        {
            credentials.refused(&value);
        }
        Ok(response)
    }

    /// Adds what only the host that is asked may see; gives back the value of `Authorization`.
    async fn sign(&self, with_secret: bool, headers: &mut HeaderMap) -> Result<Option<HeaderValue>, String> {
        if !with_secret {
            return Ok(None);
        }
        for (name, watched) in &self.headers {
            let text = watched.text().await.map_err(|error| format!("http_headers: {error}"))?;
            headers.append(name.clone(), sensitive(name.as_str(), text.expose())?);
        }
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let value = credentials.header().await?;
        headers.insert(AUTHORIZATION, value.clone());
        Ok(Some(value))
    }

    /// Adds what the proxy wants to know of us, where it reads the request.
    fn tell_proxy(&self, uri: &Uri, headers: &mut HeaderMap) -> Result<(), String> {
        let Some(proxy) = self.proxy.as_ref().filter(|_| uri.scheme_str() == Some("http")) else {
            return Ok(());
        };
        if let Some(text) = dial::through(proxy, uri).as_ref().and_then(dial::credentials) {
            headers.insert(PROXY_AUTHORIZATION, sensitive("Proxy-Authorization", &text)?);
        }
        Ok(())
    }
}

/// The whole body, up to `limit` bytes.
pub async fn body(response: Response<Incoming>, limit: usize) -> Result<Vec<u8>, String> {
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| format!("the answer breaks off: {}", root_cause(&error)))?;
        let Some(data) = frame.data_ref() else { continue };
        if body.len() + data.len() > limit {
            return Err(format!("the answer is larger than {} MB", limit >> 20));
        }
        body.extend_from_slice(data);
    }
    Ok(body)
}

fn sensitive(header: &str, text: &str) -> Result<HeaderValue, String> {
    let mut value = value(header, text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The value of a header.
pub fn value(header: &str, text: &str) -> Result<HeaderValue, String> {
    HeaderValue::try_from(text).map_err(|_| format!("the header {header} has a value that HTTP cannot carry"))
}

/// Where a redirect leads: an address, or a path on the same host.
fn resolve(from: &Uri, location: &HeaderValue) -> Result<Uri, String> {
    let text = location.to_str().map_err(|_| "the redirect leads to no address".to_owned())?;
    let wrong = || format!("the redirect leads to `{text}`, which is not an address");
    let from = Url::parse(&from.to_string()).map_err(|_| wrong())?;
    let to = from.join(text).map_err(|_| wrong())?;
    match to.scheme() {
        "http" | "https" => to.as_str().parse().map_err(|_| wrong()),
        _ => Err(format!("the redirect leads to `{text}`: only http and https are followed")),
    }
}
