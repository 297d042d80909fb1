//! Reloads under load: what a job hands over to the one in its place, and what a removed one leaves behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use http::Response;
use taffrail_tests::{Prometheus, Receiver, Taffrail, Version, wait_for};

use crate::faults::rig::Samples;
use crate::support::{SOON, status, wait_for_peace};
use crate::targets::kit::Web;

/// A target that keeps its connection, whose value is the number of the request.
fn numbered() -> (Web, Arc<AtomicU64>) {
    let served = Arc::new(AtomicU64::new(0));
    let count = served.clone();
    let web = Web::start(None, move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let page =
            format!("# TYPE number counter\nnumber{{of=\"a\"}} {number}\nnumber{{of=\"b\"}} {number}\n");
        let answer = Response::builder().header("content-type", "text/plain; version=0.0.4");
        answer.body(page.into()).unwrap()
    });
    (web, served)
}

/// Requests on one connection to the collector, which has to stay open.
struct KeptOpen(BufReader<TcpStream>);

impl KeptOpen {
    fn to(taffrail: &Taffrail) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", taffrail.port())).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        KeptOpen(BufReader::new(stream))
    }

    fn reload(&mut self) -> String {
        let request = "POST /-/reload HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n";
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the connection was closed");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}

/// In odd turns one job is changed, another is gone, and so is the output to Prometheus: changed.
fn config(turn: usize, jobs: &[(&str, &Web)], prometheus: &Prometheus, double: &Receiver) -> String {
    let odd = turn % 2 == 1;
    let mut text = format!(
        "hostname: ship\nself: false\noutputs:\n  prometheus:\n    - {{name: real, url: '{}', timeout: {}s}}\n    \
         - {{name: double, version: '1.0', url: '{}'}}\nscrape_configs:\n",
        prometheus.write_url(),
        if odd { 20 } else { 30 },
        double.url("/api/v1/write"),
    );
    for (name, web) in jobs {
        let more = match (*name, odd) {
            ("removed", true) => continue,
            ("changed", true) => "sample_limit: 100, http_headers: {x-turn: {values: [odd]}}, ",
            ("relabelled", true) => {
                "metric_relabel_configs: [{source_labels: [of], regex: b, target_label: turn, replacement: odd}], "
            }
            _ => "",
        };
        text.push_str(&format!(
            "  - {{job_name: {name}, scrape_interval: 200ms, scrape_timeout: 200ms, {more}\
             static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
            web.port()
        ));
    }
    text
}

#[test]
fn jobs_hand_over_their_series_under_load() {
    const TURNS: usize = 8;
    let (prometheus, double) = (Prometheus::start(Version::V3, &[]).unwrap(), Receiver::start().unwrap());
    let targets = ["kept", "changed", "relabelled", "removed"].map(|name| (name, numbered()));
    let jobs: Vec<(&str, &Web)> = targets.iter().map(|(name, (web, _))| (*name, web)).collect();
    let of = |turn| config(turn, &jobs, &prometheus, &double);
    let mut taffrail = Taffrail::start(&of(0)).unwrap();
    prometheus.wait_for("number{job=\"kept\"} > 3", SOON).unwrap();
    let mut connection = KeptOpen::to(&taffrail);
    for turn in 1..=TURNS {
        sleep(Duration::from_millis(900));
        taffrail.configure(&of(turn)).unwrap();
        assert_eq!(connection.reload(), "reloaded\n");
        if turn % 2 == 1 {
            // Without a mark, a query goes on finding them for five minutes.
            wait_for("the end of the removed job", SOON, || {
                let left = prometheus.query("{job=\"removed\"}")?;
                ensure!(left.is_empty(), "{left:?}");
                Ok(())
            })
            .unwrap();
            let others = prometheus.query("number{job!=\"removed\"}").unwrap();
            assert!(others.len() >= 6, "the others go on: {others:?}");
        } else {
            prometheus.wait_for("up{job=\"removed\"} == 1", SOON).unwrap();
        }
    }
    wait_for("the end of what the last turn renamed", SOON, || {
        let left = prometheus.query("number{turn=\"odd\"}")?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .unwrap();
    let served = targets[0].1.1.load(Ordering::SeqCst);
    wait_for("the last number in Prometheus", SOON, || {
        ensure!(prometheus.query("number{job=\"kept\",of=\"a\"}")?[0].value() >= served as f64, "not yet");
        Ok(())
    })
    .unwrap();
    wait_for_peace(&taffrail).unwrap();
    for output in status(&taffrail).unwrap()["outputs"].as_array().unwrap() {
        assert_eq!(output["lost"], serde_json::json!({}), "{output}");
    }
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));

    let came = Samples::accepted(&double.received());
    came.assert_consistent();
    assert_eq!(came.repeated(), 0, "an output that is not changed gets each sample once");
    let halves = TURNS / 2;
    // Of each of two series and five about the scrape.
    assert_eq!(came.ends("job=kept"), 0);
    assert_eq!(came.ends("job=changed"), 0, "other limits and headers end nothing");
    assert_eq!(came.ends("job=removed"), 7 * halves);
    assert_eq!(came.ends("job=relabelled,of=a"), 0, "what the rules leave as it was goes on");
    assert_eq!(came.ends("job=relabelled,of=b,turn=odd"), halves);
    assert_eq!(came.ends("job=relabelled,of=b"), 2 * halves);
    for (job, (_, served)) in &targets[..2] {
        for of in ["a", "b"] {
            let found = came.0.iter().find(|(name, _)| {
                name.contains("__name__=number,") && name.contains(&format!("job={job},of={of},"))
            });
            let points = found.unwrap().1;
            let numbers: Vec<u64> = points.values().map(|values| values[0] as u64).collect();
            // A scrape that is under way when its job is changed is given up: its page counts as served.
            let most = if *job == "kept" { 0 } else { TURNS };
            let missing = (1..=served.load(Ordering::SeqCst)).filter(|n| !numbers.contains(n)).count();
            assert!(missing <= most + 1, "{job}: {missing} are missing of {numbers:?}");
            let times: Vec<i64> = points.keys().copied().collect();
            let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(widest < 1000, "{job}: {widest} ms without a sample: {times:?}");
        }
    }
    // The output that was changed at each turn kept its cursor: both have got the same.
    let wanted = came.without_ends();
    wait_for("the same samples in Prometheus", SOON, || {
        let there = Samples::queried(&prometheus, "{job=~\"kept|changed|relabelled|removed\"}[10m]")?;
        let (missing, more) = (there.missing(&wanted), wanted.missing(&there));
        ensure!(missing.is_empty() && more.is_empty(), "missing {missing:?}, only there {more:?}");
        Ok(())
    })
    .unwrap();
    assert_eq!(targets[0].1.0.connections(), 1, "the target of a job that is not changed notices nothing");
}
