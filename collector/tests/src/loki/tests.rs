//! What the double takes and refuses, through its door.

use prost::Message;

use super::*;
use crate::http::{Client, Response};
use crate::wire::{Label, LogEntry, LogStream, Timestamp};

const SECOND: i64 = 1_000_000_000;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_nanos() as i64
}

fn entry(ns: i64, line: &str) -> LogEntry {
    LogEntry {
        timestamp: Some(Timestamp { seconds: ns.div_euclid(SECOND), nanos: ns.rem_euclid(SECOND) as i32 }),
        line: line.into(),
        metadata: Vec::new(),
    }
}

fn stream(labels: &str, entries: Vec<LogEntry>) -> LogStream {
    LogStream { labels: labels.into(), entries }
}

fn send(loki: &LokiDouble, streams: Vec<LogStream>) -> Response {
    send_as(loki, &[], streams)
}

fn send_as(loki: &LokiDouble, headers: &[(&str, &str)], streams: Vec<LogStream>) -> Response {
    let raw = PushRequest { streams }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&raw).unwrap();
    let mut all = vec![("content-type", "application/x-protobuf")];
    all.extend_from_slice(headers);
    let client = Client::new(loki.port());
    client.post("/loki/api/v1/push", &all, &body).unwrap()
}

#[track_caller]
fn refused(response: &Response, status: u16, text: &str) {
    assert_eq!(response.status, status, "{}", response.text());
    assert!(response.text().contains(text), "{}", response.text());
}

