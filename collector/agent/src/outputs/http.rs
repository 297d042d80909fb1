//! The client that posts to receivers: no redirects followed, every answer bounded in size and time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use taffrail_core::Clock;
use taffrail_wire::retry_after;

use super::verdict::{Fate, Verdict};
use crate::config::Receiver;
use crate::http_client::{Connection, Credentials};

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
    /// Credentials or TLS settings that cannot be used.
    #[error("output {output}: {what}")]
    Settings {
        /// The output's name.
        output: String,
        /// What is wrong.
        what: String,
    },
}

/// Posts to one receiver.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Connection,
    uri: Uri,
    headers: HeaderMap,
    credentials: Option<Arc<Credentials>>,
    timeout: Duration,
    clock: Clock,
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
        let wrong = |what| ClientError::Settings { output: receiver.name.clone(), what };
        let patience = receiver.timeout.min(Duration::from_secs(10));
        let connection = Connection::new(&receiver.url, &receiver.tls, patience, &clock).map_err(wrong)?;
        let credentials = receiver.auth.as_ref().map(|auth| Credentials::new(auth, &clock)).transpose();
        let credentials = credentials.map_err(wrong)?.map(Arc::new);
        let (uri, timeout) = (receiver.url.clone(), receiver.timeout);
        Ok(Client { connection, uri, headers, credentials, timeout, clock })
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
        let mut who = None;
        if let Some(credentials) = &self.credentials {
            let value = credentials.header().await.map_err(|error| retry(error, Fate::NotStored))?;
            headers.insert(AUTHORIZATION, value.clone());
            who = Some((credentials, value));
        }
        let sent = self.connection.send(request).await;
        let response = sent.map_err(|error| {
            // Before a connection stands nothing was sent; after that nobody knows.
            let cause = error.cause;
            match error.unsent {
                true => retry(format!("cannot connect to {}: {cause}", self.authority()), Fate::NotStored),
                false => retry(format!("no answer from {}: {cause}", self.authority()), Fate::Unknown),
            }
        })?;
        if let (Some((credentials, value)), 401) = (who, response.status().as_u16()) {
            credentials.refused(&value);
        }
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
    Ok(headers)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
