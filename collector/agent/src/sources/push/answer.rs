//! What becomes of one request, and its answer: as Loki answers, so that senders know what to do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use taffrail_spool::{Reason, Settled};
use taffrail_wire::loki::{PUSH_PATH, read_json, read_protobuf};
use tokio::sync::Semaphore;

use super::body::{self, Form};
use super::entries::Entries;
use crate::http_client::{Auth, Credentials};
use crate::logs::Body;
use crate::sources::door::{Books, Closed, Door};

/// Bytes of requests that are held at once, packed and unpacked, over all connections.
const ROOM: usize = 16 << 20;
/// How long until lines are safe may take: dead outputs cost three seconds at most, so more than this is trouble with the
/// disk. Senders wait for ten seconds, mostly.
const SAFE: Duration = Duration::from_secs(8);

/// Takes requests.
#[derive(Debug)]
pub(super) struct Desk {
    door: Door,
    credentials: Option<Credentials>,
    /// What `Authorization` begins with.
    scheme: &'static str,
    /// Whether the name of a service is looked for in other labels.
    discover: bool,
    room: Arc<Semaphore>,
}

/// Why a request is not taken, or not wholly.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The reason in the metric.
    pub(super) reason: &'static str,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: &'static str, text: impl Into<String>) -> Self {
        Refusal { status, reason, text: text.into() }
    }
}

impl From<Closed> for Refusal {
    fn from(closed: Closed) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", closed.to_string())
    }
}

impl Desk {
    /// Of a door, and who may send.
    pub(super) fn new(door: Door, auth: Option<&Auth>, discover: bool) -> Result<Self, String> {
        let credentials = auth.map(|auth| Credentials::new(auth, &door.clock)).transpose()?;
        let scheme = if matches!(auth, Some(Auth::Basic { .. })) { "Basic" } else { "Bearer" };
        Ok(Desk { door, credentials, scheme, discover, room: Arc::new(Semaphore::new(ROOM)) })
    }

    /// The door's books.
    pub(super) fn books(&self) -> &Books {
        &self.door.books
    }

    /// Takes a request, and answers when its lines are safe.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let refusal = match (request.method(), request.uri().path()) {
            (&Method::POST, PUSH_PATH) => match self.take(request).await {
                Ok(()) => return response(StatusCode::NO_CONTENT, ""),
                Err(refusal) => refusal,
            },
            (&Method::GET, "/ready") => return response(StatusCode::OK, "ready"),
            (_, PUSH_PATH) => return response(StatusCode::METHOD_NOT_ALLOWED, "POST is what is taken here"),
            _ => {
                let text = format!("there is only POST {PUSH_PATH} here");
                Refusal::new(StatusCode::NOT_FOUND, "path", text)
            }
        };
        self.books().refused(refusal.reason);
        self.books().failed(format!("a request was answered {}: {}", refusal.status.as_u16(), refusal.text));
        let mut response = response(refusal.status, &refusal.text);
        match refusal.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
            }
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(self.scheme));
            }
            _ => {}
        }
        response
    }

    async fn take(&self, request: Request<Incoming>) -> Result<(), Refusal> {
        let (head, incoming) = request.into_parts();
        // Browsers say where a page is from, and no page has anything to send here.
        if head.headers.contains_key(ORIGIN) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "browser", "pages in a browser may not push"));
        }
        self.allowed(&head.headers).await?;
        if *self.door.pause.borrow() {
            let text = "no output takes logs, and their log on disk is nearly full: send it again later";
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "full", text));
        }
        let form = Form::of(&head.headers)?;
        let (packed, room) = body::read(incoming, &head.headers, &self.room).await?;
        let (request, room) = body::unpack(packed, &form, room)?;
        let entries = self.entries(&request, &form)?;
        drop(request);
        let taken = tokio::time::timeout(SAFE, self.settle(entries)).await;
        drop(room);
        taken.unwrap_or_else(|_| {
            let text = "the lines are not safe yet: is the disk full or slow? send them again";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "slow", text))
        })
    }

    async fn allowed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let expected = credentials.header().await.map_err(|error| {
            tracing::warn!("who may push cannot be told: {error}");
            let text = "the credentials of this door cannot be read; see the collector's log";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "credentials", text)
        })?;
        let given = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        // Each byte is looked at, so that the time that it takes tells nothing.
        let differences = given.iter().zip(expected.as_bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        if given.len() == expected.as_bytes().len() && differences == 0 {
            return Ok(());
        }
        let text = "these are not the credentials that this door takes";
        Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", text))
    }

    fn entries(&self, request: &[u8], form: &Form) -> Result<Entries, Refusal> {
        let mut entries = Entries::new(self.door.clock.now_ns(), self.discover);
        let read = match form.json {
            true => read_json(request, &mut entries),
            false => read_protobuf(request, &mut entries),
        };
        match read {
            Ok(()) => Ok(entries),
            Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, "malformed", error.to_string())),
        }
    }

    /// Sends the entries on, and waits until they are safe.
    async fn settle(&self, entries: Entries) -> Result<(), Refusal> {
        let taken = entries.end();
        let mut words = Vec::with_capacity(taken.pieces.len());
        for piece in taken.pieces {
            let (ticket, word) = self.books().awaited_ticket(piece.len() as u64);
            self.door.send(Body::Entries(piece), ticket).await?;
            words.push(word);
        }
        self.books().took(taken.lines, taken.bytes, taken.cut);
        for word in words {
            match word.await {
                Ok(Settled::Dropped(Reason::Full | Reason::Age | Reason::Disk)) | Err(_) => {
                    let text = "the lines could not be kept: is the disk full? send them again";
                    return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not_kept", text));
                }
                // What stages or outputs did not want, nobody has to send again.
                Ok(_) => {}
            }
        }
        match taken.refused {
            None => Ok(()),
            Some(text) => Err(Refusal::new(StatusCode::BAD_REQUEST, "labels", text)),
        }
    }
}

fn response(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let text = if text.is_empty() { Bytes::new() } else { Bytes::from(format!("{text}\n")) };
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
