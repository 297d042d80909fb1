//! The page's API: JSON over the last hour, the log tail and the pipeline. `docs/reference/api.md` describes it.

use std::collections::HashMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::filter::Filter;
use super::health::{Problem, problems};
use super::level::{self, Level};
use super::live::LiveView;
use super::tail;
use super::{PageState, assets};
use crate::status::Snapshot;

/// Lines given when `limit` is not.
const LIMIT: usize = 200;
/// The longest filter or stream, in bytes.
const TEXT_BYTES: usize = 4096;

pub(super) type Parameters = Result<Query<HashMap<String, String>>, QueryRejection>;

#[derive(Serialize)]
struct Charts {
    now_ms: i64,
    #[serde(flatten)]
    view: LiveView,
}

#[derive(Serialize)]
struct Logs {
    now_ms: i64,
    last: u64,
    missed: u64,
    skipped_bytes: u64,
    streams: Vec<String>,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    seq: u64,
    ts_ms: i64,
    stream: String,
    text: String,
    level: Option<Level>,
    cut: bool,
}

#[derive(Serialize)]
struct Status {
    ok: bool,
    problems: Vec<Problem>,
    page: PageMemory,
    #[serde(flatten)]
    snapshot: Snapshot,
}

#[derive(Serialize)]
struct PageMemory {
    chart_bytes: usize,
    tail_bytes: usize,
}

/// `GET /api/v1/charts?since=MS`
pub(super) async fn charts(State(page): State<PageState>, parameters: Parameters) -> Response {
    let since = known(parameters, &["since"]).and_then(|p| number(&p, "since", 0, i64::MAX));
    answer(since.map(|since| Charts { now_ms: page.clock.now_ms(), view: page.live.view(since) }))
}

/// `GET /api/v1/logs?after=SEQ&filter=WORDS&stream=LABELS&limit=N`
pub(super) async fn logs(State(page): State<PageState>, parameters: Parameters) -> Response {
    answer(known(parameters, &["after", "filter", "stream", "limit"]).and_then(|p| read_logs(&page, &p)))
}

/// `GET /api/v1/status?targets=all|none`
pub(super) async fn status(State(page): State<PageState>, parameters: Parameters) -> Response {
    let targets = known(parameters, &["targets"]).and_then(|p| match text(&p, "targets")? {
        "" | "all" => Ok(true),
        "none" => Ok(false),
        other => Err(format!("targets={other:?}: expected all or none")),
    });
    answer(targets.map(|targets| {
        let mut snapshot = page.board.snapshot(page.clock.now_ms());
        if targets {
            snapshot.jobs = page.board.jobs().iter().map(|place| place.whole()).collect();
        }
        let problems = problems(&snapshot);
        let memory = PageMemory { chart_bytes: page.live.bytes(), tail_bytes: page.tail.bytes() };
        Status { ok: problems.is_empty(), problems, page: memory, snapshot }
    }))
}

fn read_logs(page: &PageState, parameters: &HashMap<String, String>) -> Result<Logs, String> {
    let after = number(parameters, "after", 0, u64::MAX)?;
    let limit = number(parameters, "limit", LIMIT, tail::LINES)?;
    let filter = Filter::parse(text(parameters, "filter")?);
    let stream = text(parameters, "stream")?;
    let wanted =
        |entry: &tail::Entry| (stream.is_empty() || *entry.stream == *stream) && filter.passes(&entry.text);
    let kept = page.tail.read(after, limit, wanted);
    let line = |entry: tail::Entry| Line {
        seq: entry.seq,
        ts_ms: entry.ts_ns.div_euclid(1_000_000),
        stream: entry.stream.to_string(),
        level: level::detect(&entry.text),
        text: entry.text.into(),
        cut: entry.cut,
    };
    Ok(Logs {
        now_ms: page.clock.now_ms(),
        last: kept.last,
        missed: kept.missed,
        skipped_bytes: kept.skipped_bytes,
        streams: page.tail.streams().iter().map(ToString::to_string).collect(),
        lines: kept.lines.into_iter().map(line).collect(),
    })
}

/// The parameters, if all of them are known: a misspelt one would be ignored without a word.
pub(super) fn known(parameters: Parameters, names: &[&str]) -> Result<HashMap<String, String>, String> {
    let Query(parameters) = parameters.map_err(|e| format!("the query does not read: {e}"))?;
    match parameters.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown parameter {name:?}: expected {}", names.join(", "))),
        None => Ok(parameters),
    }
}

/// A whole number from 0 to `most`.
pub(super) fn number<T>(
    parameters: &HashMap<String, String>,
    name: &str,
    default: T,
    most: T,
) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + Default + std::fmt::Display + Copy,
{
    let Some(text) = parameters.get(name) else { return Ok(default) };
    match text.parse::<T>() {
        Ok(n) if n >= T::default() && n <= most => Ok(n),
        _ => Err(format!("{name}={text:?}: expected a whole number from 0 to {most}")),
    }
}

pub(super) fn text<'a>(parameters: &'a HashMap<String, String>, name: &str) -> Result<&'a str, String> {
    let text = parameters.get(name).map_or("", String::as_str);
    if text.len() > TEXT_BYTES {
        return Err(format!("{name} has {} bytes: at most {TEXT_BYTES} are taken", text.len()));
    }
    Ok(text)
}

/// JSON: the answer, or 400 and why.
pub(super) fn answer<T: Serialize>(result: Result<T, String>) -> Response {
    let mut headers: HeaderMap = assets::guarded();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match result {
        Ok(body) => (headers, Json(body)).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, headers, Json(HashMap::from([("error", why)]))).into_response(),
    }
}
