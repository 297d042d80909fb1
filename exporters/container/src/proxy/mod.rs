//! A filter in front of the engine's API. Who may use the engine's socket is root on its machine; who may use this one may
//! look at containers: a few paths, GET alone, and of the answers only what is listed ([`keep`]). What a container was
//! started with (its environment, its command) is not among it.
//!
//! The filter writes each request to the engine anew, from what it has understood of it: nothing is passed on as it came.

mod events;
mod keep;
mod rules;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::inventory::{Client, EngineError};
use events::Events;
use rules::{Ask, Refused};

/// The most connections at a time; further ones wait to be accepted. Each log that is followed is one.
const CONNECTIONS: usize = 256;
/// The most answers at a time that are held in memory; further ones wait.
const ANSWERS: usize = 4;
/// The largest answer: some five thousand containers.
const MAX_ANSWER: usize = 8 << 20;
/// The largest head of a request.
const MAX_HEAD: usize = 16 << 10;
/// How long a client may take for the head of a request, the wait for its next one included.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long the engine may take for a whole answer: to count what containers have written may take it that long.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The pause after no connection could be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// What an answer's body may be.
type Answer = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The version of the engine's API, by which clients choose theirs.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// A filter in front of one engine.
#[derive(Clone, Debug)]
pub struct Proxy {
    engine: Client,
    answers: Arc<Semaphore>,
}

impl Proxy {
    /// In front of `engine`.
    pub fn new(engine: Client) -> Self {
        let engine = engine.within(ANSWER_WITHIN).at_most(MAX_ANSWER);
        Proxy { engine, answers: Arc::new(Semaphore::new(ANSWERS)) }
    }

    /// Serves whoever connects, until `stop`.
    pub async fn serve(&self, listener: UnixListener, stop: CancellationToken) {
        stop.run_until_cancelled(self.accept(listener)).await;
    }

    async fn accept(&self, listener: UnixListener) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        // It fails when it is closed, which nobody does.
        while let Ok(place) = room.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let proxy = self.clone();
                    tokio::spawn(async move {
                        proxy.connection(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "no connection can be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn connection(&self, stream: UnixStream) {
        let answer = service_fn(|request| async move { Ok::<_, Infallible>(self.answer(&request).await) });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), answer)
            .await;
        if let Err(error) = served {
            debug!(%error, "a connection broke");
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Answer> {
        let judged = match request.body().is_end_stream() {
            true => rules::judge(request.method(), request.uri()),
            false => Err(Refused("a request with a body is refused".to_owned())),
        };
        let ask = match judged {
            Ok(ask) => ask,
            Err(Refused(why)) => {
                warn!(method = %request.method(), path = request.uri().path(), "refused: {why}");
                return message(StatusCode::FORBIDDEN, &why);
            }
        };
        let answered = match ask {
            Ask::Ping => self.ping(request.method()).await,
            Ask::Whole { path, keep } => self.whole(&path, keep).await.map(|value| json_answer(&value)),
            Ask::Events { path } => self.engine.follow(&path).await.map(|body| {
                let body = Events::new(body).map_err(Into::into).boxed_unsync();
                answer(body, HeaderValue::from_static("application/json"))
            }),
            Ask::Logs { path } => self.logs(&path).await,
        };
        answered.unwrap_or_else(|error| {
            debug!(%error, "the engine did not answer");
            match &error {
                EngineError::Status { status, message: said, .. } => message(*status, said),
                EngineError::Late { .. } => message(StatusCode::GATEWAY_TIMEOUT, &away(&error)),
                _ => message(StatusCode::BAD_GATEWAY, &away(&error)),
            }
        })
    }

    /// Whether the engine answers, with the version by which clients ask on.
    async fn ping(&self, method: &Method) -> Result<Response<Answer>, EngineError> {
        let version = self.whole("/version", &keep::VERSION).await?;
        let text = if method == Method::HEAD { Bytes::new() } else { Bytes::from_static(b"OK") };
        let mut answer = answer(full(text), HeaderValue::from_static("text/plain; charset=utf-8"));
        let version = version["ApiVersion"].as_str().and_then(|text| HeaderValue::from_str(text).ok());
        answer.headers_mut().extend(version.map(|version| (API_VERSION, version)));
        Ok(answer)
    }

    async fn whole(&self, path: &str, keep: &keep::Keep) -> Result<Value, EngineError> {
        let late = || EngineError::Late { path: path.to_owned(), after: ANSWER_WITHIN };
        let room = timeout(ANSWER_WITHIN, self.answers.acquire()).await;
        let _room = room.map_err(|_| late())?.map_err(|_| late())?;
        let body = self.engine.get(path).await?;
        let value: Value = serde_json::from_slice(&body)
            .map_err(|error| EngineError::Json { path: path.to_owned(), what: error.to_string() })?;
        Ok(keep.of(value))
    }

    async fn logs(&self, path: &str) -> Result<Response<Answer>, EngineError> {
        let (head, body) = self.engine.stream(path).await?.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).cloned();
        let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
        Ok(answer(body.map_err(Into::into).boxed_unsync(), kind))
    }
}

fn away(error: &EngineError) -> String {
    format!("the engine behind this filter: {error}")
}

fn full(text: impl Into<Bytes>) -> Answer {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

fn answer(body: Answer, kind: HeaderValue) -> Response<Answer> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn json_answer(value: &Value) -> Response<Answer> {
    answer(full(value.to_string()), HeaderValue::from_static("application/json"))
}

/// What went wrong, as the engine itself says it, so that its clients show it.
fn message(status: StatusCode, text: &str) -> Response<Answer> {
    let mut response = json_answer(&json!({ "message": text }));
    *response.status_mut() = status;
    response
}
