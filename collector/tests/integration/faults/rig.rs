//! Targets whose samples are numbered, and what became of each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use taffrail_tests::{Prometheus, Received, Taffrail};

/// The mark at which a series ends.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A server of pages, which writes to the socket itself so that it can do what no proper server does.
pub struct Pages {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Pages {
    /// Calls `answer` with the path of each request, on a thread of its own; the connection ends with it.
    pub fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (over, answer) = (Arc::new(AtomicBool::new(false)), Arc::new(answer));
        let stop = Arc::clone(&over);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                thread::spawn(move || {
                    if let Some(path) = request(&stream) {
                        answer(&path, &mut stream);
                    }
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Pages { port, over }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn request(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    while lines.next()?.is_ok_and(|line| !line.is_empty()) {}
    Some(first.split(' ').nth(1)?.to_owned())
}

/// A whole answer.
pub fn respond(stream: &mut TcpStream, status: u16, content_type: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} As Told\r\ncontent-type: {content_type}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    // The other side may be gone: it is killed now and then.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

pub const TEXT: &str = "text/plain; version=0.0.4";

/// A target with some series, all of whose values are the number of the request.
pub struct Numbered {
    pages: Pages,
    served: Arc<AtomicU64>,
}

impl Numbered {
    pub fn start(series: usize) -> Self {
        let served = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&served);
        let pages = Pages::serve(move |_, stream| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let mut page = "# TYPE numbered_total counter\n".to_owned();
            for of in 0..series {
                page.push_str(&format!("numbered_total{{of=\"{of}\"}} {number}\n"));
            }
            respond(stream, 200, TEXT, page.as_bytes());
        });
        Numbered { pages, served }
    }

    pub fn port(&self) -> u16 {
        self.pages.port()
    }

    /// How many pages it has given out.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    /// A job that scrapes it five times a second.
    pub fn job(&self) -> String {
        format!(
            "scrape_configs: [{{job_name: numbered, scrape_interval: 200ms, scrape_timeout: 200ms, \
             static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
            self.port()
        )
    }
}

/// Samples: of each series, at each time, the values that came, in their order.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub BTreeMap<String, BTreeMap<i64, Vec<f64>>>);

impl Samples {
    pub fn add(&mut self, series: &str, ts_ms: i64, value: f64) {
        self.0.entry(series.to_owned()).or_default().entry(ts_ms).or_default().push(value);
    }

    /// All that a receiver has said yes to.
    pub fn accepted<'a>(received: impl IntoIterator<Item = &'a Received>) -> Self {
        let mut all = Samples::default();
        for received in received.into_iter().filter(|received| received.accepted) {
            for series in received.write_request().unwrap().timeseries {
                let mut labels: Vec<(&str, &str)> =
                    series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
                assert!(labels.is_sorted_by(|a, b| a.0 < b.0), "receivers refuse this: {labels:?}");
                labels.sort_unstable();
                let name = text(labels);
                series.samples.iter().for_each(|sample| all.add(&name, sample.timestamp, sample.value));
            }
        }
        all
    }

    /// All that Prometheus finds for an expression such as `{job="app"}[10m]`.
    pub fn queried(prometheus: &Prometheus, expr: &str) -> Result<Self> {
        let mut all = Samples::default();
        for series in prometheus.query(expr)? {
            let name =
                text(series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
            for (time, value) in &series.points {
                all.add(&name, (time * 1000.0).round() as i64, *value);
            }
        }
        Ok(all)
    }

    /// Those without the marks at which series end.
    #[must_use]
    pub fn without_ends(mut self) -> Self {
        for points in self.0.values_mut() {
            points.values_mut().for_each(|values| values.retain(|value| value.to_bits() != STALE));
            points.retain(|_, values| !values.is_empty());
        }
        self.0.retain(|_, points| !points.is_empty());
        self
    }

    /// How many marks there are at which series end, in those whose name has this in it.
    pub fn ends(&self, of: &str) -> usize {
        let found = self.0.iter().filter(|(name, _)| name.contains(of));
        let values = found.flat_map(|(_, points)| points.values().flatten());
        values.filter(|value| value.to_bits() == STALE).count()
    }

    /// All that is in the log on disk, whether it was delivered or not.
    pub fn on_disk(taffrail: &Taffrail) -> Result<Self> {
        let dir = taffrail.data_dir().display().to_string();
        let (code, said) = Taffrail::command(&["spool", "export", "metrics", "--data-dir", &dir])?;
        anyhow::ensure!(code == Some(0), "export ended with {code:?}: {said}");
        let mut all = Samples::default();
        for line in said.lines().filter(|line| line.starts_with('{')) {
            let read: Value = serde_json::from_str(line)?;
            let value = match &read["value"] {
                Value::String(text) if text == "stale" => f64::from_bits(STALE),
                Value::String(text) => text.parse()?,
                number => number.as_f64().context("no value")?,
            };
            let labels = read["labels"].as_object().context("no labels")?;
            let mut labels: Vec<(&str, &str)> = labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
                .collect();
            labels.push(("__name__", read["name"].as_str().context("no name")?));
            labels.sort_unstable();
            all.add(&text(labels), read["ts_ms"].as_i64().context("no time")?, value);
        }
        Ok(all)
    }

    /// Takes in what others have that this has not.
    pub fn extend(&mut self, other: Samples) {
        for (series, points) in other.0 {
            let mine = self.0.entry(series).or_default();
            for (ts_ms, values) in points {
                mine.entry(ts_ms).or_insert(values);
            }
        }
    }

    pub fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// How many came more than once.
    pub fn repeated(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).map(|values| values.len() - 1).sum()
    }

