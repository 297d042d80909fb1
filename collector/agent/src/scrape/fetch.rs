//! Fetching pages from targets: what is asked for, compression, and a bound on everything.

use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use taffrail_core::Clock;

use super::buffer::Buffer;
use super::client::{HttpClient, value};
use super::failed::Failed;
use super::job::Job;
use super::room::{Held, Room};
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
#[derive(Debug)]
pub struct Page {
    /// Its bytes.
    pub body: Buffer,
    /// Whether they are compressed.
    pub gzip: bool,
    /// The `Content-Type` header.
    pub content_type: String,
    /// The room it takes up.
    pub held: Held,
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

    /// The page at `url`, for which there has to be `room`. An error says what a person has to look at.
    pub async fn get(&self, url: &str, timeout: Duration, room: &Arc<Room>) -> Result<Page, Failed> {
        let mut held = Held::new(room);
        let page = tokio::time::timeout(timeout, self.page(url, timeout, &mut held)).await;
        let seconds = timeout.as_secs_f64();
        match page {
            Ok(page) => {
                let (body, gzip, content_type) = page?;
                Ok(Page { body, gzip, content_type, held })
            }
            Err(_) if held.waits() => Err(Failed::at(Stage::Room)(format!(
                "no room for the page within {seconds} s: pages of other targets fill `scrape_memory` ({} bytes)",
                held.most()
            ))),
            Err(_) => Err(Failed::at(Stage::Timeout)(format!("no whole page within {seconds} s"))),
        }
    }

    async fn page(
        &self,
        url: &str,
        timeout: Duration,
        held: &mut Held,
    ) -> Result<(Buffer, bool, String), Failed> {
        let fetch = Failed::at(Stage::Fetch);
        let mut headers = self.headers.clone();
        let patience = value("X-Prometheus-Scrape-Timeout-Seconds", &timeout.as_secs_f64().to_string())
            .map_err(&fetch)?;
        headers.insert(HeaderName::from_static("x-prometheus-scrape-timeout-seconds"), patience);
        let response = self.http.get(url, &headers).await.map_err(&fetch)?;
        if response.status() != http::StatusCode::OK {
            return Err(fetch(format!("the target answers HTTP {}", response.status())));
        }
        let header = |name| {
            let value: Option<&HeaderValue> = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let encoding = header(CONTENT_ENCODING);
        let gzip = match encoding.as_str() {
            "" | "identity" => false,
            "gzip" | "x-gzip" => true,
            other => {
                return Err(fetch(format!("the page is encoded as `{other}`, and gzip was asked for")));
            }
        };
        let content_type = header(CONTENT_TYPE);
        let most = Most::new(self.body_bytes, held);
        let body = read(response.into_body(), most, held).await?;
        if gzip {
            held.grow(body.len() + said_length(&body, most)).await;
        }
        Ok((body, gzip, content_type))
    }
}

/// Reads a body to its end. Room is taken for what came, whatever was announced.
async fn read(mut incoming: Incoming, most: Most, held: &mut Held) -> Result<Buffer, Failed> {
    let fetch = Failed::at(Stage::Fetch);
    let announced = incoming.size_hint().exact().unwrap_or(0).min(most.bytes as u64) as usize;
    let mut body = Buffer::new(announced).map_err(&fetch)?;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| fetch(format!("the page breaks off: {}", root_cause(&error))))?;
        let Some(data) = frame.data_ref() else { continue };
        let length = body.len() + data.len();
        if length > most.bytes {
            return Err(most.exceeded());
        }
        if length > body.capacity() {
            let doubled = length.max(body.capacity().saturating_mul(2)).min(most.bytes);
            held.grow(doubled).await;
            body.grow(doubled).map_err(&fetch)?;
        } else {
            held.grow(length).await;
        }
        body.add(data);
    }
    Ok(body)
}

/// How long the text is that was compressed to `body`: so says its end (RFC 1952, 2.3.1), which may be wrong.
fn said_length(body: &[u8], most: Most) -> usize {
    let said = body.last_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize);
    said.clamp(body.len().min(most.bytes), most.bytes)
}

impl Page {
    /// The page's text, with the room it takes up. It may not be longer than `limit` bytes; 0 is no limit.
    pub fn text(mut self, limit: u64) -> Result<(Buffer, Held), Failed> {
        if !self.gzip {
            return Ok((self.body, self.held));
        }
        let bad = Failed::at(Stage::Body);
        let most = Most::new(limit, &self.held);
        // One more, so that the end is seen.
        let mut text = Buffer::new(said_length(&self.body, most) + 1).map_err(&bad)?;
        let mut gzip = MultiGzDecoder::new(&*self.body);
        loop {
            let ended = text.fill(&mut gzip);
            let ended = ended.map_err(|error| bad(format!("the page is not gzip as it says: {error}")))?;
            if text.len() > most.bytes {
                return Err(most.exceeded());
            }
            if ended {
                return Ok((text, self.held));
            }
            // It said less. This thread cannot wait for room.
            let longer = text.capacity().saturating_mul(2).min(most.bytes + 1);
            if !self.held.try_grow(self.body.len() + longer) {
                return Err(Failed::at(Stage::Room)(format!(
                    "no room for the page, which is longer than it says: pages of other targets fill \
                     `scrape_memory` ({} bytes)",
                    self.held.most()
                )));
            }
            text.grow(longer).map_err(&bad)?;
        }
    }
}

/// How many bytes a page may have, compressed or not.
#[derive(Clone, Copy, Debug)]
struct Most {
    bytes: usize,
    /// Whether `body_size_limit` says so, and not the room for all pages.
    by_limit: bool,
}

impl Most {
    fn new(limit: u64, held: &Held) -> Self {
        let (limit, room) = (usize::try_from(limit).unwrap_or(usize::MAX), held.most());
        let by_limit = limit > 0 && limit <= room;
        Most { bytes: if by_limit { limit } else { room }, by_limit }
    }

    fn exceeded(self) -> Failed {
        let Most { bytes, by_limit } = self;
        Failed::at(Stage::Body)(match by_limit {
            true => format!("body_size_limit ({bytes} bytes) exceeded"),
            false => {
                format!("the page is larger than `scrape_memory` ({bytes} bytes), which is for all pages")
            }
        })
    }
}
