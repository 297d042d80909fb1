//! Native histograms, classic ones made native, and exemplars: scraped by Prometheus and by Taffrail, which sends them to
//! another Prometheus. Both have the same.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use prost::Message;
use serde_json::Value;
use taffrail_tests::{Answer, Prometheus, Receiver, Taffrail, Version, wait_for};

const SETTLED: Duration = Duration::from_secs(60);
const FEATURES: &str = "--enable-feature=exemplar-storage,native-histograms";
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `io.prometheus.client.MetricFamily`, as far as it is needed here.
#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Pair>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    deltas: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    bound: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Pair>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    time: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

fn pair(name: &str, value: &str) -> Pair {
    Pair { name: name.to_owned(), value: value.to_owned() }
}

/// Seconds since 1970, some time ago.
fn earlier() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    now.as_secs() as i64 - 5
}

/// A page with a histogram that is native and classic.
fn page() -> Vec<u8> {
    let histogram = Histogram {
        count: 12,
        sum: 18.5,
        buckets: vec![Bucket { count: 7, bound: 1.0 }, Bucket { count: 12, bound: f64::INFINITY }],
        schema: 2,
        zero_threshold: 1e-3,
        zero_count: 2,
        spans: vec![Span { offset: -1, length: 2 }, Span { offset: 3, length: 2 }],
        deltas: vec![3, 1, -3, 1],
        exemplars: vec![Exemplar {
            labels: vec![pair("trace_id", "native")],
            value: 0.9,
            time: Some(Time { seconds: earlier() }),
        }],
    };
    let family = Family {
        name: "app_seconds".into(),
        help: "How long it took.".into(),
        kind: 4,
        metrics: vec![Metric { labels: vec![pair("path", "/")], histogram: Some(histogram) }],
    };
    family.encode_length_delimited_to_vec()
}

fn text() -> String {
    let time = earlier();
    format!(
        "# HELP old_seconds How long it took.
# TYPE old_seconds histogram
old_seconds_bucket{{le=\"0.5\"}} 3 # {{trace_id=\"classic\"}} 0.4 {time}
old_seconds_bucket{{le=\"2.0\"}} 5
old_seconds_bucket{{le=\"+Inf\"}} 6
old_seconds_sum 9.5
old_seconds_count 6
# TYPE done counter
done_total 4 # {{trace_id=\"counted\",span_id=\"b\"}} 1.0 {time}
# EOF
"
    )
}

/// Jobs for both; what Prometheus 3.5 knows by a feature is a key for us.
fn block(native: u16, text: u16, key: &str) -> String {
    format!(
        "global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: native
{key}    static_configs: [{{targets: ['127.0.0.1:{native}']}}]
  - job_name: both
    always_scrape_classic_histograms: true
{key}    static_configs: [{{targets: ['127.0.0.1:{native}']}}]
  - job_name: coarse
    native_histogram_min_bucket_factor: 1.9
    native_histogram_bucket_limit: 3
{key}    static_configs: [{{targets: ['127.0.0.1:{native}']}}]
  - job_name: custom
    convert_classic_histograms_to_nhcb: true
    static_configs: [{{targets: ['127.0.0.1:{text}']}}]
  - job_name: plain
    static_configs: [{{targets: ['127.0.0.1:{text}']}}]
"
    )
}

/// A query's answer, without times and sorted.
fn answer(prometheus: &Prometheus, query: &str) -> Result<Vec<String>> {
    let path =
        format!("/api/v1/query?query={}", query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22"));
    let answer: Value = serde_json::from_slice(&prometheus.client().get_ok(&path)?.body)?;
    let mut all: Vec<String> = answer["data"]["result"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|series| {
            let last =
                if series["histogram"].is_null() { &series["value"][1] } else { &series["histogram"][1] };
            format!("{} {last}", series["metric"])
        })
        .collect();
    all.sort();
    Ok(all)
}

/// Labels, value and time of the exemplars of each series, sorted.
fn exemplars(prometheus: &Prometheus) -> Result<Vec<String>> {
    let (from, to) = (earlier() - 600, earlier() + 600);
    let path = format!("/api/v1/query_exemplars?query=%7Bjob=~%22.%2B%22%7D&start={from}&end={to}");
    let answer: Value = serde_json::from_slice(&prometheus.client().get_ok(&path)?.body)?;
    let mut all: Vec<String> = answer["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|series| format!("{} {}", series["seriesLabels"], series["exemplars"]))
        .collect();
    all.sort();
    Ok(all)
}

#[test]
fn histograms_and_exemplars_are_the_same() {
    let (native, plain) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    native.always(Answer::bytes(200, page()).with_header("content-type", PROTOBUF));
    plain.always(Answer::text(200, &text()).with_header("content-type", OPEN_METRICS));
    let pushed = Prometheus::start_with(Version::V3, "global: {scrape_interval: 1s}\n", &[FEATURES]).unwrap();
    let of_theirs = block(native.port(), plain.port(), "");
    let direct = Prometheus::start_with(Version::V3, &of_theirs, &[FEATURES]).unwrap();
    let of_ours = block(native.port(), plain.port(), "    scrape_native_histograms: true\n");
    let url = pushed.write_url();
    let taffrail =
        Taffrail::start(&format!("self: false\noutputs: {{prometheus: [{{url: \"{url}\"}}]}}\n{of_ours}"))
            .unwrap();
    for (job, least) in [("native", 1), ("both", 5), ("coarse", 1), ("custom", 2), ("plain", 6)] {
        let query = format!("{{job=\"{job}\",__name__=~\"(app|old|done)_.*\"}}").replace('+', "%2B");
        wait_for(&format!("{query} to be equal"), SETTLED, || {
            let (theirs, ours) = (answer(&direct, &query)?, answer(&pushed, &query)?);
            ensure!(theirs == ours, "Prometheus' {theirs:#?}\nours {ours:#?}");
            ensure!(ours.len() >= least, "{job}: {ours:#?}");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{job}: {error:#}\n{}", crate::support::status(&taffrail).unwrap()));
    }
    wait_for("the same exemplars", SETTLED, || {
        let (theirs, ours) = (exemplars(&direct)?, exemplars(&pushed)?);
        ensure!(theirs == ours, "Prometheus' {theirs:#?}\nours {ours:#?}");
        ensure!(ours.len() >= 5, "{ours:#?}");
        Ok(())
    })
    .unwrap();
    // A histogram that is gone ends as a number does.
    native.always(Answer::bytes(200, Vec::new()).with_header("content-type", PROTOBUF));
    wait_for("the histogram to end", Duration::from_secs(20), || {
        ensure!(answer(&pushed, "app_seconds{job=\"native\"}")?.is_empty(), "it is still there");
        Ok(())
    })
    .unwrap();
}
