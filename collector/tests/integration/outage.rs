//! Outages while another agent goes on writing, to real Prometheus with and without a window for samples out of order.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use taffrail_tests::{Gate, Prometheus, Relay, Taffrail, Version};

use crate::support::{SOON, own, status, times, wait_for_peace, widest};

const WINDOW: &str = "storage: {tsdb: {out_of_order_time_window: 30m}}\n";

/// How long the receiver takes for a request: the backlog takes a while, so that it shows who waits for it.
const SLOW: Duration = Duration::from_millis(500);

fn config(name: &str, port: u16, more: &str) -> String {
    format!(
        "interval: 500ms
hostname: {name}
host: {{subjects: {{filesystem: false, netclass: false}}}}
outputs: {{prometheus: [{{url: \"http://127.0.0.1:{port}\", max_shards: 1, timeout: 5s{more}}}]}}
"
    )
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// The newest sample of `node_load1` of this host, in seconds since 1970.
fn newest(prometheus: &Prometheus) -> f64 {
    let found =
        prometheus.query("max_over_time(timestamp(node_load1{instance=\"ship\"})[10m:500ms])").unwrap();
    found.first().map_or(0.0, taffrail_tests::Series::value)
}

/// What came of an outage.
struct Seen {
    /// How long after the return a sample was there that was taken after it.
    first_after: f64,
    /// The live lane ran.
    live: bool,
    /// Samples that were sent twice, of those lost.
    resent: u64,
}

/// An agent is cut off for a while, another one is not; nothing may be missing in the end.
fn outage(prometheus: &Prometheus, more: &str) -> Seen {
    let relay = Relay::to(prometheus.port(), Duration::ZERO).unwrap();
    let gate = Gate::to(relay.port()).unwrap();
    let tender = Taffrail::start(&config("tender", prometheus.port(), "")).unwrap();
    let ship = Taffrail::start(&config("ship", gate.port(), more)).unwrap();
    prometheus.wait_for("count(count_over_time(node_load1[1m]) >= 3) == 2", SOON).unwrap();
    let start = now();
    gate.shut();
    relay.set_delay(SLOW);
    sleep(Duration::from_secs(50));
    gate.open();
    let back = now();
    let (mut live, mut first_after) = (false, None);
    while now() - back < 240.0 {
        live |= own(&ship, "taffrail_output_live{kind=\"prometheus\",output=\"prometheus\"}") == 1.0;
        if first_after.is_none() && newest(prometheus) > back {
            first_after = Some(now() - back);
        }
        let waiting = own(&ship, "taffrail_output_lag_seconds{kind=\"prometheus\",output=\"prometheus\"}");
        if first_after.is_some() && waiting < 3.0 && now() - back > 8.0 {
            break;
        }
        sleep(Duration::from_millis(200));
    }
    relay.set_delay(Duration::ZERO);
    wait_for_peace(&ship).unwrap();
    let until = now();
    prometheus.wait_for(&format!("timestamp(node_load1{{instance=\"ship\"}}) > {until}"), SOON).unwrap();
    for instance in ["ship", "tender"] {
        let series = prometheus.query(&format!("node_load1{{instance=\"{instance}\"}}[6m]")).unwrap();
        let points = times(&series[0]);
        assert!(points[0] < start + 1.0, "from before the outage");
        assert!(widest(points.clone()) < 1.6, "{instance} has a gap: {points:?}");
    }
    let mut resent = 0;
    for (name, taffrail) in [("ship", &ship), ("tender", &tender)] {
        let output = status(taffrail).unwrap()["outputs"][0].clone();
        assert_eq!(output["lost"], serde_json::json!({}), "{name}: {output}");
        resent += output["resent"].as_u64().unwrap();
    }
    let first_after = first_after.unwrap();
    Seen { first_after, live, resent }
}

#[test]
fn with_a_window_what_is_new_overtakes_the_backlog() {
    let prometheus = Prometheus::start_with(Version::V3, WINDOW, &[]).unwrap();
    let seen = outage(&prometheus, "");
    assert!(seen.live, "a live lane");
    // At most five seconds and a quarter until it is tried again, four requests, half an interval.
    assert!(seen.first_after < 10.0, "current samples after {} s", seen.first_after);
    assert_eq!(seen.resent, 0);
    let probe = prometheus.query("taffrail_output_window_probe_seconds").unwrap();
    assert_eq!(probe.len(), 1, "it was asked: {probe:?}");
}

#[test]
fn without_a_window_the_first_comes_first() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let seen = outage(&prometheus, "");
    assert!(!seen.live, "asked, it says no");
}

#[test]
fn who_says_off_is_not_asked() {
    let prometheus = Prometheus::start_with(Version::V3, WINDOW, &[]).unwrap();
    let seen = outage(&prometheus, ", out_of_order: \"off\"");
    assert!(!seen.live);
    let probe = prometheus.query("last_over_time(taffrail_output_window_probe_seconds[10m])").unwrap();
    assert!(probe.is_empty(), "{probe:?}");
}
