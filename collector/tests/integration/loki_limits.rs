//! A Loki with limits: what fits is sent, what can be put right is put right, and what is refused for good is kept and
//! can be sent again.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use taffrail_tests::loki::{Limits, Rate};
use taffrail_tests::{Answer, LokiDouble, Taffrail, wait_for};

use crate::support::{SOON, own, status, wait_for_all};

fn config(loki: &LokiDouble, source: &str, output: &str) -> String {
    format!(
        "interval: 1s
hostname: ship
self: false
logs: [{{name: app, files: {{include: [DIR/*.txt], start: beginning}}{source}}}]
outputs: {{loki: [{{url: \"{}\"{output}}}]}}
",
        loki.url()
    )
}

/// Adds numbered lines to a file, and gives them.
fn write(taffrail: &Taffrail, name: &str, numbers: std::ops::Range<usize>, tail: &str) -> Vec<String> {
    let lines: Vec<String> = numbers.map(|n| format!("level=info {name} {n}{tail}")).collect();
    let path = taffrail.dir().join(format!("{name}.txt"));
    let before = fs::read_to_string(&path).unwrap_or_default();
    fs::write(path, format!("{before}{}\n", lines.join("\n"))).unwrap();
    lines
}

fn lost(taffrail: &Taffrail, reason: &str) -> f64 {
    own(taffrail, &format!("taffrail_output_lost_total{{kind=\"loki\",output=\"loki\",reason=\"{reason}\"}}"))
}

fn wait_for_loss(taffrail: &Taffrail, reason: &str, count: f64) {
    let done = wait_for(&format!("{count} entries refused for {reason}"), SOON, || {
        let lost = lost(taffrail, reason);
        ensure!(lost >= count, "there are {lost}: {}", status(taffrail)?["outputs"]);
        Ok(())
    });
    done.unwrap();
}

/// `taffrail spool dead ARGS` on its folder.
fn dead(taffrail: &Taffrail, args: &[&str]) -> (Option<i32>, String) {
    let data_dir = format!("data_dir={}", taffrail.data_dir().display());
    let config = taffrail.config_path();
    let place = ["--config", config.to_str().unwrap(), "--set", &data_dir];
    Taffrail::command(&[&["spool", "dead"], args, &place].concat()).unwrap()
}

#[test]
fn streams_without_room_hold_up_no_other_and_can_be_sent_again() {
    let loki = LokiDouble::start_with(Limits { streams: 2, ..Limits::default() }).unwrap();
    let taffrail = Taffrail::start(&config(&loki, "", "")).unwrap();
    let mut others = [write(&taffrail, "a", 0..10, ""), write(&taffrail, "b", 0..10, "")].concat();
    wait_for_all(&loki, &[("job", "app")], &others).unwrap();
    let mut parked = write(&taffrail, "c", 0..10, "");
    wait_for_loss(&taffrail, "stream_limit", 10.0);
    let requests = own(&taffrail, "taffrail_output_requests_total{kind=\"loki\",output=\"loki\"}");
    parked.extend(write(&taffrail, "c", 10..20, ""));
    wait_for_loss(&taffrail, "stream_limit", 20.0);
    let after = own(&taffrail, "taffrail_output_requests_total{kind=\"loki\",output=\"loki\"}");
    assert!(after - requests <= 1.0, "it is not asked again for each line: {requests} {after}");
    let log = taffrail.log().unwrap();
    assert!(log.contains("the label `filename` has most values, 3"), "{log}");
    others.extend(write(&taffrail, "a", 10..20, ""));
    wait_for_all(&loki, &[("job", "app")], &others).unwrap();

    let (code, text) = dead(&taffrail, &["list"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("refused for stream_limit") && text.contains("active stream limit exceeded"),
        "{text}"
    );
    let (code, text) = dead(&taffrail, &["resend", "--match", "{filename=~\".*c.txt\"}"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("loki: 0 entries were taken, 20 refused again"), "{text}");

    loki.set_limits(Limits::default());
    let (code, text) = dead(&taffrail, &["resend", "--match", "{filename=~\".*c.txt\"}"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("loki: 20 entries were taken, 0 refused again"), "{text}");
    assert_eq!(wait_for_all(&loki, &[("job", "app")], &parked).unwrap().len(), 50);
    let (_, text) = dead(&taffrail, &["show", "--match", "{filename=~\".*c.txt\"}"]);
    assert_eq!(text, "", "they are gone");
    // What else was refused is what Taffrail itself had to say of it.
    let (_, text) = dead(&taffrail, &["drop", "--match", "{job=\"taffrail\"}"]);
    assert!(text.contains("entries are gone"), "{text}");
    assert_eq!(dead(&taffrail, &["list"]).1, "there are no dead letters\n");
}

/// Loki's answer tells of the last stream of a request only: what it refuses of another for its rate would be lost
/// without a word if it went with others.
#[test]
fn streams_beyond_their_rate_lose_nothing() {
    for whole_stream in [true, false] {
        let rate = Rate { per_second: 100 << 10, burst: 100 << 10 };
        let limits = Limits { stream_rate: rate, whole_stream, ..Limits::default() };
        let loki = LokiDouble::start_with(limits).unwrap();
        let keys = ", limits: {per_stream_rate_limit: 100KB, per_stream_rate_limit_burst: 100KB}";
        let mut taffrail = Taffrail::prepare(&config(&loki, "", keys)).unwrap();
        let mut lines = write(&taffrail, "heavy", 0..300, &" x".repeat(500));
        for i in 0..9 {
            lines.extend(write(&taffrail, &format!("z{i}"), 0..20, ""));
        }
        taffrail.restart().unwrap();
        wait_for_all(&loki, &[("job", "app")], &lines).unwrap();
        let status = status(&taffrail).unwrap();
        assert_eq!(status["outputs"][0]["lost"], serde_json::json!({}), "{status}");
        assert!(status["outputs"][0]["retries"].as_u64().unwrap() > 0, "its limit was reached: {status}");
    }
}

#[test]
fn what_loki_does_not_take_is_put_right() {
    let limits = Limits { label_names: 5, allow_metadata: true, line: 500, ..Limits::default() };
    let loki = LokiDouble::start_with(limits.clone()).unwrap();
    let source = ", labels: {a: one, b: two, c: three, d: four}";
    let taffrail = Taffrail::start(&config(&loki, source, "")).unwrap();
    let lines = write(&taffrail, "a", 0..5, "");
    write(&taffrail, "b", 0..1, &" long".repeat(300));
    wait_for_all(&loki, &[("job", "app")], &lines).unwrap();
    let all = loki.wait_for_lines(&[("job", "app")], 6, SOON).unwrap();
    assert!(all.iter().any(|line| line.len() <= 500 && line.contains("line cut")), "{all:?}");
    let stream =
        loki.streams().into_iter().find(|s| s.labels.get("job").is_some_and(|job| job == "app")).unwrap();
    let names: Vec<&str> = stream.labels.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "b", "filename", "instance", "job", "service_name"]);
    let metadata = &stream.entries[0].metadata;
    assert_eq!((metadata["c"].as_str(), metadata["d"].as_str()), ("three", "four"));
    loki.set_limits(Limits { allow_metadata: false, ..limits });
    let lines = write(&taffrail, "a", 5..10, "");
    wait_for_all(&loki, &[("job", "app")], &lines).unwrap();
    let status = status(&taffrail).unwrap();
    assert_eq!(status["outputs"][0]["lost"], serde_json::json!({}), "{status}");
    for what in ["labels", "line", "metadata"] {
        assert!(
            status["outputs"][0]["mended"][what].as_u64().is_some_and(|count| count > 0),
            "{what}: {status}"
        );
    }
}

#[test]
fn what_an_operator_has_blocked_is_kept() {
    let loki = LokiDouble::start().unwrap();
    let text = "ingestion blocked for user 'fake' until '2099-01-01T00:00:00Z' with status code '260'";
    loki.always(Answer::text(260, text));
    let taffrail = Taffrail::start(&config(&loki, "", ", tenant: shop")).unwrap();
    let lines = write(&taffrail, "a", 0..10, "");
    wait_for_loss(&taffrail, "blocked", 10.0);
    let bytes = "taffrail_output_dead_letter_bytes{kind=\"loki\",output=\"loki\"}";
    let kept = wait_for("dead letters", Duration::from_secs(10), || {
        ensure!(own(&taffrail, bytes) > 0.0, "there are none");
        Ok(())
    });
    kept.unwrap();
    let (_, text) = dead(&taffrail, &["list", "--json"]);
    let list: Value = serde_json::from_str(&text).unwrap();
    let first = &list["dead_letters"][0];
    assert_eq!(
        (first["tenant"].as_str(), first["reason"].as_str()),
        (Some("shop"), Some("blocked")),
        "{text}"
    );
    loki.always(Answer::status(503));
    let (code, text) = dead(&taffrail, &["resend"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the rest is kept") && text.contains("HTTP 503"), "{text}");
    loki.always(Answer::Usual);
    assert_eq!(dead(&taffrail, &["resend"]).0, Some(0));
    wait_for_all(&loki, &[("job", "app")], &lines).unwrap();
    assert!(loki.streams().iter().all(|stream| stream.tenant == "shop"));
}
