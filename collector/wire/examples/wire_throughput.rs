//! How fast the encoders and the parser are on this machine, in a second of one CPU:
//! `cargo run --release -p taffrail-wire --example wire_throughput`.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::fmt::Write;
use std::hint::black_box;

use taffrail_wire::loki::{Batch, streams};
use taffrail_wire::page::{Entry, Format, Found, Options, Parser, Table};
use taffrail_wire::remote_write::{Request, encode_labels};

const SERIES: usize = 2_000;
const NOW_MS: i64 = 1_763_690_000_000;

/// The time that this thread was on a CPU, in nanoseconds: other programs do not count.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// Runs `work` for half a second and says how many `items` and megabytes (of 10^6 bytes) it did a second.
fn measure(what: &str, items: usize, bytes: usize, mut work: impl FnMut()) {
    work();
    let (start, mut rounds) = (cpu_ns(), 0);
    let mut spent = 0;
    while spent < 500_000_000 {
        work();
        rounds += 1;
        spent = cpu_ns() - start;
    }
    let seconds = spent as f64 / 1e9;
    let rate = (rounds * items) as f64 / seconds / 1e6;
    let throughput = (rounds * bytes) as f64 / seconds / 1e6;
    println!("{what:<44} {rate:8.2} M/s {throughput:9.0} MB/s");
}

fn main() {
    remote_write();
    loki();
    pages();
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

/// Pages of as many series, a Go service's histograms among them: with `seed` the values change, the series stay.
fn page(series: usize, seed: usize) -> String {
    let mut page = String::new();
    for i in 0..series {
        if i % 100 == 0 {
            let _ = writeln!(page, "# HELP http_request_{i}_seconds How long requests took.");
            let _ = writeln!(page, "# TYPE http_request_{i}_seconds histogram");
        }
        let (family, value) = (i / 100 * 100, i * 7 + seed * 13);
        // Writing to a String cannot fail. Values are counters, now and then with a fraction or an exponent.
        let _ = write!(
            page,
            "http_request_{family}_seconds_bucket{{handler=\"/api/items/{}\",method=\"GET\",code=\"200\",le=\"{}\"}} ",
            i % 100 / 10,
            [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0][i % 10],
        );
        let _ = match i % 10 {
            8 => writeln!(page, "{}", value as f64 * 0.37),
            9 => writeln!(page, "{:e}", value as f64 * 1001.0),
            _ => writeln!(page, "{value}"),
        };
    }
    page
}

/// A page's samples, found in a table: all known, and one in a hundred new.
fn pages() {
    for series in [10_000, 100_000, 1_000_000] {
        let pages: Vec<String> = (0..2).map(|seed| page(series, seed)).collect();
        let bytes = pages[0].len();
        measure(&format!("page of {series}, every entry"), series, bytes, || {
            let parser = Parser::new(black_box(pages[0].as_bytes()), Format::Text, Options::default());
            black_box(parser.flatten().count());
        });
        let (mut table, mut next, mut turn) = (Table::new(), 0u32, 0);
        measure(&format!("page of {series}, known"), series, bytes, || {
            turn ^= 1;
            black_box(scrape(&pages[turn], &mut table, &mut next));
        });
        let memory = table.memory() as f64 / table.len() as f64;
        println!("{:<44} {memory:8.1} B", format!("table of {series}, each"));
        let churned = [churn(&pages[0], "PUT"), churn(&pages[1], "POST")];
        measure(&format!("page of {series}, 1 % new each time"), series, bytes, || {
            turn = (turn + 1) % 2;
            black_box(scrape(&churned[turn], &mut table, &mut next));
        });
    }
}

/// The page with another label in one of a hundred lines.
fn churn(page: &str, method: &str) -> String {
    let lines = page.lines().enumerate().map(|(i, line)| match i % 100 {
        50 => line.replace("GET", method) + "\n",
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// What a scrape does with a page but for what it does with the samples; their sum.
fn scrape(page: &str, table: &mut Table<u32>, next: &mut u32) -> f64 {
    let mut parser = Parser::new(page.as_bytes(), Format::Text, Options::default());
    table.begin();
    let mut sum = 0.0;
    loop {
        if let Some(known) = parser.known(table) {
            sum += known.value + f64::from(known.of);
            continue;
        }
        match parser.next() {
            Some(Ok(Entry::Sample(sample))) => {
                if let Found::New(key) = table.find(&sample.series) {
                    sum += sample.series.labels().count() as f64;
                    *next += 1;
                    table.insert(key, *next);
                }
                sum += sample.value;
            }
            Some(Ok(_)) => {}
            _ => break,
        }
    }
    table.sweep(|gone| sum -= f64::from(gone));
    sum
}