#[test]
fn takes_a_push_and_shows_it() {
    let loki = LokiDouble::start().unwrap();
    let at = now();
    let mut with_metadata = entry(at, "hello");
    with_metadata.metadata = vec![Label { name: "trace_id".into(), value: "7".into() }];
    let pushed = stream(r#"{job="a", host="h"}"#, vec![entry(at + 1, "later"), with_metadata]);
    assert_eq!(send(&loki, vec![pushed]).status, 204);
    assert_eq!(loki.lines(&[("job", "a")]), ["hello", "later"]);
    assert!(loki.lines(&[("job", "b")]).is_empty());

    let json = Client::new(loki.port()).get_ok("/entries").unwrap();
    let shown: Vec<StoredStream> = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(shown, loki.streams());
    assert_eq!(shown[0].tenant, "fake");
    assert_eq!(shown[0].entries[0].metadata["trace_id"], "7");
    assert_eq!(Client::new(loki.port()).get("/ready").unwrap().status, 200);
}

#[test]
fn refuses_what_is_malformed() {
    let loki = LokiDouble::start().unwrap();
    let client = Client::new(loki.port());
    let post =
        |headers: &[(&str, &str)], body: &[u8]| client.post("/loki/api/v1/push", headers, body).unwrap();
    let protobuf = ("content-type", "application/x-protobuf");
    refused(&post(&[protobuf], b"\xff\xff\xff\xff\xff\xff"), 400, "snappy");
    let body = snap::raw::Encoder::new().compress_vec(b"\x0a\xff").unwrap();
    refused(&post(&[protobuf], &body), 400, "protobuf");
    refused(&post(&[], &body), 400, "mime: no media type");
    refused(&post(&[("content-type", "text/plain")], &body), 400, "protobuf only");
    let gzip = ("content-encoding", "gzip");
    refused(&post(&[protobuf, gzip], &body), 400, "not supported");
    refused(&send(&loki, vec![]), 422, "at least one valid stream");
    let bad = stream(r#"{a="b"#, vec![entry(now(), "x")]);
    let good = stream(r#"{a="b"}"#, vec![entry(now(), "x")]);
    refused(&send(&loki, vec![good, bad]), 400, "couldn't parse labels");
    assert!(loki.streams().is_empty(), "a bad label text refuses all");
}

#[test]
fn refuses_labels_and_entries_beyond_the_limits_and_takes_the_rest() {
    let loki = LokiDouble::start().unwrap();
    let at = now();
    let labels = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("l{i}=\"v\"")).collect();
        format!("{{{}}}", names.join(","))
    };
    let long = "x".repeat(300 << 10);
    for (pushed, text) in [
        (stream("{}", vec![entry(at, "a")]), "at least one label pair"),
        (stream(&labels(16), vec![entry(at, "a")]), "has 16 label names; limit 15"),
        (stream(&format!("{{{}=\"v\"}}", "n".repeat(1025)), vec![entry(at, "a")]), "has label name too long"),
        (
            stream(&format!("{{a=\"{}\"}}", "v".repeat(2049)), vec![entry(at, "a")]),
            "has label value too long",
        ),
        (stream("{a=\"b\"}", vec![entry(at, &long)]), "max entry size '262144' bytes exceeded"),
        (stream("{a=\"b\"}", vec![entry(at - 8 * 86_400 * SECOND, "a")]), "has timestamp too old"),
        (stream("{a=\"b\"}", vec![entry(at + 3600 * SECOND, "a")]), "has timestamp too new"),
    ] {
        let good = stream(r#"{job="good"}"#, vec![entry(at, text)]);
        refused(&send(&loki, vec![pushed, good]), 400, text);
    }
    assert_eq!(loki.lines(&[("job", "good")]).len(), 7);
    assert_eq!(loki.streams().len(), 1, "nothing of what was refused");
    // service_name comes on top of the fifteen.
    let with_service = labels(15).replace('}', ",service_name=\"s\"}");
    assert_eq!(send(&loki, vec![stream(&with_service, vec![entry(at, "a")])]).status, 204);
}

#[test]
fn refuses_only_the_entries_too_far_behind() {
    let loki = LokiDouble::start().unwrap();
    let at = now();
    let behind = at - 3601 * SECOND;
    let labels = r#"{job="a"}"#;
    let within = entry(at - 3599 * SECOND, "within");
    let pushed = stream(labels, vec![entry(at, "new"), entry(behind, "old"), within]);
    let response = send(&loki, vec![pushed]);
    refused(&response, 400, "reason: 'entry too far behind, entry timestamp is: ");
    refused(&response, 400, "user 'fake', total ignored: 1 out of 3 for stream: {job=\"a\"}");
    assert_eq!(loki.lines(&[]), ["within", "new"]);
    // Another stream has a window of its own.
    let other = stream(r#"{job="b"}"#, vec![entry(behind, "old")]);
    assert_eq!(send(&loki, vec![other]).status, 204);
    // No more than ten entries are named.
    let many: Vec<LogEntry> = (0..20).map(|i| entry(behind + i, "old")).collect();
    let response = send(&loki, vec![stream(labels, many)]);
    refused(&response, 400, "total ignored: 20 out of 20");
    assert_eq!(response.text().matches("entry with timestamp").count(), 10);
}

#[test]
fn tells_of_the_last_stream_only() {
    let loki = LokiDouble::start().unwrap();
    let at = now();
    let push = || {
        let behind = stream(r#"{job="a"}"#, vec![entry(at, "new"), entry(at - 7200 * SECOND, "old")]);
        send(&loki, vec![behind, stream(r#"{job="b"}"#, vec![entry(at, "b")])])
    };
    assert_eq!(push().status, 204, "Loki forgets the refusal in the first stream");
    loki.set_limits(Limits { last_stream_tells: false, ..Limits::default() });
    refused(&push(), 400, "total ignored: 1 out of 2");
}

#[test]
fn drops_equal_entries_without_a_word() {
    let loki = LokiDouble::start().unwrap();
    let at = now();
    let entries = vec![entry(at, "a"), entry(at, "b"), entry(at, "a")];
    for _ in 0..2 {
        let pushed = stream(r#"{job="a"}"#, entries.clone());
        assert_eq!(send(&loki, vec![pushed]).status, 204);
    }
    assert_eq!(loki.lines(&[]), ["a", "b"]);
    assert_eq!(loki.equal(), 4);
}

#[test]
fn limits_rates_and_streams_with_429() {
    let limits = Limits {
        streams: 2,
        tenant_rate: Rate { per_second: 1, burst: 1000 },
        stream_rate: Rate { per_second: 1, burst: 100 },
        whole_stream: false,
        ..Limits::default()
    };
    let loki = LokiDouble::start_with(limits).unwrap();
    let at = now();
    let line = "x".repeat(60);
    let two = vec![entry(at, &line), entry(at + 1, &line)];
    let response = send(&loki, vec![stream(r#"{job="a"}"#, two)]);
    refused(&response, 429, "Per stream rate limit exceeded (limit: 1B/sec)");
    refused(&response, 429, "total ignored: 1 out of 2 for stream: {job=\"a\"}");
    assert_eq!(loki.lines(&[]).len(), 1, "the other entry was taken");

    let b = stream(r#"{job="b"}"#, vec![entry(at, "b")]);
    let c = stream(r#"{job="c"}"#, vec![entry(at, "c")]);
    let response = send(&loki, vec![b, c]);
    refused(&response, 429, "maximum active stream limit exceeded when trying to create stream {job=\"c\"}");
    assert_eq!(loki.lines(&[("job", "b")]), ["b"]);

    let big = stream(r#"{job="b"}"#, vec![entry(at + 1, &"x".repeat(2000))]);
    let response = send(&loki, vec![big]);
    refused(&response, 429, "ingestion rate limit exceeded for user fake (limit: 1 bytes/sec)");
    // A tenant of its own has rates of its own.
    let other = stream(r#"{job="c"}"#, vec![entry(at, "c")]);
    assert_eq!(send_as(&loki, &[("x-scope-orgid", "team-b")], vec![other]).status, 204);
    let bad = stream(r#"{job="c"}"#, vec![entry(at, "c")]);
    let response = send_as(&loki, &[("x-scope-orgid", "a/b")], vec![bad]);
    refused(&response, 400, "unsupported character");
}

#[test]
fn fails_as_told_and_stores_nothing_then() {
    let loki = LokiDouble::start().unwrap();
    loki.then([Answer::status(500), Answer::Usual]);
    let pushed = || vec![stream(r#"{job="a"}"#, vec![entry(now(), "a")])];
    assert_eq!(send(&loki, pushed()).status, 500);
    assert!(loki.streams().is_empty());
    assert_eq!(send(&loki, pushed()).status, 204);
    assert_eq!(loki.lines(&[]), ["a"]);
}

#[test]
fn refuses_a_request_that_is_too_large() {
    let limits = Limits { request: 1000, ..Limits::default() };
    let loki = LokiDouble::start_with(limits).unwrap();
    let pushed = stream(r#"{job="a"}"#, vec![entry(now(), &"x".repeat(2000))]);
    refused(&send(&loki, vec![pushed]), 413, "request body too large");
}

#[test]
fn structured_metadata_may_be_off_and_its_names_may_be_none() {
    let loki = LokiDouble::start().unwrap();
    let with = |name: &str| {
        let mut entry = entry(now(), "x");
        entry.metadata = vec![Label { name: name.into(), value: "1".into() }];
        vec![stream(r#"{job="a"}"#, vec![entry])]
    };
    refused(&send(&loki, with("")), 500, "label name is empty");
    refused(&send(&loki, with("__")), 500, "resulted in invalid name");
    assert_eq!(send(&loki, with("a.b")).status, 204);
    loki.set_limits(Limits { allow_metadata: false, ..Limits::default() });
    refused(&send(&loki, with("a")), 400, "includes structured metadata, but this feature is disallowed");
}
