//! Fetching pages from targets: what is asked for, compression, and a bound on everything.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use taffrail_core::Clock;

use super::client::{HttpClient, value};
use super::failed::Failed;
use super::job::Job;
use crate::http_client::root_cause;
use crate::status::Stage;

/// Asks the targets of one job.
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    headers: HeaderMap,
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
    pub fn new(job: &Job, accept: &str, clock: &Clock) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, value("Accept", accept)?);
        let encoding = if job.compression { "gzip" } else { "identity" };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        Ok(Client { http: HttpClient::new(&job.http, clock)?, headers, body_bytes: job.limits.body_bytes })
    }

    /// The page at `url`. An error says what a person has to look at.
    pub async fn get(&self, url: &str, timeout: Duration) -> Result<Page, Failed> {
        match tokio::time::timeout(timeout, self.page(url, timeout)).await {
            Ok(result) => result.map_err(Failed::at(Stage::Fetch)),
            Err(_) => {
                Err(Failed::at(Stage::Timeout)(format!("no whole page within {} s", timeout.as_secs_f64())))
            }
        }
    }

    async fn page(&self, url: &str, timeout: Duration) -> Result<Page, String> {
        let mut headers = self.headers.clone();
        let patience = value("X-Prometheus-Scrape-Timeout-Seconds", &timeout.as_secs_f64().to_string())?;
        headers.insert(HeaderName::from_static("x-prometheus-scrape-timeout-seconds"), patience);
        let response = self.http.get(url, &headers).await?;
        match response.status() {
            http::StatusCode::OK => self.read(response).await,
            status => Err(format!("the target answers HTTP {status}")),
        }
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
