//! Series that are relayed on `/metrics/scraped`: a Prometheus that pulls them has what one has that asks the targets.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use taffrail_tests::{Answer, Prometheus, Receiver, Taffrail, Version, tool, wait_for};

const PATIENCE: Duration = Duration::from_secs(90);
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn text_page(started_ms: u128) -> String {
    format!(
        "# HELP app_requests_total Requests, \\\\ and\\nmore.
# TYPE app_requests_total counter
app_requests_total{{job=\"inner\",instance=\"own\",code=\"200\"}} 5
app_requests_total{{job=\"inner\",code=\"500\"}} 1
# TYPE app_gateway gauge
app_gateway{{instance=\"\"}} 3
# TYPE app_seconds histogram
app_seconds_bucket{{le=\"0.5\"}} 1
app_seconds_bucket{{le=\"1\"}} 1
app_seconds_bucket{{le=\"+Inf\"}} 2
app_seconds_sum 1.5
app_seconds_count 2
app_nan NaN
app_inf -Inf
app_small 4.9e-324
app_own_time 7 {started_ms}
app_twice 1
app_twice 2
app_escaped{{path=\"a\\\\b\\\"c\\nd\",empty=\"\"}} 1
{{\"app.dotted\",\"label.dotted\"=\"x\"}} 4
"
    )
}

const OPEN_PAGE: &str = r#"# TYPE app_requests counter
# HELP app_requests Requests.
app_requests_total{code="200"} 9 # {trace_id="abc"} 0.5
app_requests_created{code="200"} 1700000000.5
# TYPE app_seconds histogram
# UNIT app_seconds seconds
app_seconds_bucket{le="0.5"} 3
app_seconds_bucket{le="+Inf"} 4
app_seconds_sum 2.5
app_seconds_count 4
# TYPE app_size summary
app_size{quantile="0.5"} 12
app_size_sum 30
app_size_count 2
# TYPE app_version info
app_version_info{version="1.2"} 1
# EOF
"#;

/// The block that both get; `MORE` stands in each job.
const BLOCK: &str = "
  - {job_name: text, static_configs: [{targets: ['127.0.0.1:TEXT'], labels: {env: test}}]MORE}
  - {job_name: honored, honor_labels: true, static_configs: [{targets: ['127.0.0.1:TEXT']}]MORE}
  - {job_name: now, honor_timestamps: false, static_configs: [{targets: ['127.0.0.1:TEXT']}]MORE}
  - job_name: renamed
    static_configs: [{targets: ['127.0.0.1:TEXT']}]
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'app_(.*)', target_label: __name__, replacement: 'shop:$1'}
  - {job_name: open, static_configs: [{targets: ['127.0.0.1:OPEN']}]MORE}
  - {job_name: prometheus, static_configs: [{targets: ['127.0.0.1:SELF']}]MORE}
  - {job_name: down, static_configs: [{targets: ['127.0.0.1:1']}]MORE}
";

const FIXED: [&str; 6] = ["text", "honored", "now", "renamed", "open", "down"];

type Series = BTreeMap<BTreeMap<String, String>, u64>;

fn series(prometheus: &Prometheus, query: &str) -> Result<Series> {
    let found = prometheus.query(query)?.into_iter();
    Ok(found.map(|series| (series.labels.clone(), series.value().to_bits())).collect())
}

fn equal(direct: &Prometheus, pulled: &Prometheus, query: &str, values: bool) -> usize {
    wait_for(&format!("{query} to be equal"), PATIENCE, || {
        let (direct, pulled) = (series(direct, query)?, series(pulled, query)?);
        let missing: Vec<_> = direct.keys().filter(|labels| !pulled.contains_key(*labels)).collect();
        let more: Vec<_> = pulled.keys().filter(|labels| !direct.contains_key(*labels)).collect();
        ensure!(missing.is_empty() && more.is_empty(), "missing {missing:?}\ntoo many {more:?}");
        ensure!(!values || direct == pulled, "other values: {direct:?}\nand {pulled:?}");
        ensure!(!direct.is_empty(), "neither has any");
        Ok(direct.len())
    })
    .unwrap()
}

fn page(taffrail: &Taffrail, accept: &str) -> String {
    let answer = taffrail.client().send("GET", "/metrics/scraped", &[("accept", accept)], b"").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

#[test]
fn a_prometheus_that_pulls_them_has_the_same_series() {
    let (text, open) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    text.always(Answer::text(200, &text_page(started)).with_header("content-type", TEXT));
    open.always(Answer::text(200, OPEN_PAGE).with_header("content-type", OPEN));
    let other = Prometheus::start(Version::V3, &[]).unwrap();
    let named = [("TEXT", text.port()), ("OPEN", open.port()), ("SELF", other.port())];
    let block =
        named.iter().fold(BLOCK.to_owned(), |block, (name, port)| block.replace(name, &port.to_string()));
    let global = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n";
    let asking = format!("{global}scrape_configs:{}", block.replace("MORE", ""));
    let direct = Prometheus::start_with(Version::V3, &asking, &[]).unwrap();
    // A job of its own that is not relayed, to see that it is not there.
    let global = "global: {scrape_interval: 1s, scrape_timeout: 1s, relay: true}\n";
    let private = format!(
        "  - {{job_name: private, relay: false, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
        text.port()
    );
    let config =
        format!("self: false\n{global}scrape_configs:{}{private}", block.replace("MORE", ", relay: true"));
    let taffrail = Taffrail::start(&config).unwrap();
    let pulling = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - {{job_name: relay, honor_labels: true, metrics_path: /metrics/scraped, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
        taffrail.port()
    );
    let pulled = Prometheus::start_with(Version::V3, &pulling, &[]).unwrap();
    for job in FIXED {
        let query = format!("{{__name__!~\"scrape_duration_seconds|scrape_series_added\", job=\"{job}\"}}");
        let count = equal(&direct, &pulled, &query, true);
        assert!(count >= 3, "{job}: {count}");
    }
    equal(&direct, &pulled, "{job=\"inner\"}", true);
    let count = equal(&direct, &pulled, "{__name__=~\".+\", job=\"prometheus\"}", false);
    assert!(count > 300, "{count}");
    equal(&direct, &pulled, "timestamp(app_own_time{job=\"text\"})", true);
    assert!(series(&pulled, "{job=\"private\"}").unwrap().is_empty());

    let seen = page(&taffrail, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8");
    assert_eq!(seen.matches("# TYPE app_requests counter").count(), 1, "{seen}");
    assert!(seen.contains("# {trace_id=\"abc\"} 0.5 "), "{seen}");
    understood(&seen, "openmetrics.parser");
    let seen = page(&taffrail, "text/plain;version=0.0.4");
    assert_eq!(seen.matches("# TYPE app_requests_total counter").count(), 1, "{seen}");
    assert!(seen.contains("# TYPE app_seconds histogram") && seen.contains("\napp_dotted{"), "{seen}");
    understood(&seen, "parser");

    // What is gone leaves: a series, then a target.
    let fewer = text_page(started).replace("app_inf -Inf\n", "");
    text.always(Answer::text(200, &fewer).with_header("content-type", TEXT));
    open.always(Answer::status(500));
    wait_for("series to be gone", PATIENCE, || {
        for gone in ["app_inf{job='text'}", "app_size_sum", "app_seconds_bucket{job='open'}"] {
            ensure!(series(&pulled, gone)?.is_empty(), "{gone}");
        }
        ensure!(series(&pulled, "up{job='open'} == 0")?.len() == 1, "its target is not down");
        Ok(())
    })
    .unwrap();
    equal(&direct, &pulled, "{__name__!~\"scrape_.*\", job=~\"text|open|now\"}", true);
}

/// Python's prometheus_client reads the page.
fn understood(page: &str, parser: &str) {
    let script = format!(
        "import sys; from prometheus_client.{parser} import text_string_to_metric_families as read\nprint(len(list(read(sys.stdin.read()))))"
    );
    let mut python = Command::new(tool("PYTHON").unwrap())
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let said = python.wait_with_output().unwrap();
    assert!(said.status.success(), "{}\n{page}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn without_a_job_that_is_relayed_there_is_no_page() {
    let taffrail = Taffrail::start("self: false\nhost: {}\n").unwrap();
    let answer = taffrail.client().get("/metrics/scraped").unwrap();
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("set `relay: true` in a job"), "{}", answer.text());
}
