//! One block of `scrape_configs`, scraped by Prometheus and by Taffrail: the two sets of series are equal, label by label.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use taffrail_tests::{Alertmanager, Answer, NodeExporter, Prometheus, Receiver, Taffrail, Version, wait_for};

/// Both have to have scraped all targets several times.
const SETTLED: Duration = Duration::from_secs(90);

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Jobs whose pages are always the same, so that values can be compared as well.
const FIXED: [&str; 13] = [
    "exported",
    "honored",
    "now",
    "relabelled",
    "emptied",
    "many",
    "labels",
    "names",
    "values",
    "large",
    "targets",
    "fallback",
    "undescribed",
];

fn page(started_ms: u128) -> String {
    format!(
        "# HELP app_requests_total Requests.
# TYPE app_requests_total counter
app_requests_total{{job=\"inner\",instance=\"own\",code=\"200\"}} 5
app_requests_total{{job=\"inner\",exported_job=\"older\",code=\"500\"}} 1
app_gateway{{instance=\"\"}} 3
# TYPE app_seconds histogram
app_seconds_bucket{{le=\"0.5\"}} 1
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
up 7
scrape_samples_scraped{{of=\"another\"}} 9
"
    )
}

/// The block that both get, word for word.
fn block(ports: &[(&str, u16)]) -> String {
    let text = "
  - job_name: node
    params: {'collect[]': [loadavg, meminfo, uname, netdev]}
    static_configs: [{targets: ['127.0.0.1:NODE'], labels: {env: test, 'team.name': ops}}]
    metric_relabel_configs:
      - {source_labels: [__name__], regex: '(go|process)_.*', action: drop}
      - {source_labels: [__name__, device], regex: 'node_network_.*;(.+)', target_label: nic}
      - {regex: device, action: labeldrop}
  - job_name: alertmanager
    file_sd_configs: [{files: [FOLDER/targets-*.yml], refresh_interval: 1s}]
    relabel_configs:
      - {source_labels: [__meta_filepath], regex: '.*/targets-(.*)\\.yml', target_label: file}
      - {source_labels: [__address__], modulus: 7, target_label: shard, action: hashmod}
      - {regex: '__meta_(.+)', action: labelmap, replacement: 'meta_$1'}
      - {source_labels: [drop], regex: 'yes', action: drop}
  - {job_name: prometheus, static_configs: [{targets: ['127.0.0.1:PROMETHEUS']}]}
  - {job_name: exported, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - {job_name: honored, honor_labels: true, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - {job_name: now, honor_timestamps: false, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - job_name: relabelled
    metrics_path: /a path
    params: {x: ['1', '2']}
    static_configs: [{targets: ['app'], labels: {zone: z1}}]
    relabel_configs:
      - {source_labels: [__address__], target_label: instance}
      - {target_label: __address__, replacement: '127.0.0.1:APP'}
      - {source_labels: [__param_x], target_label: x}
      - {target_label: __param_y, replacement: 'a&b'}
    metric_relabel_configs:
      - {source_labels: [code], regex: 5.., action: drop}
      - {source_labels: [__name__], regex: 'app_(.*)', target_label: __name__, replacement: 'shop:$1'}
      - {source_labels: [le], regex: '0\\.5', target_label: le, replacement: half}
      - {regex: 'exported_.*', action: labeldrop}
  - job_name: emptied
    static_configs: [{targets: ['127.0.0.1:APP']}]
    metric_relabel_configs: [{source_labels: [__name__], regex: 'app_(small|inf)', action: keep}]
  - {job_name: many, sample_limit: 5, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - {job_name: labels, label_limit: 3, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - {job_name: names, label_name_length_limit: 8, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - {job_name: values, label_value_length_limit: 15, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - {job_name: large, body_size_limit: 100B, static_configs: [{targets: ['127.0.0.1:APP']}]}
  - {job_name: targets, target_limit: 1, static_configs: [{targets: ['127.0.0.1:APP', 'localhost:APP']}]}
  - {job_name: fallback, fallback_scrape_protocol: PrometheusText0.0.4, static_configs: [{targets: ['127.0.0.1:BARE']}]}
  - {job_name: undescribed, static_configs: [{targets: ['127.0.0.1:BARE']}]}
  - {job_name: down, static_configs: [{targets: ['127.0.0.1:1']}]}
";
    let named =
        ports.iter().fold(text.to_owned(), |text, (name, port)| text.replace(name, &port.to_string()));
    format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:{named}")
}

/// All that is needed, running.
struct Beside {
    /// It scrapes.
    direct: Prometheus,
    /// It is written to.
    pushed: Prometheus,
    taffrail: Taffrail,
    app: Receiver,
    _targets: (NodeExporter, Alertmanager, Receiver, tempfile::TempDir),
}

fn start() -> Beside {
    let pushed = Prometheus::start_with(Version::V3, "global: {scrape_interval: 1s}\n", &[]).unwrap();
    let node = NodeExporter::start(&[]).unwrap();
    let alertmanager = Alertmanager::start().unwrap();
    let (app, bare) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    app.always(Answer::text(200, &page(started)).with_header("content-type", TEXT));
    bare.always(Answer::text(200, "app_bare 1\n"));
    let folder = tempfile::tempdir().unwrap();
    let targets = format!(
        "- targets: ['127.0.0.1:{0}']\n  labels: {{env: a}}\n- targets: ['localhost:{0}']\n  labels: {{drop: 'yes'}}\n",
        alertmanager.port()
    );
    std::fs::write(folder.path().join("targets-one.yml"), targets).unwrap();
    let block = block(&[
        ("NODE", node.port()),
        ("PROMETHEUS", pushed.port()),
        ("APP", app.port()),
        ("BARE", bare.port()),
    ])
    .replace("FOLDER", &folder.path().display().to_string());
    let direct = Prometheus::start_with(Version::V3, &block, &[]).unwrap();
    let config =
        format!("self: false\noutputs: {{prometheus: [{{url: \"{}\"}}]}}\n{block}", pushed.write_url());
    let taffrail = Taffrail::start(&config).unwrap();
    Beside { direct, pushed, taffrail, app, _targets: (node, alertmanager, bare, folder) }
}

type Labels = BTreeMap<String, String>;

fn series(prometheus: &Prometheus, query: &str) -> Result<BTreeMap<Labels, f64>> {
    Ok(prometheus.query(query)?.into_iter().map(|series| (series.labels.clone(), series.value())).collect())
}

/// Waits until a query gives the same series in both, with values that `same` takes for equal.
fn equal(beside: &Beside, query: &str, same: impl Fn(f64, f64) -> bool) -> Result<usize> {
    wait_for(&format!("{query} to be equal"), SETTLED, || {
        let (direct, pushed) = (series(&beside.direct, query)?, series(&beside.pushed, query)?);
        let names = |of: &BTreeMap<Labels, f64>| of.keys().cloned().collect::<BTreeSet<Labels>>();
        let missing: Vec<_> = names(&direct).difference(&names(&pushed)).cloned().collect();
        let more: Vec<_> = names(&pushed).difference(&names(&direct)).cloned().collect();
        ensure!(missing.is_empty() && more.is_empty(), "missing {missing:?}\nnot Prometheus' {more:?}");
        let differ: Vec<_> =
            direct.iter().filter(|(labels, value)| !same(**value, pushed[*labels])).collect();
        let other: Vec<_> = differ.iter().map(|(labels, _)| pushed[*labels]).collect();
        ensure!(differ.is_empty(), "other values: Prometheus' {differ:?}, ours {other:?}");
        ensure!(!direct.is_empty(), "neither has any");
        Ok(direct.len())
    })
}

fn identical(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

fn jobs() -> Vec<&'static str> {
    FIXED.into_iter().chain(["node", "alertmanager", "prometheus", "down"]).collect()
}

#[test]
fn the_same_block_gives_the_same_series() {
    let beside = start();
    for job in jobs() {
        let query = format!("{{__name__=~\".+\", job=\"{job}\"}}");
        let count = if FIXED.contains(&job) {
            let query = format!("{{__name__=~\".+\", __name__!=\"scrape_duration_seconds\", job=\"{job}\"}}");
            equal(&beside, &query, identical)
        } else {
            equal(&beside, &query, |_, _| true)
        };
        let count =
            count.unwrap_or_else(|error| panic!("{job}: {error:#}\n{}", shown(&beside.taffrail, job)));
        let least = match job {
            "node" => 60,
            "alertmanager" | "prometheus" => 100,
            _ => 4,
        };
        assert!(count >= least, "{job}: only {count} series");
    }
    // What the page says of another job.
    equal(&beside, "{job=\"inner\"}", identical).unwrap();
    for job in ["many", "labels", "names", "values", "large", "targets", "undescribed", "down"] {
        equal(&beside, &format!("up{{job=\"{job}\"}}"), identical).unwrap();
        assert!(
            series(&beside.pushed, &format!("up{{job=\"{job}\"}} == 0")).unwrap().len()
                == 1 + usize::from(job == "targets")
        );
    }
    for job in jobs() {
        for report in ["scrape_samples_scraped", "scrape_samples_post_metric_relabeling"] {
            let same = |a, b| {
                FIXED.contains(&job) && identical(a, b) || !FIXED.contains(&job) && (a - b).abs() < 20.0
            };
            equal(&beside, &format!("{report}{{job=\"{job}\"}}"), same).unwrap();
        }
    }
    // New series once, none afterwards; also where pages are refused.
    for job in FIXED {
        equal(&beside, &format!("sum_over_time(scrape_series_added{{job=\"{job}\"}}[10m])"), identical)
            .unwrap();
    }
    targets_asked_alike(&beside.app);
}

/// What the page says of a job's targets, for a failed test.
fn shown(taffrail: &Taffrail, job: &str) -> String {
    let status = crate::support::status(taffrail).unwrap();
    let found = status["jobs"].as_array().unwrap().iter().find(|found| found["name"] == job);
    serde_json::to_string_pretty(&found).unwrap()
}

/// Both ask with the same paths and parameters.
fn targets_asked_alike(app: &Receiver) {
    let mut paths: BTreeMap<bool, BTreeSet<String>> = BTreeMap::new();
    for received in app.received() {
        let ours = received.request.header("user-agent").is_some_and(|agent| agent.starts_with("taffrail/"));
        assert_eq!(received.request.header("x-prometheus-scrape-timeout-seconds"), Some("1"));
        paths.entry(ours).or_default().insert(received.request.path);
    }
    assert_eq!(paths[&true], paths[&false]);
    assert!(paths[&true].iter().any(|path| path.contains("/a%20path?x=1&x=2&y=a%26b")), "{paths:?}");
}

/// Type and help by family, as a receiver is told them.
fn told(receiver: &Receiver) -> BTreeMap<String, (String, String)> {
    let mut told = BTreeMap::new();
    for received in receiver.received().iter().filter(|received| received.accepted) {
        for about in received.write_request().unwrap().metadata {
            let kind = ["unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary"]
                [about.kind as usize];
            told.insert(about.family, (kind.to_owned(), about.help));
        }
    }
    told
}

/// The same, as Prometheus knows it of its targets.
fn known(prometheus: &Prometheus) -> Result<BTreeMap<String, (String, String)>> {
    let answer: Value = serde_json::from_slice(&prometheus.client().get_ok("/api/v1/metadata")?.body)?;
    let all = answer["data"].as_object().context("no metadata")?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(all.iter().map(|(name, of)| (name.clone(), (word(&of[0]["type"]), word(&of[0]["help"])))).collect())
}

#[test]
fn types_and_help_texts_are_the_same() {
    let node = NodeExporter::start(&[]).unwrap();
    let receiver = Receiver::start().unwrap();
    let block = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: node, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
        node.port()
    );
    let direct = Prometheus::start_with(Version::V3, &block, &[]).unwrap();
    let url = receiver.url("/api/v1/write");
    let config =
        format!("self: false\noutputs: {{prometheus: [{{url: \"{url}\", version: \"1.0\"}}]}}\n{block}");
    let _taffrail = Taffrail::start(&config).unwrap();
    wait_for("the same metadata", SETTLED, || {
        let (mut ours, theirs) = (told(&receiver), known(&direct)?);
        // Of these Prometheus says nothing here.
        ours.retain(|name, _| name != "up" && !name.starts_with("scrape_"));
        ensure!(theirs.len() > 100, "Prometheus knows {}", theirs.len());
        let differ: Vec<_> = theirs.iter().filter(|(name, what)| ours.get(*name) != Some(what)).collect();
        let names: Vec<_> = differ.iter().map(|(name, _)| ours.get(*name)).collect();
        ensure!(differ.is_empty(), "{differ:?}, ours {names:?}");
        ensure!(ours.len() == theirs.len());
        Ok(())
    })
    .unwrap();
}
