//! The harness itself: the real programs start, answer, stop and come back.

use std::time::Duration;

use taffrail_tests::{Alertmanager, Client, NodeExporter, Prometheus, Version};

const SOON: Duration = Duration::from_secs(20);

fn keeps_its_data_over_a_restart(version: Version, starts_with: &str) {
    let mut prometheus = Prometheus::start(version, &[]).unwrap();
    let up = prometheus.wait_for("up", SOON).unwrap();
    assert_eq!(up[0].label("job"), "prometheus");
    prometheus.wait_for("up == 1", SOON).unwrap();
    let info = prometheus.wait_for("prometheus_build_info", SOON).unwrap();
    assert!(info[0].label("version").starts_with(starts_with), "{info:?}");

    let port = prometheus.port();
    prometheus.stop().unwrap();
    assert!(Client::new(port).get("/-/ready").is_err(), "it is stopped");
    prometheus.restart().unwrap();
    assert_eq!(prometheus.port(), port);
    assert!(prometheus.query("count_over_time(up[1m]) > 0").unwrap().len() == 1);
    assert!(prometheus.query("up{").is_err(), "a bad expression is an error");
}

#[test]
fn prometheus_3_keeps_its_data_over_a_restart() {
    keeps_its_data_over_a_restart(Version::V3, "3.");
}

#[test]
fn prometheus_2_keeps_its_data_over_a_restart() {
    keeps_its_data_over_a_restart(Version::V2, "2.");
}

#[test]
fn alertmanager_starts_without_alerts() {
    let alertmanager = Alertmanager::start().unwrap();
    assert!(alertmanager.alerts().unwrap().is_empty());
}

#[test]
fn node_exporter_serves_its_metrics() {
    let exporter = NodeExporter::start(&["--collector.disable-defaults", "--collector.loadavg"]).unwrap();
    let page = exporter.metrics().unwrap();
    assert!(page.contains("\nnode_load1 "), "{page}");
    assert!(!page.contains("node_cpu_seconds_total"), "only what was asked for");
}
