//! Connections to one host, plain or with TLS, kept between requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use taffrail_core::Clock;

use super::root_cause;
use super::tls::{Tls, Trust};

/// Sends requests to one host. TLS is set up only where the address asks for it: it costs memory.
#[derive(Clone, Debug)]
pub struct Connection(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>, Arc<Trust>),
}

/// Why there is no answer.
#[derive(Debug)]
pub struct SendError {
    /// What lies at the bottom of it.
    pub cause: String,
    /// Nothing was sent: there was no connection.
    pub unsent: bool,
}

/// Connections that are kept while nothing is sent: as many as are used at once, so that no request waits for a handshake.
const IDLE: usize = 64;

impl Connection {
    /// Connections to the host of `uri`, made within `patience`.
    ///
    /// # Errors
    /// In words, when `tls` cannot be used.
    pub fn new(uri: &Uri, tls: &Tls, patience: Duration, clock: &Clock) -> Result<Self, String> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(patience));
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        let builder = builder
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new());
        if uri.scheme_str() != Some("https") {
            return Ok(Connection(Kind::Plain(builder.build(http))));
        }
        let trust = Arc::new(Trust::new(tls, clock)?);
        let https = HttpsConnectorBuilder::new().with_tls_config(trust.config()?).https_or_http();
        let https = match trust.server_name()? {
            Some(name) => https.with_server_name_resolver(FixedServerNameResolver::new(name)),
            None => https,
        };
        let client = builder.build(https.enable_http1().wrap_connector(http));
        Ok(Connection(Kind::Tls(client, trust)))
    }

    /// The answer to `request`, up to its body.
    ///
    /// # Errors
    /// When there is none.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        let sent = match &self.0 {
            Kind::Plain(client) => client.request(request).await,
            Kind::Tls(client, trust) => {
                trust.refresh().await;
                client.request(request).await
            }
        };
        sent.map_err(|error| SendError { cause: root_cause(&error), unsent: error.is_connect() })
    }
}
