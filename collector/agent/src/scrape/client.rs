//! Asks by HTTP as a job says: credentials, TLS, proxies, redirects. For targets, and for services that know of targets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, ResolveServerName};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use taffrail_probe::http::Proxy;
use url::Url;

use super::dial::{self, Dial, Way, deepest};
use super::job::Http;
use super::tls;
use crate::config::Auth;

/// Redirects that are followed one after another.
const REDIRECTS: usize = 10;

/// Asks hosts in one way.
#[derive(Debug)]
pub struct HttpClient {
    inner: legacy::Client<HttpsConnector<Dial>, Full<Bytes>>,
    /// Sent to the host that is asked, not to where that redirects to.
    secret: HeaderMap,
    proxy: Option<Arc<Proxy>>,
    follow_redirects: bool,
}

impl HttpClient {
    /// A client that asks as `http` says.
    pub fn new(http: &Http) -> Result<Self, String> {
        let proxy = http.proxy.clone().map(Arc::new);
        let way = proxy.clone().map_or(Way::Direct, Way::Proxy);
        Self::with(http, way, proxy)
    }

    /// A client of the service behind a socket in the file system; the host in addresses is of no account.
    pub fn of_socket(path: &Path) -> Result<Self, String> {
        Self::with(&Http::default(), Way::Socket(path.into()), None)
    }

    fn with(http: &Http, way: Way, proxy: Option<Arc<Proxy>>) -> Result<Self, String> {
        let mut tls = tls::client_config(&http.tls)?;
        if http.http2 {
            tls.alpn_protocols.push(b"h2".to_vec());
        }
        tls.alpn_protocols.push(b"http/1.1".to_vec());
        let names: Arc<dyn ResolveServerName + Send + Sync> = match &http.tls.server_name {
            Some(name) => {
                let name = rustls::pki_types::ServerName::try_from(name.clone())
                    .map_err(|_| format!("server_name `{name}` is not a host's name"))?;
                Arc::new(FixedServerNameResolver::new(name))
            }
            None => Arc::new(DefaultServerNameResolver::default()),
        };
        let connector = HttpsConnector::new(Dial::new(way), tls, false, names);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(300))
            .pool_max_idle_per_host(1)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Ok(HttpClient { inner, secret: secret(http)?, proxy, follow_redirects: http.follow_redirects })
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
        if with_secret {
            request.headers_mut().extend(self.secret.clone());
        }
        self.tell_proxy(uri, request.headers_mut())?;
        self.inner.request(request).await.map_err(|error| {
            let cause = deepest(&error);
            let host = uri.authority().map_or("", |authority| authority.as_str());
            match error.is_connect() {
                true => format!("cannot connect to {host}: {cause}"),
                false => format!("no answer from {host}: {cause}"),
            }
        })
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
        let frame = frame.map_err(|error| format!("the answer breaks off: {}", deepest(&error)))?;
        let Some(data) = frame.data_ref() else { continue };
        if body.len() + data.len() > limit {
            return Err(format!("the answer is larger than {} MB", limit >> 20));
        }
        body.extend_from_slice(data);
    }
    Ok(body)
}

/// The headers that nobody but the hosts that are asked may see.
fn secret(http: &Http) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, secret) in &http.headers {
        let name =
            HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is not a header's name"))?;
        let value = sensitive(name.as_str(), secret.expose())?;
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
    headers.insert(AUTHORIZATION, sensitive("Authorization", &text)?);
    Ok(headers)
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
