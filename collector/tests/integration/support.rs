//! What several modules ask of a running `taffrail`, and of what it has sent.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use taffrail_tests::{LokiDouble, Receiver, Series, Taffrail, wait_for};

/// Long enough for anything that happens within seconds, on a machine that has other things to do.
pub const SOON: Duration = Duration::from_secs(30);

/// `/api/v1/status`.
pub fn status(taffrail: &Taffrail) -> Result<Value> {
    Ok(serde_json::from_slice(&taffrail.client().get_ok("/api/v1/status")?.body)?)
}

/// What the page's first line says is wrong: `part name: text`.
pub fn problems(taffrail: &Taffrail) -> Result<Vec<String>> {
    let status = status(taffrail)?;
    let problems = status["problems"].as_array().context("no list of problems")?;
    let text = |p: &Value| {
        format!("{} {}: {}", word(&p["part"]), word(&p["name"]), p["text"].as_str().unwrap_or_default())
    };
    Ok(problems.iter().map(text).collect())
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Waits until one problem's text has all these words.
pub fn wait_for_problem(taffrail: &Taffrail, words: &[&str]) -> Result<String> {
    wait_for(&format!("a problem that says {words:?}"), SOON, || {
        let all = problems(taffrail)?;
        let found = all.iter().find(|text| words.iter().all(|word| text.contains(word)));
        found.cloned().with_context(|| format!("there are {all:?}"))
    })
}

/// Waits until nothing is wrong.
pub fn wait_for_peace(taffrail: &Taffrail) -> Result<()> {
    wait_for("a pipeline without problems", SOON, || {
        let all = problems(taffrail)?;
        ensure!(all.is_empty(), "there are {all:?}");
        Ok(())
    })
}

/// One of the collector's own metrics as `/metrics` shows it, by name with labels; 0 where it is not there.
pub fn own(taffrail: &Taffrail, series: &str) -> f64 {
    let page = taffrail.client().get_ok("/metrics").unwrap().text();
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// The widest distance between neighbours, in seconds; infinite for fewer than two.
pub fn widest(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.reduce(f64::max).unwrap_or(f64::INFINITY)
}

/// The times of a series' points.
pub fn times(series: &Series) -> Vec<f64> {
    series.points.iter().map(|(time, _)| *time).collect()
}

/// Every sample a receiver has accepted, by series, as times in milliseconds in the order they came.
pub fn accepted_samples(receiver: &Receiver) -> BTreeMap<String, Vec<i64>> {
    let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for received in receiver.received().iter().filter(|received| received.accepted) {
        for series in received.write_request().unwrap().timeseries {
            let name = series.labels.iter().map(|l| format!("{}={},", l.name, l.value)).collect();
            all.entry(name).or_default().extend(series.samples.iter().map(|s| s.timestamp));
        }
    }
    all
}

/// The times of one metric's series that has no labels of its own, in seconds.
pub fn accepted_times(receiver: &Receiver, metric: &str) -> Vec<f64> {
    let start = format!("__name__={metric},");
    let found = accepted_samples(receiver).into_iter().find(|(name, _)| name.starts_with(&start));
    found.map(|(_, times)| times.into_iter().map(|ms| ms as f64 / 1000.0).collect()).unwrap_or_default()
}

/// Every line a receiver has accepted, in the order they came.
pub fn accepted_lines(receiver: &Receiver) -> Vec<String> {
    let accepted = receiver.received().into_iter().filter(|received| received.accepted);
    let streams = accepted.flat_map(|received| received.push_request().unwrap().streams);
    streams.flat_map(|stream| stream.entries).map(|entry| entry.line).collect()
}

/// Waits until Loki has every one of these lines; says which it has not.
pub fn wait_for_all(loki: &LokiDouble, labels: &[(&str, &str)], wanted: &[String]) -> Result<Vec<String>> {
    wait_for(&format!("{} lines at Loki", wanted.len()), SOON, || {
        let lines = loki.lines(labels);
        let there: std::collections::BTreeSet<&String> = lines.iter().collect();
        let missing: Vec<&String> = wanted.iter().filter(|line| !there.contains(line)).collect();
        ensure!(missing.is_empty(), "{} are missing, first {:?}", missing.len(), missing[0]);
        Ok(lines)
    })
}
