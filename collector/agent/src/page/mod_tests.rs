use axum::body::Body;
use axum::http::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http_body_util::BodyExt;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use taffrail_core::{FamilyInfo, Kind, SeriesDef};

use super::*;
use crate::component::Key;
use crate::status::{ExporterStatus, Failure, OutputStatus, ProcessStatus, SubjectStatus};

/// 2026-01-01 in nanoseconds.
const NOW_NS: i64 = 1_767_225_600_000_000_000;

fn state() -> PageState {
    let clock = Clock::manual(NOW_NS);
    let tail = Arc::new(Tail::new(clock.clone()));
    PageState { live: Arc::default(), tail, board: Arc::default(), cardinality: Arc::default(), clock }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn ask(state: &PageState, path: &str, tag: Option<&str>) -> Answer {
    let mut request = Request::builder().uri(path);
    if let Some(tag) = tag {
        request = request.header(IF_NONE_MATCH, tag);
    }
    let service = TowerToHyperService::new(routes(state.clone()));
    let response =
        hyper::service::Service::call(&service, request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}

#[tokio::test]
async fn the_page_names_the_host_and_holds_nothing_that_its_policy_forbids() {
    let state = state();
    *lock(&state.board.process) =
        ProcessStatus { instance: "<b>web-1</b>".into(), version: "1.2.3", ..Default::default() };
    let page = ask(&state, "/", None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        !page.body.contains("<b>web-1</b>") && page.body.contains("web-1"),
        "names are text, never markup"
    );
    let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(
        !page.body.contains("style=") && !page.body.contains("<style") && !page.body.contains(" onclick")
    );
    for script in page.body.split("<script").skip(1) {
        assert!(script.split('>').next().unwrap().contains("src=\"/assets/"), "an inline script");
    }
}

#[tokio::test]
async fn every_file_that_the_page_and_its_modules_name_is_there() {
    let state = state();
    let mut todo = vec!["/".to_owned()];
    let mut seen: Vec<String> = vec![];
    while let Some(path) = todo.pop() {
        if seen.contains(&path) {
            continue;
        }
        let answer = ask(&state, &path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let quoted = answer.body.split(['"', '\'']).skip(1).step_by(2);
        if path == "/" {
            todo.extend(answer.body.split('"').filter(|w| w.starts_with("/assets/")).map(str::to_owned));
        } else if path.ends_with(".js") && !path.contains("uplot") {
            todo.extend(quoted.filter_map(|w| w.strip_prefix("./")).map(|w| format!("/assets/{w}")));
        }
        seen.push(path);
    }
    assert!(seen.len() > 9, "{seen:?}");
}

#[tokio::test]
async fn a_file_comes_once_and_is_then_only_confirmed() {
    let state = state();
    let first = ask(&state, "/assets/page.js", None).await;
    assert_eq!(first.headers[CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(first.headers["x-content-type-options"], "nosniff");
    let tag = first.headers[ETAG].to_str().unwrap();
    let again = ask(&state, "/assets/page.js", Some(tag)).await;
    assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(ask(&state, "/assets/page.js", Some("\"old\"")).await.status, StatusCode::OK);
    assert_eq!(ask(&state, "/assets/../Cargo.toml", None).await.status, StatusCode::NOT_FOUND);
}

fn load(state: &PageState, ts_ms: i64, value: f64) {
    let family = FamilyInfo { name: "node_load1".into(), kind: Kind::Gauge, help: "Load.".into() };
    let def = SeriesDef { family: Arc::new(family), suffix: "", labels: [].into() };
    state.live.record("host", ts_ms, &mut [(&def, value)].into_iter());
}

#[tokio::test]
async fn charts_give_rows_and_only_new_ones_when_asked() {
    let state = state();
    let now = NOW_NS / 1_000_000;
    load(&state, now - 15_000, 1.5);
    load(&state, now, f64::NAN);
    let all = ask(&state, "/api/v1/charts", None).await.json();
    assert_eq!(all["now_ms"], json!(now));
    assert_eq!(all["charts"][0]["id"], "load");
    assert_eq!(all["charts"][0]["t"], json!([now - 15_000, now]));
    assert_eq!(all["charts"][0]["series"][0]["values"], json!([1.5, null]), "not a number is null");
    let new = ask(&state, &format!("/api/v1/charts?since={}", now - 15_000), None).await.json();
    assert_eq!(new["charts"][0]["t"], json!([now]));
}

#[tokio::test]
async fn logs_are_filtered_by_words_and_stream() {
    let state = state();
    state.tail.push_chunk("{job=\"a\"}", b"level=error msg=\"Connection reset\"", NOW_NS);
    state.tail.push_chunk("{job=\"b\"}", b"GET /health 200\nGET /cart 500\n", NOW_NS);
    let seqs = async |query: &str| {
        let answer = ask(&state, &format!("/api/v1/logs?{query}"), None).await.json();
        let lines = answer["lines"].as_array().unwrap().clone();
        lines.iter().map(|l| l["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(seqs("").await, [1, 2, 3]);
    assert_eq!(seqs("after=1&limit=1").await, [3]);
    assert_eq!(seqs("filter=get%20-health").await, [3]);
    assert_eq!(seqs("stream=%7Bjob%3D%22a%22%7D").await, [1]);
    let all = ask(&state, "/api/v1/logs", None).await.json();
    assert_eq!(all["streams"], json!(["{job=\"a\"}", "{job=\"b\"}"]));
    assert_eq!(
        all["lines"][0],
        json!({"seq": 1, "ts_ms": NOW_NS / 1_000_000, "stream": "{job=\"a\"}", "level": "error", "cut": false,
               "text": "level=error msg=\"Connection reset\""})
    );
}

#[tokio::test]
async fn the_status_says_what_is_wrong() {
    let state = state();
    assert_eq!(ask(&state, "/api/v1/status", None).await.json()["ok"], true);
    let failure = Failure { at_ms: NOW_NS / 1_000_000, text: "refused".into() };
    let subject = SubjectStatus {
        name: "cpu".into(),
        last_run_ms: 1,
        last_error: Some(failure.clone()),
        ..Default::default()
    };
    let exporter = ExporterStatus { name: "host".into(), subjects: vec![subject], ..Default::default() };
    state.board.exporter(Key::new("exporter", "host"), exporter);
    let output = OutputStatus {
        kind: "loki",
        name: "loki".into(),
        retrying: Some("refused".into()),
        lag_s: f64::NAN,
        ..Default::default()
    };
    state.board.output(Key::new("loki", "loki"), output);
    let status = ask(&state, "/api/v1/status", None).await.json();
    assert_eq!(status["ok"], false);
    let parts: Vec<_> = status["problems"].as_array().unwrap().iter().map(|p| p["part"].clone()).collect();
    assert_eq!(parts, ["output", "subject"]);
    assert_eq!(status["outputs"][0]["lag_s"], Value::Null, "not a number is null");
    assert!(status["page"]["tail_bytes"].is_u64());
}

#[tokio::test]
async fn bad_parameters_are_refused_with_what_would_be_right() {
    let state = state();
    for (path, why) in [
        ("/api/v1/logs?limit=many", "limit=\"many\": expected a whole number from 0 to 1000"),
        ("/api/v1/logs?limit=1001", "limit=\"1001\": expected a whole number from 0 to 1000"),
        ("/api/v1/logs?after=-1", "after=\"-1\": expected a whole number from 0 to 18446744073709551615"),
        ("/api/v1/charts?since=1.5", "since=\"1.5\": expected a whole number from 0 to 9223372036854775807"),
        ("/api/v1/charts?sinse=1", "unknown parameter \"sinse\": expected since"),
        ("/api/v1/status?x=1", "unknown parameter \"x\": expected targets"),
        ("/api/v1/status?targets=some", "targets=\"some\": expected all or none"),
        ("/api/v1/targets?state=bad", "state=\"bad\": expected active, up, down, unknown, dropped"),
        ("/api/v1/logs?y=1&x", "unknown parameter"),
    ] {
        let answer = ask(&state, path, None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(why), "{path}: {error}");
    }
    let long = format!("/api/v1/logs?filter={}", "x".repeat(5000));
    assert!(ask(&state, &long, None).await.json()["error"].as_str().unwrap().contains("at most 4096"));
}
