//! The live page: this host over the last hour, the log tail, and the pipeline itself, in bounded memory.

mod api;
mod assets;
mod cardinality;
pub mod charts;
pub mod facts;
pub mod filter;
pub mod health;
pub mod level;
pub mod live;
pub mod tail;
mod targets;
pub mod track;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use taffrail_core::Clock;

use crate::metrics::Cardinality;
use crate::status::{Board, lock};

pub use live::Live;
pub use tail::Tail;

/// What the page shows, and the clock it shows it by.
#[derive(Clone, Debug)]
pub struct PageState {
    /// The last hour of metrics.
    pub live: Arc<Live>,
    /// The last log lines.
    pub tail: Arc<Tail>,
    /// The state of the pipeline.
    pub board: Arc<Board>,
    /// Where series are counted.
    pub cardinality: Arc<Cardinality>,
    /// The one clock.
    pub clock: Clock,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    instance: String,
    version: &'static str,
}

/// `/`, `/assets/…`, and `/api/v1/{cardinality,charts,logs,status,targets}`. Hosts and origins are not checked here: wrap the server's whole
/// router with [`guard`](crate::server::guard::guard).
pub fn routes(state: PageState) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/{*name}", get(asset))
        .route("/api/v1/cardinality", get(cardinality::cardinality))
        .route("/api/v1/charts", get(api::charts))
        .route("/api/v1/logs", get(api::logs))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/targets", get(targets::targets))
        .with_state(state)
}

async fn page(State(state): State<PageState>) -> Response {
    let process = lock(&state.board.process).clone();
    let page = Page { instance: process.instance, version: process.version };
    match page.render() {
        Ok(html) => (assets::guarded(), [(CACHE_CONTROL, "no-cache")], Html(html)).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    assets::serve(&name, &headers)
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
