//! The versions of remote write: 2.0 where it is taken, 1.0 where it is refused or swallowed, and nothing lost over it.

use std::time::{Duration, SystemTime};

use taffrail_tests::{Prometheus, Taffrail, Version, wait_for};

use crate::support::{SOON, own, wait_for_peace, widest};

/// Starts a collector that pushes to `prometheus`, and returns when its first samples must be.
fn pushing(prometheus: &Prometheus, version: &str) -> (Taffrail, f64) {
    let config = format!(
        "interval: 1s\nhostname: ship\nself: false\nhost: {{subjects: {{filesystem: false}}}}\n\
         outputs: {{prometheus: [{{url: \"{}\", version: {version}}}]}}\n",
        prometheus.write_url()
    );
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    (Taffrail::start(&config).unwrap(), started)
}

/// Every second's sample is there from the first one on, and none was lost or sent in vain.
fn nothing_is_missing(prometheus: &Prometheus, taffrail: &Taffrail, started: f64) {
    let samples = wait_for("five seconds of samples", SOON, || {
        let found = prometheus.query("node_load1{job=\"node\",instance=\"ship\"}[1m]")?;
        let times: Vec<f64> = found.iter().flat_map(|series| &series.points).map(|(at, _)| *at).collect();
        anyhow::ensure!(times.len() >= 5, "{times:?}");
        Ok(times)
    })
    .unwrap();
    let first = samples.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(first - started < 3.0, "the first sample is {} s late", first - started);
    assert!(widest(samples.clone()) < 1.9, "a gap: {samples:?}");
    wait_for_peace(taffrail).unwrap();
    for reason in ["refused", "not_written", "out_of_order"] {
        let lost = format!(
            "taffrail_output_lost_total{{kind=\"prometheus\",output=\"prometheus\",reason=\"{reason}\"}}"
        );
        assert_eq!(own(taffrail, &lost), 0.0, "{reason}");
    }
}

const TAKES_ONLY: &str = "--web.remote-write-receiver.accepted-protobuf-messages";

#[test]
fn who_takes_only_2_0_gets_it() {
    let only = format!("{TAKES_ONLY}=io.prometheus.write.v2.Request");
    for version in ["auto", "2.0"] {
        let prometheus = Prometheus::start(Version::V3, &[&only]).unwrap();
        let (taffrail, started) = pushing(&prometheus, version);
        nothing_is_missing(&prometheus, &taffrail, started);
        assert!(!taffrail.log().unwrap().contains("remote write 1.0"), "no fall-back");
    }
}

#[test]
fn who_refuses_2_0_gets_1_0() {
    let prometheus =
        Prometheus::start(Version::V3, &[&format!("{TAKES_ONLY}=prometheus.WriteRequest")]).unwrap();
    let (taffrail, started) = pushing(&prometheus, "auto");
    nothing_is_missing(&prometheus, &taffrail, started);
    let log = taffrail.log().unwrap();
    assert!(log.contains("remote write 1.0 is sent, and 2.0 tried again every hour: HTTP 415"), "{log}");
}

#[test]
fn who_swallows_2_0_gets_1_0() {
    let prometheus = Prometheus::start(Version::V2, &[]).unwrap();
    let (taffrail, started) = pushing(&prometheus, "auto");
    nothing_is_missing(&prometheus, &taffrail, started);
    let log = taffrail.log().unwrap();
    assert!(log.contains("HTTP 204 without saying how many samples were written"), "{log}");
}

#[test]
fn a_fixed_version_is_kept_and_what_is_wrong_is_said() {
    let prometheus = Prometheus::start(Version::V2, &[]).unwrap();
    let (taffrail, _) = pushing(&prometheus, "2.0");
    crate::support::wait_for_problem(&taffrail, &["version: auto"]).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(prometheus.query("node_load1").unwrap().is_empty());
    let config = std::fs::read_to_string(taffrail.config_path()).unwrap().replace("2.0", "auto");
    taffrail.configure(&config).unwrap();
    taffrail.client().post("/-/reload", &[], &[]).unwrap();
    prometheus.wait_for("node_load1", SOON).unwrap();
    wait_for_peace(&taffrail).unwrap();
}
