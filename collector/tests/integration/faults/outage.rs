//! A receiver that is away from one of three collectors, then from all: each sample arrives once, new ones at once, and
//! memory stays as it was.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use taffrail_tests::{Gate, Prometheus, Taffrail, Version, wait_for};

use super::rig::{Pages, Samples, TEXT, resident, respond};
use crate::support::{SOON, own, status, wait_for_peace};

/// Series of a target.
const SERIES: usize = 200;
/// How long one of them is cut off, and how long Prometheus is dead after that.
const AWAY: Duration = Duration::from_secs(12);
const DEAD: Duration = Duration::from_secs(5);
/// So much may the resident size grow in an outage: its samples are on disk.
const FLAT: u64 = 16 << 20;

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// How many pages each writer was given, by its path.
type Served = Arc<Mutex<BTreeMap<String, u64>>>;

/// A target of two hundred series, all of whose values are the number of the writer's request.
fn pages() -> (Pages, Served) {
    let served = Served::default();
    let count = served.clone();
    let pages = Pages::serve(move |path, stream| {
        let number = {
            let mut served = count.lock().unwrap_or_else(PoisonError::into_inner);
            let number = served.entry(path.trim_start_matches('/').to_owned()).or_default();
            *number += 1;
            *number
        };
        let page: String = (0..SERIES).map(|of| format!("many{{of=\"{of}\"}} {number}\n")).collect();
        respond(stream, 200, TEXT, page.as_bytes());
    });
    (pages, served)
}

fn collector(name: &str, target: &Pages, receiver: u16) -> Taffrail {
    let config = format!(
        "self: false\nhostname: ship\nlabels: {{writer: {name}}}\n\
         outputs: {{prometheus: [{{url: 'http://127.0.0.1:{receiver}/api/v1/write', timeout: 2s}}]}}\n\
         scrape_configs: [{{job_name: away, metrics_path: /{name}, scrape_interval: 500ms, scrape_timeout: 500ms, \
         static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
        target.port()
    );
    Taffrail::start(&config).unwrap()
}

/// Waits for a sample of `writer` that is younger than this call, and says how long that took.
fn until_current(prometheus: &Prometheus, writer: &str) -> Duration {
    let (since, start) = (now(), Instant::now());
    wait_for(&format!("a current sample of {writer}"), SOON, || {
        let newest = prometheus.query(&format!("timestamp(up{{writer=\"{writer}\"}})"))?;
        let newest = newest.first().context("there is none")?.value();
        ensure!(newest > since, "the newest is {} s old", now() - newest);
        Ok(())
    })
    .unwrap();
    start.elapsed()
}

fn outage(window: &str) {
    let text = format!("storage: {{tsdb: {{out_of_order_time_window: {window}}}}}\nscrape_configs: []\n");
    let mut prometheus = Prometheus::start_with(Version::V3, &text, &[]).unwrap();
    let gate = Gate::to(prometheus.port()).unwrap();
    let (target, served) = pages();
    let mut cut_off = collector("cut-off", &target, gate.port());
    let mut others = ["one", "two"].map(|name| collector(name, &target, prometheus.port()));
    prometheus.wait_for("count(count_over_time(up[1m]) >= 4) == 3", SOON).unwrap();
    let pid = cut_off.process().unwrap().pid();
    let before = resident(pid);

    gate.shut();
    sleep(AWAY);
    let grown = resident(pid).saturating_sub(before);
    assert!(grown < FLAT, "{} MiB more when the receiver was away", grown >> 20);
    let newest = prometheus.query("timestamp(up{writer=\"one\"})").unwrap()[0].value();
    assert!(now() - newest < 3.0, "the others go on: {newest}");
    gate.open();
    let took = until_current(&prometheus, "cut-off");
    assert!(took < Duration::from_secs(5), "current samples were there after {took:?} only");
    wait_for_peace(&cut_off).unwrap();

    // Now it is dead for all, and comes back to what it had written.
    prometheus.kill();
    sleep(DEAD);
    prometheus.restart().unwrap();
    for writer in ["cut-off", "one", "two"] {
        until_current(&prometheus, writer);
    }
    for taffrail in [&cut_off, &others[0], &others[1]] {
        wait_for_peace(taffrail).unwrap();
        let status = status(taffrail).unwrap();
        assert_eq!(status["outputs"][0]["lost"], serde_json::json!({}), "{status}");
        assert_eq!(own(taffrail, "taffrail_output_live{kind=\"prometheus\",output=\"prometheus\"}"), 0.0);
    }
    let grown = resident(pid).saturating_sub(before);
    assert!(grown < FLAT, "{} MiB more after the outages", grown >> 20);
    for taffrail in std::iter::once(&mut cut_off).chain(&mut others) {
        assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    }
    for (writer, served) in &*served.lock().unwrap_or_else(PoisonError::into_inner) {
        wait_for(&format!("all samples of {writer}"), SOON, || {
            let there = Samples::queried(&prometheus, &format!("many{{writer=\"{writer}\"}}[10m]"))?;
            ensure!(there.0.len() == SERIES, "{} series", there.0.len());
            for (series, points) in &there.0 {
                let numbers: Vec<u64> = points.values().map(|values| values[0] as u64).collect();
                let wanted: Vec<u64> = (1..=numbers.len() as u64).collect();
                ensure!(numbers == wanted, "{series} has {numbers:?}");
                // The last page may have come when it was not wanted any more.
                ensure!(served - numbers.len() as u64 <= 1, "{series} has {} of {served}", numbers.len());
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn an_outage_is_made_good_where_samples_may_come_out_of_order() {
    outage("10m");
}

#[test]
fn an_outage_is_made_good_where_samples_must_come_in_order() {
    outage("0s");
}
