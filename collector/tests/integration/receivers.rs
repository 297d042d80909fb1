//! Receivers that refuse, stay silent or talk nonsense: nothing is lost, and what is wrong is said in plain words.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use prost::Message;
use taffrail_tests::loki::Limits;
use taffrail_tests::{
    Answer, Gate, Label, LokiDouble, Prometheus, Receiver, Sample, Taffrail, TimeSeries, Version,
    WriteRequest, free_port, wait_for,
};

use crate::support::{
    SOON, accepted_lines, accepted_samples, accepted_times, own, status, times, wait_for_all, wait_for_peace,
    wait_for_problem, widest,
};

const OUTPUTS: [&str; 2] = ["prometheus", "loki"];

fn config(prometheus: &str, loki: &str) -> String {
    format!(
        "interval: 1s
hostname: ship
self: false
host: {{subjects: {{filesystem: false, netclass: false}}}}
logs: [{{name: app, files: {{include: [DIR/*.txt], start: beginning}}}}]
outputs:
  prometheus: [{prometheus}]
  loki: [{loki}]
"
    )
}

fn output(port: u16) -> String {
    format!("{{url: \"http://127.0.0.1:{port}\", timeout: 1s}}")
}

fn seconds_now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A log file that a test writes numbered lines to.
struct Lines {
    file: File,
    written: Vec<String>,
}

impl Lines {
    fn of(taffrail: &Taffrail) -> Self {
        Self { file: File::create(taffrail.dir().join("app.txt")).unwrap(), written: Vec::new() }
    }

    fn write(&mut self, count: usize) {
        for _ in 0..count {
            let line = format!("line {}", self.written.len());
            writeln!(self.file, "{line}").unwrap();
            self.written.push(line);
        }
    }
}

/// Waits until the receiver has accepted every line, and gives them.
fn wait_for_lines(receiver: &Receiver, wanted: usize) -> Vec<String> {
    let lines = wait_for("all lines at the receiver", SOON, || {
        let lines = accepted_lines(receiver);
        anyhow::ensure!(lines.len() >= wanted, "{} of {wanted} came", lines.len());
        Ok(lines)
    });
    lines.unwrap()
}

/// Waits for a sample that was taken after now, without a gap before it.
fn wait_for_samples(receiver: &Receiver, metric: &str) -> Vec<f64> {
    let from = seconds_now();
    let all = wait_for("a fresh sample at the receiver", SOON, || {
        let times = accepted_times(receiver, metric);
        let last = times.iter().copied().fold(0.0, f64::max);
        anyhow::ensure!(last > from, "the last is {} s old", from - last);
        Ok(times)
    });
    all.unwrap()
}

/// What a receiver may do instead of taking a request, and the words that tell a person.
fn troubles() -> [(Answer, &'static [&'static str]); 8] {
    [
        (Answer::text(401, "who are you"), &["HTTP 401", "credentials", "who are you"]),
        (Answer::status(403), &["HTTP 403", "credentials"]),
        (Answer::status(404), &["HTTP 404", "`url`"]),
        (Answer::text(429, "easy"), &["HTTP 429", "slow down"]),
        (Answer::text(500, "disk on fire"), &["HTTP 500", "fault", "disk on fire"]),
        (Answer::Garbage, &["no answer from"]),
        (Answer::Close, &["no answer from"]),
        (Answer::Hang(Duration::from_secs(60)), &["no answer from", "within 1 s"]),
    ]
}

#[test]
fn whatever_a_receiver_does_instead_nothing_is_lost_and_it_is_said_why() {
    let (prometheus, loki) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    let taffrail = Taffrail::start(&config(&output(prometheus.port()), &output(loki.port()))).unwrap();
    let mut lines = Lines::of(&taffrail);
    for (answer, words) in troubles() {
        prometheus.always(answer.clone());
        loki.always(answer.clone());
        lines.write(20);
        for kind in OUTPUTS {
            let name = format!("output {kind}");
            let told = wait_for_problem(&taffrail, &[&[name.as_str(), "is tried again"], words].concat());
            told.unwrap_or_else(|err| panic!("{answer:?}: {err:#}"));
            let retrying = format!("taffrail_output_retrying{{kind=\"{kind}\",output=\"{kind}\"}}");
            assert_eq!(own(&taffrail, &retrying), 1.0, "{answer:?} {kind}");
        }
        prometheus.always(Answer::Usual);
        loki.always(Answer::Usual);
        wait_for_peace(&taffrail).unwrap_or_else(|err| panic!("{answer:?}: {err:#}"));
    }
    assert_eq!(wait_for_lines(&loki, lines.written.len()), lines.written, "each once and in order");
    let load = wait_for_samples(&prometheus, "node_load1");
    assert!(widest(load.clone()) < 1.9, "a gap: {load:?}");
    for (series, times) in accepted_samples(&prometheus) {
        assert!(times.is_sorted_by(|a, b| a < b), "{series} came twice or out of order: {times:?}");
    }
    let status = status(&taffrail).unwrap();
    for output in status["outputs"].as_array().unwrap() {
        assert_eq!(output["lost"], serde_json::json!({}), "{output}");
        assert!(output["retries"].as_u64().unwrap() >= 8, "{output}");
        assert!(!output["last_error"]["text"].as_str().unwrap().is_empty(), "kept after success: {output}");
    }
}

#[test]
fn retry_after_is_kept_to() {
    let (prometheus, loki) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    for receiver in [&prometheus, &loki] {
        receiver.then([Answer::too_many(3)]);
    }
    let taffrail = Taffrail::start(&config(&output(prometheus.port()), &output(loki.port()))).unwrap();
    Lines::of(&taffrail).write(3);
    for receiver in [&prometheus, &loki] {
        let came = receiver.wait_for(2, SOON).unwrap();
        assert!(!came[0].accepted && came[1].accepted);
        let waited = came[1].request.at.duration_since(came[0].request.at).unwrap();
        assert!(waited >= Duration::from_secs(3), "it came back after {waited:?}");
        assert!(waited < Duration::from_secs(6), "it came back after {waited:?} only");
        assert_eq!(came[0].request.body, came[1].request.body, "the same request again");
    }
}

#[test]
fn what_is_too_large_comes_in_halves() {
    let prometheus = Receiver::start().unwrap();
    prometheus.then([413, 413, 413].map(Answer::status));
    let small = Limits { request: 8 << 10, ..Limits::default() };
    let loki = LokiDouble::start_with(small).unwrap();
    let mut taffrail = Taffrail::prepare(&config(&output(prometheus.port()), &output(loki.port()))).unwrap();
    let mut lines = Lines::of(&taffrail);
    lines.write(2000);
    taffrail.restart().unwrap();
    assert_eq!(wait_for_all(&loki, &[("job", "app")], &lines.written).unwrap(), lines.written);
    assert_eq!(loki.equal(), 0, "none was sent twice");
    let load = wait_for_samples(&prometheus, "node_load1");
    assert!(widest(load) < 1.9);
    let refused: Vec<usize> = prometheus.received()[..3].iter().map(|r| r.request.body.len()).collect();
    assert!(refused[1] < refused[0] && refused[2] < refused[1], "halves of halves: {refused:?}");
    for (series, times) in accepted_samples(&prometheus) {
        assert!(times.is_sorted_by(|a, b| a < b), "{series} came twice or out of order: {times:?}");
    }
    wait_for_peace(&taffrail).unwrap();
}

/// Writes a sample of `node_load1` as this host's, so far ahead that the host's own are out of order.
fn spoil_load1(prometheus: &Prometheus) {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let series = TimeSeries {
        labels: vec![label("__name__", "node_load1"), label("instance", "ship"), label("job", "node")],
        samples: vec![Sample { value: 1.0, timestamp: (seconds_now() * 1000.0) as i64 + 300_000 }],
    };
    let request = WriteRequest { timeseries: vec![series], metadata: Vec::new() };
    let body = snap_encode(&request);
    let headers = [("content-encoding", "snappy"), ("content-type", "application/x-protobuf")];
    let answer = prometheus.client().post("/api/v1/write", &headers, &body).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
}

fn snap_encode(request: &WriteRequest) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}

#[test]
fn of_a_refused_request_only_the_bad_samples_and_lines_are_lost() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    spoil_load1(&prometheus);
    let loki = LokiDouble::start_with(Limits { line: 1000, ..Limits::default() }).unwrap();
    let mut taffrail = Taffrail::prepare(&config(&output(prometheus.port()), &output(loki.port()))).unwrap();
    let mut lines = Lines::of(&taffrail);
    lines.write(50);
    writeln!(lines.file, "{}", "too long for this Loki ".repeat(100)).unwrap();
    lines.write(50);
    taffrail.restart().unwrap();
    // This one can be put right, once Loki has said what it takes, which it did when it took the others.
    wait_for_all(&loki, &[("job", "app")], &lines.written).unwrap();
    let mut there = loki.wait_for_lines(&[("job", "app")], lines.written.len() + 1, SOON).unwrap();
    let long = there.remove(50);
    assert_eq!(there, lines.written, "the others, in their order");
    assert!(long.len() <= 1000 && long.contains("line cut"), "{long}");

    prometheus.wait_for("count_over_time(node_load5[1m]) >= 5", SOON).unwrap();
    let others = prometheus.query("node_load5[1m]").unwrap();
    assert!(widest(times(&others[0])) < 1.9, "the good ones of the same requests have no gap: {others:?}");
    let load1 = prometheus.query("count_over_time(node_load1[1m])").unwrap();
    assert!(load1.is_empty(), "the bad one is not there: {load1:?}");

    let runs = own(
        &taffrail,
        "taffrail_output_lost_total{kind=\"prometheus\",output=\"prometheus\",reason=\"out_of_order\"}",
    );
    assert!((4.0..60.0).contains(&runs), "one a run is lost, {runs} are counted");
    let told = wait_for_problem(&taffrail, &["output prometheus", "given up", "out of order"]).unwrap();
    assert!(!told.contains("tried again"), "{told}");
    assert_eq!(
        own(&taffrail, "taffrail_output_mended_total{kind=\"loki\",output=\"loki\",what=\"line\"}"),
        1.0
    );
    let status = status(&taffrail).unwrap();
    let errors: Vec<&str> = status["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|o| o["last_error"]["text"].as_str())
        .collect();
    assert!(errors.iter().any(|text| text.contains("out of order")), "in the receiver's words: {errors:?}");
}

#[test]
fn a_dead_output_holds_up_no_other_of_its_kind() {
    let (alive, hung) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    let (loki, late_loki) = (LokiDouble::start().unwrap(), free_port().unwrap());
    hung.always(Answer::Hang(Duration::from_secs(60)));
    let two = |kind: &str, first: u16, second: u16| {
        format!(
            "{{name: {kind}-dead, url: \"http://127.0.0.1:{first}\", timeout: 1s}}, \
             {{name: alive, url: \"http://127.0.0.1:{second}\"}}"
        )
    };
    let outputs = (two("metrics", hung.port(), alive.port()), two("logs", late_loki, loki.port()));
    let taffrail = Taffrail::start(&config(&outputs.0, &outputs.1)).unwrap();
    let mut lines = Lines::of(&taffrail);
    for _ in 0..6 {
        lines.write(50);
        sleep(Duration::from_millis(500));
        // Meanwhile, not afterwards.
        loki.wait_for_lines(&[("job", "app")], lines.written.len(), Duration::from_secs(5)).unwrap();
    }
    let load = wait_for_samples(&alive, "node_load1");
    assert!(widest(load) < 1.9);
    wait_for_problem(&taffrail, &["output prometheus/metrics-dead", "no answer"]).unwrap();
    wait_for_problem(&taffrail, &["output loki/logs-dead", "cannot connect"]).unwrap();
    assert!(accepted_samples(&hung).is_empty());

    let revived = LokiDouble::listen(&format!("127.0.0.1:{late_loki}"), Limits::default()).unwrap();
    hung.always(Answer::Usual);
    let there = wait_for_all(&revived, &[("job", "app")], &lines.written).unwrap();
    assert_eq!(there, lines.written);
    wait_for_peace(&taffrail).unwrap();
    assert!(widest(wait_for_samples(&hung, "node_load1")) < 1.9, "the dead one's backlog came whole");
    let first = |receiver| accepted_times(receiver, "node_load1").first().copied();
    assert_eq!(first(&hung), first(&alive), "from the first sample on");
}

/// This Prometheus takes nothing out of order: what was written by others meanwhile makes the backlog old.
#[test]
fn an_outage_while_another_writer_goes_on_leaves_no_gap() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    let gate = Gate::to(prometheus.port()).unwrap();
    let cut_off = Taffrail::start(&config(&output(gate.port()), &output(loki.port()))).unwrap();
    let other = config(&output(prometheus.port()), &output(loki.port())).replace("ship", "tender");
    let other = Taffrail::start(&other).unwrap();
    let both = "count(count_over_time(node_load1[1m]) >= 3) == 2";
    prometheus.wait_for(both, SOON).unwrap();
    let start = seconds_now() - 1.0;
    gate.shut();
    sleep(Duration::from_secs(12));
    let seen = prometheus.query("count_over_time(node_load1{instance=\"tender\"}[10s])").unwrap();
    assert!(seen[0].value() >= 9.0, "the other goes on: {seen:?}");
    wait_for_problem(&cut_off, &["output prometheus", "delivers nothing for", "tried again"]).unwrap();
    gate.open();
    wait_for_peace(&cut_off).unwrap();
    let until = seconds_now();
    prometheus.wait_for(&format!("timestamp(node_load1{{instance=\"ship\"}}) > {until}"), SOON).unwrap();

    for instance in ["ship", "tender"] {
        let series = prometheus.query(&format!("node_load1{{instance=\"{instance}\"}}[1m]")).unwrap();
        let points = times(&series[0]);
        assert!(widest(points.clone()) < 1.9, "{instance} has a gap: {points:?}");
        // A query over time sees no hole either, nor do staleness markers stand in it.
        let steps = prometheus.query_range(
            &format!("count_over_time(node_load1{{instance=\"{instance}\"}}[2s])"),
            start,
            until,
            1.0,
        );
        let steps = steps.unwrap().remove(0).points;
        assert!(steps.len() as f64 >= until - start - 1.0, "{instance}: {} steps", steps.len());
        assert!(steps.iter().all(|(_, count)| (1.0..=3.0).contains(count)), "{instance}: {steps:?}");
    }
    for (name, taffrail) in [("ship", &cut_off), ("tender", &other)] {
        let status = status(taffrail).unwrap();
        assert_eq!(status["outputs"][1]["lost"], serde_json::json!({}), "{name}: {status}");
    }
}

#[test]
fn a_receiver_that_was_away_gets_each_sample_once() {
    let receiver = Receiver::start().unwrap();
    let port = receiver.port();
    let loki = Receiver::start().unwrap();
    let taffrail = Taffrail::start(&config(&output(port), &output(loki.port()))).unwrap();
    wait_for_samples(&receiver, "node_load1");
    let before = receiver.received();
    drop(receiver);
    wait_for_problem(&taffrail, &["output prometheus", "cannot connect"]).unwrap();
    sleep(Duration::from_secs(3));
    let receiver = Receiver::start_on(port).unwrap();
    let after = wait_for_samples(&receiver, "node_load1");
    let mut all: Vec<f64> = Vec::new();
    for received in before.iter().filter(|received| received.accepted) {
        for series in received.write_request().unwrap().timeseries {
            if series.label_map().get("__name__") == Some(&"node_load1") {
                all.extend(series.samples.iter().map(|sample| sample.timestamp as f64 / 1000.0));
            }
        }
    }
    all.extend(after);
    let once: BTreeSet<u64> = all.iter().map(|time| (time * 1000.0) as u64).collect();
    assert_eq!(once.len(), all.len(), "some were sent twice: {all:?}");
    assert!(widest(all) < 1.9);
}
