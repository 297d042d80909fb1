//! The whole path: this machine's metrics and a log file, through the shipped binary, into a real Prometheus and at
//! Loki's door.

use std::fs;
use std::io::Write;
use std::time::Duration;

use taffrail_tests::{LokiDouble, Prometheus, Taffrail, Version, open_page};

const SOON: Duration = Duration::from_secs(30);

fn config(prometheus: &Prometheus, loki: &LokiDouble) -> String {
    format!(
        "interval: 1s
hostname: ship
labels: {{env: test}}
host: {{}}
logs:
  - name: app
    files: {{include: [DIR/*.log], start: beginning}}
    labels: {{job: app}}
outputs:
  prometheus: [{{url: \"{}\"}}]
  loki: [{{url: \"{}\"}}]
",
        prometheus.write_url(),
        loki.url()
    )
}

fn arrives(version: Version) {
    let prometheus = Prometheus::start(version, &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&prometheus, &loki)).unwrap();
    let log = taffrail.dir().join("app.log");
    fs::write(&log, "first line\nsecond line\n").unwrap();
    taffrail.restart().unwrap();

    let load = prometheus.wait_for("node_load1", SOON).unwrap();
    assert_eq!(load[0].label("instance"), "ship");
    assert_eq!((load[0].label("job"), load[0].label("env")), ("node", "test"));
    let up = prometheus.wait_for("up{job=\"node\"} == 1", SOON).unwrap();
    assert_eq!(up.len(), 1);
    // Whatever a CPU does, idle or not, its modes together advance by a second a second.
    let all = "sum by (cpu) (rate(node_cpu_seconds_total{job=\"node\"}[20s])) > 0.1";
    let cpus = prometheus.wait_for(all, SOON).unwrap();
    assert!(cpus.iter().all(|cpu| cpu.value() < 2.0 && !cpu.label("cpu").is_empty()), "{cpus:?}");

    let job = [("job", "app")];
    assert_eq!(loki.wait_for_lines(&job, 2, SOON).unwrap(), ["first line", "second line"]);
    writeln!(fs::OpenOptions::new().append(true).open(&log).unwrap(), "third line").unwrap();
    assert_eq!(loki.wait_for_lines(&job, 3, SOON).unwrap()[2], "third line");
    let stream =
        loki.streams().into_iter().find(|s| s.labels.get("job").is_some_and(|j| j == "app")).unwrap();
    assert_eq!(stream.labels["instance"], "ship");
    assert_eq!(stream.labels["filename"], log.display().to_string());

    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0), "SIGTERM is a clean end");
    assert_eq!(loki.equal(), 0, "nothing was sent twice");
}

#[test]
fn metrics_and_lines_arrive_with_prometheus_3() {
    arrives(Version::V3);
}

#[test]
fn metrics_and_lines_arrive_with_prometheus_2() {
    arrives(Version::V2);
}

#[test]
fn a_killed_collector_loses_no_line() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&prometheus, &loki)).unwrap();
    let path = taffrail.dir().join("app.log");
    let mut log = fs::File::create(&path).unwrap();
    let mut wanted = Vec::new();
    for round in 0..5 {
        taffrail.restart().unwrap();
        for line in 0..200 {
            let text = format!("round {round} line {line}");
            writeln!(log, "{text}").unwrap();
            wanted.push(text);
        }
        std::thread::sleep(Duration::from_millis(40 * round));
        taffrail.kill();
    }
    taffrail.restart().unwrap();
    let mut lines = loki.wait_for_lines(&[("job", "app")], wanted.len(), SOON).unwrap();
    // At least once: a line may come twice, under another time.
    lines.sort();
    lines.dedup();
    wanted.sort();
    assert_eq!(lines, wanted);
}

#[test]
fn the_page_shows_charts_and_a_line_just_written() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&prometheus, &loki)).unwrap();
    let log = taffrail.dir().join("app.log");
    taffrail.restart().unwrap();
    prometheus.wait_for("node_load1", SOON).unwrap();
    fs::write(&log, "a line just written\n").unwrap();
    loki.wait_for_lines(&[("job", "app")], 1, SOON).unwrap();
    let url = format!("http://127.0.0.1:{}/", taffrail.port());
    for (name, size) in [("page-wide", (1280, 900)), ("page-phone", (390, 844))] {
        open_page(&url, name, size, "canvas", SOON).unwrap();
        let seen = open_page(&url, name, size, "text=a line just written", SOON).unwrap();
        assert_eq!(seen.errors, Vec::<String>::new());
    }
}

#[test]
fn an_outage_of_the_receiver_leaves_no_gap() {
    let window = format!("{STORAGE}{}", "scrape_configs: []\n");
    let mut prometheus = Prometheus::start_with(Version::V3, &window, &[]).unwrap();
    let loki = LokiDouble::start().unwrap();
    let taffrail = Taffrail::start(&config(&prometheus, &loki)).unwrap();
    prometheus.wait_for("count_over_time(node_load1[1m]) >= 3", SOON).unwrap();
    prometheus.stop().unwrap();
    std::thread::sleep(Duration::from_secs(30));
    prometheus.restart().unwrap();
    let all = prometheus.wait_for("count_over_time(node_load1[2m]) >= 33", SOON);
    all.unwrap_or_else(|err| panic!("{err:#}\n{}", taffrail.log().unwrap()));
    // A sample a second: a lost one would leave two seconds between its neighbours.
    let points = prometheus.query("node_load1[2m]").unwrap().remove(0).points;
    let widest = points.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max);
    assert!(widest < 1.9, "a gap of {widest} s among {} samples", points.len());
}

/// Lets Prometheus take samples that are older than its newest, as the backlog after an outage is.
const STORAGE: &str = "storage: {tsdb: {out_of_order_time_window: 10m}}\n";