    /// What of `wanted` is not here, or is here with another value.
    pub fn missing(&self, wanted: &Samples) -> Vec<String> {
        let mut missing = Vec::new();
        for (series, points) in &wanted.0 {
            let mine = self.0.get(series);
            for (ts_ms, values) in points {
                let there = mine.and_then(|mine| mine.get(ts_ms));
                if there.is_none_or(|there| there[0].to_bits() != values[0].to_bits()) {
                    missing.push(format!("{series} at {ts_ms}: {values:?}, there is {there:?}"));
                }
            }
        }
        missing
    }

    /// The numbers that the numbered target's series have: every series the same ones.
    pub fn numbers(&self) -> BTreeSet<u64> {
        let of = |points: &BTreeMap<i64, Vec<f64>>| {
            let plain = points.values().flatten().filter(|value| value.is_finite());
            plain.map(|value| *value as u64).collect::<BTreeSet<u64>>()
        };
        let mut series =
            self.0.iter().filter(|(name, _)| name.contains("numbered_total")).map(|(_, points)| of(points));
        let first = series.next().unwrap_or_default();
        assert!(series.all(|other| other == first), "a page arrives as a whole or not at all");
        first
    }

    /// No value of one time is another the second time.
    pub fn assert_consistent(&self) {
        for (series, points) in &self.0 {
            for (ts_ms, values) in points {
                let same = values.iter().all(|value| value.to_bits() == values[0].to_bits());
                assert!(same, "{series} at {ts_ms} has several values: {values:?}");
            }
        }
    }
}

fn text(labels: Vec<(&str, &str)>) -> String {
    labels.into_iter().map(|(name, value)| format!("{name}={value},")).collect()
}

/// The numbers from 1 to the highest that are not there.
pub fn gaps(numbers: &BTreeSet<u64>) -> Vec<u64> {
    let last = numbers.last().copied().unwrap_or_default();
    (1..=last).filter(|number| !numbers.contains(number)).collect()
}

/// `taffrail spool check --json`.
pub fn check(taffrail: &Taffrail) -> Result<Value> {
    let dir = taffrail.data_dir().display().to_string();
    let (code, said) = Taffrail::command(&["spool", "check", "--json", "--data-dir", &dir])?;
    let read: Value = serde_json::from_str(&said).with_context(|| format!("{code:?}: {said}"))?;
    anyhow::ensure!(code == Some(i32::from(read["sound"] != true)), "{code:?}: {said}");
    Ok(read)
}

/// The most memory a process ever had, in bytes.
pub fn peak(pid: u32) -> u64 {
    memory(pid, "VmHWM")
}

fn memory(pid: u32, what: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// The memory a process has now, in bytes.
pub fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS")
}

/// Numbers that look like chance, the same ones for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below.max(1)
    }

    pub fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.below(below))
    }
}

#[test]
fn the_count_finds_what_is_missing_and_what_came_twice() {
    let (mut all, mut some) = (Samples::default(), Samples::default());
    for number in 1..=5u32 {
        all.add("__name__=numbered_total,", i64::from(number), f64::from(number));
        if number != 3 {
            some.add("__name__=numbered_total,", i64::from(number), f64::from(number));
        }
    }
    assert_eq!((all.missing(&some).len(), some.missing(&all).len()), (0, 1));
    assert_eq!((gaps(&all.numbers()), gaps(&some.numbers())), (vec![], vec![3]));
    assert_eq!(some.repeated(), 0);
    some.add("__name__=numbered_total,", 5, 5.0);
    assert_eq!((some.repeated(), some.count()), (1, 4));
    some.assert_consistent();
    some.add("__name__=numbered_total,", 5, 6.0);
    assert!(std::panic::catch_unwind(|| some.assert_consistent()).is_err());
}
