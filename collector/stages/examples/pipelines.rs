//! What whole pipelines of stages cost, in bytes a second on one core, entries included.
//!
//! `cargo run --release -p taffrail-stages --example pipelines`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement reads the clock and prints"
)]

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use taffrail_core::Pattern;
use taffrail_stages::path::Path;
use taffrail_stages::stage::{
    Condition, Json, Label, Labels, LevelStage, Logfmt, Metadata, OnFailure, Output, PatternStage, Regex,
    Stage, Timestamp,
};
use taffrail_stages::timeformat::{Format, Zone};
use taffrail_stages::times::Times;
use taffrail_stages::{Entry, Stages, pattern};

fn json_lines() -> Vec<String> {
    (0..20_000)
        .map(|n| {
            format!(
                "{{\"ts\":\"2026-11-21T10:{:02}:{:02}.{:03}Z\",\"level\":\"info\",\"msg\":\"took the job from the queue\",\"job\":{n},\
                 \"worker\":\"worker-{}\",\"ms\":{},\"queue\":\"orders\",\"entries\":{},\"next\":\"stage-two\",\"ok\":true}}",
                n / 60 % 60, n % 60, n % 1000, n % 7, n % 131, n % 500
            )
        })
        .collect()
}

fn access_lines() -> Vec<String> {
    (0..20_000)
        .map(|n| {
            format!(
                "10.0.{}.{} - - [21/Nov/2026:10:{:02}:{:02} +0000] \"GET /shop/items/{n}?page={} HTTP/1.1\" 200 {} \
                 \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\"",
                n % 256, n / 256 % 256, n / 60 % 60, n % 60, n % 9, n * 7 % 100_000
            )
        })
        .collect()
}

fn logfmt_lines() -> Vec<String> {
    (0..20_000)
        .map(|n| {
            format!(
                "ts=2026-11-21T10:{:02}:{:02}.{:03}Z level=info msg=\"took the job from the queue\" job={n} worker=worker-{} ms={} \
                 queue=orders entries={} next=stage-two ok=true",
                n / 60 % 60, n % 60, n % 1000, n % 7, n % 131, n % 500
            )
        })
        .collect()
}

/// The best of several rounds: the machine is shared.
fn measure(what: &str, lines: &[String], stages: Vec<Stage>) {
    let stages = Stages::new(stages);
    let bytes: usize = lines.iter().map(String::len).sum();
    let best = (0..15)
        .map(|_| {
            let start = Instant::now();
            let (mut entry, mut times) = (Entry::default(), Times::default());
            for (line, read_ns) in lines.iter().zip(1_795_273_200_000_000_000..) {
                entry.begin(Cow::Borrowed(black_box(line)), read_ns, 1);
                black_box(stages.apply(&mut entry));
                black_box(times.place(entry.time, read_ns));
            }
            start.elapsed()
        })
        .min()
        .unwrap();
    println!(
        "{what:<34} {:>5.0} MB/s  {:>5.0} ns a line of {} B",
        bytes as f64 / best.as_secs_f64() / 1e6,
        best.as_secs_f64() * 1e9 / lines.len() as f64,
        bytes / lines.len()
    );
}

fn named(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect()
}

fn main() {
    let (json, access, logfmt) = (json_lines(), access_lines(), logfmt_lines());
    let level = || Stage::Level(LevelStage::default());
    let timestamp = |source: &str, format: &str| {
        Stage::Timestamp(Timestamp {
            source: Some(source.into()),
            formats: vec![Format::parse(format).unwrap()],
            zone: Zone::default(),
            on_failure: OnFailure::Fudge,
        })
    };
    let some = |names: &[&str]| {
        let expressions = names.iter().map(|name| ((*name).to_owned(), Path::member(name))).collect();
        Stage::Json(Json { expressions, ..Json::default() })
    };
    measure("json: no stage", &json, vec![]);
    measure("json: level", &json, vec![level()]);
    measure("json: all fields", &json, vec![Stage::Json(Json::default())]);
    measure("json: three fields", &json, vec![some(&["ts", "msg", "worker"])]);
    measure(
        "json: level, all, time, label, output",
        &json,
        vec![
            level(),
            Stage::Json(Json::default()),
            timestamp("ts", "RFC3339"),
            Stage::Labels(Labels {
                labels: vec![Label { name: "queue".into(), source: "queue".into(), values: vec![] }],
            }),
            Stage::Metadata(Metadata { metadata: named(&["worker", "job"]) }),
            Stage::Output(Output { source: "msg".into() }),
        ],
    );
    measure("logfmt: all fields", &logfmt, vec![Stage::Logfmt(Logfmt::default())]);
    let text = "<ip> - <_> [<time>] \"<method> <path> <_>\" <status> <bytes> <_>";
    let pattern =
        || Stage::Pattern(PatternStage { source: None, pattern: pattern::Pattern::parse(text).unwrap() });
    measure("access: pattern", &access, vec![pattern()]);
    measure(
        "access: pattern, time",
        &access,
        vec![pattern(), timestamp("time", "02/Jan/2006:15:04:05 -0700")],
    );
    let regex =
        r#"^(?P<ip>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>\S+) (?P<path>\S+)[^"]*" (?P<status>\d+)"#;
    measure(
        "access: regex",
        &access,
        vec![Stage::Regex(Regex::new(None, Pattern::new(regex).unwrap()).unwrap())],
    );
    let drop = Condition { expression: Pattern::new("GET /-/healthy").ok(), ..Condition::default() };
    measure("access: drop", &access, vec![Stage::Drop(drop)]);
}
