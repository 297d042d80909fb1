//! What the functions of this crate cost, in bytes a second on one core, over lines with nothing in them.
//!
//! `cargo run --release -p taffrail-stages --example cost`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement reads the clock and prints"
)]

use std::hint::black_box;
use std::time::Instant;

use taffrail_stages::level;
use taffrail_stages::redact::{Action, Block, Kind, Redactor, Settings};

/// Lines of about the size that containers write, without a level, a credential or a person in them.
fn lines(form: &str) -> Vec<String> {
    (0..20_000)
        .map(|n| match form {
            "plain" => format!(
                "2026-11-21T10:{:02}:{:02}.{:03}Z worker-{} took the job {n} from the queue orders and handed it on to \
                 the next stage after {} ms; the batch holds {} entries of at most {} bytes each, nothing was left over",
                n / 60 % 60, n % 60, n % 1000, n % 7, n % 131, n % 500, n % 4096
            ),
            "access" => format!(
                "10.0.{}.{} - - [21/Nov/2026:10:{:02}:{:02} +0000] \"GET /shop/items/{n}?page={} HTTP/1.1\" 200 {} \
                 \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\"",
                n % 256, n / 256 % 256, n / 60 % 60, n % 60, n % 9, n * 7 % 100_000
            ),
            _ => format!(
                "{{\"ts\":\"2026-11-21T10:{:02}:{:02}.{:03}Z\",\"msg\":\"took the job from the queue\",\"job\":{n},\
                 \"worker\":\"worker-{}\",\"ms\":{},\"queue\":\"orders\",\"entries\":{},\"next\":\"stage-two\",\"ok\":true}}",
                n / 60 % 60, n % 60, n % 1000, n % 7, n % 131, n % 500
            ),
        })
        .collect()
}

/// The best of several rounds: the machine is shared.
fn measure(what: &str, lines: &[String], mut each: impl FnMut(&str)) {
    let bytes: usize = lines.iter().map(String::len).sum();
    let best = (0..15)
        .map(|_| {
            let start = Instant::now();
            lines.iter().for_each(|line| each(black_box(line)));
            start.elapsed()
        })
        .min()
        .unwrap();
    println!(
        "{what:<24} {:>6.2} GB/s  {:>5.0} ns a line of {} B",
        bytes as f64 / best.as_secs_f64() / 1e9,
        best.as_secs_f64() * 1e9 / lines.len() as f64,
        bytes / lines.len()
    );
}

fn main() {
    for form in ["plain", "access", "json"] {
        let lines = lines(form);
        measure(&format!("level, {form}"), &lines, |line| {
            black_box(level::detect(line.as_bytes()));
        });
    }
    let with: Vec<String> =
        lines("plain").iter().map(|line| line.replace("Z ", "Z  INFO 1 --- [main] ")).collect();
    measure("level, plain with one", &with, |line| {
        black_box(level::detect(line.as_bytes()));
    });
    let with: Vec<String> =
        lines("json").iter().map(|line| line.replace(",\"msg\"", ",\"level\":\"info\",\"msg\"")).collect();
    measure("level, json with one", &with, |line| {
        black_box(level::detect(line.as_bytes()));
    });
    let all = Settings {
        kinds: Kind::ALL.iter().map(|kind| (*kind, Action::Replace)).collect(),
        ..Settings::default()
    };
    for (name, settings) in [("credentials", Settings::default()), ("all", all)] {
        let redactor = Redactor::new(&settings).unwrap();
        let mut block = Block::default();
        for form in ["plain", "access", "json"] {
            let lines = lines(form);
            measure(&format!("redact {name}, {form}"), &lines, |line| {
                black_box(redactor.redact(line, &mut block));
            });
        }
    }
}
