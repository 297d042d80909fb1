//! What is served, apart from the live page's own routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State as Extract};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use taffrail_core::Clock;
use taffrail_core::text::Format;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use crate::metrics::Pages;
use crate::own::OwnPage;
use crate::probe::endpoint::{self, Endpoint};
use crate::scrape::Relay;
use crate::status::Board;

/// What the routes read.
#[derive(Clone)]
pub struct State {
    /// The pull pages of exporters.
    pub pages: Arc<Pages>,
    /// `/metrics/scraped`.
    pub relay: Arc<Relay>,
    /// The page of own metrics.
    pub own: Arc<OwnPage>,
    /// `/probe`.
    pub probe: Arc<Endpoint>,
    /// The board.
    pub board: Arc<Board>,
    /// The one clock.
    pub clock: Clock,
    /// Asks the process for something.
    pub control: Control,
}

/// A request to reload; the answer is what went wrong, in words.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// Where requests to reload go.
#[derive(Clone, Debug)]
pub struct Control(pub mpsc::Sender<Reload>);

/// The operations' routes.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload))
        .route("/metrics", get(own))
        .route("/metrics/scraped", get(scraped))
        .route("/metrics/{exporter}", get(exporter))
        .with_state(state.clone())
        .route("/probe", get(endpoint::serve).with_state(state.probe))
}

/// Ready once every exporter has published something.
async fn ready(Extract(state): Extract<State>) -> Response {
    let snapshot = state.board.snapshot(state.clock.now_ms());
    let waiting: Vec<&str> =
        snapshot.exporters.iter().filter(|e| e.subjects.is_empty()).map(|e| e.name.as_str()).collect();
    if waiting.is_empty() {
        return "ready\n".into_response();
    }
    let text = format!("not ready: no values yet from {}\n", waiting.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn reload(Extract(state): Extract<State>) -> Response {
    let (answer, answered) = oneshot::channel();
    if state.control.0.send(answer).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match answered.await {
        Ok(Ok(())) => "reloaded\n".into_response(),
        Ok(Err(text)) => (StatusCode::BAD_REQUEST, format!("{text}\n")).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

async fn own(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let format = wanted(&headers);
    match state.own.render(format) {
        Ok(page) => ([(CONTENT_TYPE, format.content_type())], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn exporter(Extract(state): Extract<State>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let format = wanted(&headers);
    match state.pages.render(&name, format, state.clock.now_ms()) {
        Some(page) => ([(CONTENT_TYPE, format.content_type())], page).into_response(),
        None => {
            let names = state.pages.names().join(", ");
            let text = format!("there is no exporter {name:?} here; there is: {names}\n");
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

/// What targets said, of the jobs that are relayed.
async fn scraped(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let format = wanted(&headers);
    let utf8 = accepted(&headers).contains("escaping=allow-utf-8");
    // It may be many megabytes.
    let made = spawn_blocking(move || state.relay.render(format, utf8, state.clock.now_ms())).await;
    match made {
        Ok(Some(page)) => {
            let escaping = if utf8 { "; escaping=allow-utf-8" } else { "" };
            ([(CONTENT_TYPE, format!("{}{escaping}", format.content_type()))], page).into_response()
        }
        Ok(None) => {
            let text = "no job is relayed: set `relay: true` in a job of scrape_configs, or in `global`\n";
            (StatusCode::NOT_FOUND, text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn wanted(headers: &HeaderMap) -> Format {
    Format::negotiate(accepted(headers))
}

fn accepted(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default()
}
