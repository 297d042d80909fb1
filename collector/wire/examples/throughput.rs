//! How fast the encoders and the parser are on this machine, one thread:
//! `cargo run --release -p taffrail-wire --example throughput`.
#![expect(clippy::disallowed_methods, reason = "it measures; nothing else here reads the time")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use taffrail_wire::loki::{Batch, streams};
use taffrail_wire::remote_write::{Request, encode_labels};
use taffrail_wire::text::{Format, Item, parse};

const SERIES: usize = 2_000;
const NOW_MS: i64 = 1_763_690_000_000;

/// Runs `work` for half a second and says how many `items` and megabytes (of 10^6 bytes) it did a second.
fn measure(what: &str, items: usize, bytes: usize, mut work: impl FnMut()) {
    work();
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(500) {
        work();
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = (rounds * items) as f64 / seconds / 1e6;
    let throughput = (rounds * bytes) as f64 / seconds / 1e6;
    println!("{what:<44} {rate:8.2} M/s {throughput:9.0} MB/s");
}

fn main() {
    remote_write();
    loki();
    text();
}

fn remote_write() {
    let labels: Vec<Vec<u8>> = (0..SERIES)
        .map(|i| {
            let (cpu, mode) = (i.to_string(), ["user", "system", "idle", "iowait"][i % 4]);
            let pairs = [
                ("__name__", "node_cpu_seconds_total"),
                ("cpu", &cpu),
                ("instance", "web-17"),
                ("job", "node"),
                ("mode", mode),
            ];
            let mut labels = Vec::new();
            encode_labels(&mut labels, pairs.into_iter());
            labels
        })
        .collect();
    let mut request = Request::new();
    let fill = |request: &mut Request| {
        request.clear();
        for (i, labels) in labels.iter().enumerate() {
            request.series(labels, &[(i as f64 * 1.37, NOW_MS)]);
        }
    };
    fill(&mut request);
    let bytes = request.raw_len();
    measure("remote write, series encoded", SERIES, bytes, || fill(black_box(&mut request)));
    measure("remote write, series encoded and compressed", SERIES, bytes, || {
        fill(&mut request);
        black_box(request.finish().is_ok());
    });
}

fn loki() {
    let lines: Vec<String> = (0..1_000)
        .map(|i| {
            let (ms, user) = (i * 7 % 1000, i * 7919 % 5000);
            format!(
                "2025-11-21T02:00:00.{ms:03}Z INFO request handled method=GET path=/api/items/{i} status=200 user={user} \
                 duration_ms={} trace=4bf92f3577b34da6a3ce929d0e0e{i:04x} upstream=10.0.3.{} cache=miss bytes={}",
                i % 83, i % 250, i * 31 % 9000
            )
        })
        .collect();
    let mut batch = Batch::new();
    let fill = |batch: &mut Batch| {
        batch.clear();
        batch.stream(r#"{container="shop", instance="web-17", job="docker", stream="stdout"}"#);
        for (i, line) in lines.iter().enumerate() {
            batch.entry(NOW_MS * 1_000_000 + i as i64, line, []);
        }
    };
    fill(&mut batch);
    let bytes = batch.finish().len();
    measure("loki, entries written", lines.len(), bytes, || fill(black_box(&mut batch)));
    let raw = batch.finish().to_vec();
    measure("loki, entries written and compressed", lines.len(), bytes, || {
        fill(&mut batch);
        black_box(batch.compressed().is_ok());
    });
    measure("loki, entries read", lines.len(), bytes, || {
        for stream in streams(&raw).flatten() {
            black_box(stream.entries().flatten().map(|entry| entry.line.len()).sum::<usize>());
        }
    });
}

fn text() {
    let mut page = String::new();
    for i in 0..SERIES {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "http_request_duration_seconds_bucket{{handler=\"/api/items/{i}\",method=\"GET\",code=\"200\",le=\"0.5\"}} {}",
            (i * i) as f64 * 0.37
        );
    }
    let samples = || parse(black_box(page.as_bytes()), Format::Prometheus).flatten();
    measure("text, samples", SERIES, page.len(), || {
        black_box(samples().count());
    });
    measure("text, samples and labels", SERIES, page.len(), || {
        for item in samples() {
            let Item::Sample(sample) = item else { continue };
            black_box(sample.series.labels().flatten().count());
        }
    });
}
