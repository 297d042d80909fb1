//! What a page says is what Python's prometheus_client reads in it: names, labels, values, times, exemplars.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use taffrail_tests::tool;
use taffrail_wire::page::{Entry, Exemplar, Format, Options, Parser};

/// Reads pages as a JSON list and prints of each its samples, or null where it refuses it.
const READ: &str = r#"
import json, sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as strict
from prometheus_client.samples import Timestamp
def time(t):
    return None if t is None else float(t)
def read(format, page):
    parse = {'text': parser, 'openmetrics': strict}[format].text_string_to_metric_families
    out = []
    try:
        for family in parse(page):
            for s in family.samples:
                e = s.exemplar and [e_labels(s.exemplar.labels), repr(float(s.exemplar.value)), time(s.exemplar.timestamp)]
                out.append([s.name, dict(s.labels), repr(float(s.value)), time(s.timestamp), e])
    except Exception as error:
        return str(error)
    return out
def e_labels(labels):
    return dict(labels)
print(json.dumps([read(format, page) for format, page in json.load(sys.stdin)]))
"#;

/// A sample: name, labels, value, time in seconds, exemplar.
type Row = (
    String,
    BTreeMap<String, String>,
    u64,
    Option<i64>,
    Option<(BTreeMap<String, String>, u64, Option<i64>)>,
);

fn theirs(pages: &[(Format, String)]) -> Result<Vec<Result<Vec<Row>, String>>> {
    let input: Vec<_> = pages.iter().map(|(format, page)| (name(*format), page)).collect();
    let mut child = Command::new(tool("PYTHON")?)
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = serde_json::to_vec(&input)?;
    let mut pipe = child.stdin.take().context("no input")?;
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let out = child.wait_with_output()?;
    ensure!(out.status.success(), "python: {}", out.status);
    writer.join().ok().context("the writer panicked")??;
    let said: Vec<Value> = serde_json::from_slice(&out.stdout)?;
    said.iter()
        .map(|page| match page {
            Value::Array(rows) => Ok(Ok(rows.iter().map(row).collect::<Result<_>>()?)),
            other => Ok(Err(other.to_string())),
        })
        .collect()
}

fn name(format: Format) -> &'static str {
    if format == Format::Text { "text" } else { "openmetrics" }
}

fn row(value: &Value) -> Result<Row> {
    let exemplar = match &value[4] {
        Value::Null => None,
        other => Some((labels(&other[0])?, number(&other[1])?, ms(&other[2]))),
    };
    let name = value[0].as_str().context("no name")?.to_owned();
    Ok((name, labels(&value[1])?, number(&value[2])?, ms(&value[3]), exemplar))
}

fn labels(value: &Value) -> Result<BTreeMap<String, String>> {
    Ok(serde_json::from_value(value.clone())?)
}

fn number(value: &Value) -> Result<u64> {
    let text = value.as_str().with_context(|| format!("no number: {value}"))?;
    Ok(text.parse::<f64>()?.to_bits())
}

fn ms(value: &Value) -> Option<i64> {
    value.as_f64().map(|seconds| (seconds * 1000.0).round() as i64)
}

fn ours(format: Format, page: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for entry in Parser::new(page.as_bytes(), format, Options::default()) {
        let Entry::Sample(sample) = entry.map_err(|error| error.to_string())? else { continue };
        let mut labels: BTreeMap<_, _> =
            sample.series.labels().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let name = labels.remove("__name__").unwrap_or_default();
        let exemplar = sample.exemplar.as_deref().map(|exemplar| {
            let Exemplar { labels, value, ts_ms } = exemplar;
            let labels =
                labels.iter().map(|(n, v)| (n.clone().into_owned(), v.clone().into_owned())).collect();
            (labels, bits(*value), *ts_ms)
        });
        rows.push((name, labels, bits(sample.value), sample.ts_ms, exemplar));
    }
    Ok(rows)
}

/// A NaN is a NaN.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// A random but always equal source of pages.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn value(&mut self) -> String {
        match self.below(6) {
            0 => self.of(&["NaN", "+Inf", "-Inf", "0", "-0.0", "1e-400", "4.9e-324"]).to_owned(),
            1 => format!("{}", self.below(1 << 30)),
            2 => format!("{:e}", self.below(1 << 30) as f64 * 1e5),
            3 => format!("{:?}", f64::from_bits((self.0 >> 3) | 1 << 61)),
            4 => format!("{}.{:017}", self.below(1000), self.below(1 << 31)),
            _ => format!("-{}.{}", self.below(100), self.below(1000)),
        }
    }

    fn labels(&mut self) -> String {
        let values = [
            "b",
            "",
            "é",
            "}",
            "{x=\\\"y\\\"}",
            "\\\\",
            "\\n",
            "a,b=c",
            "# {",
            " ",
            "\\\\n",
            "1.0",
            "long value with blanks",
        ];
        let count = self.below(4);
        let labels: Vec<String> = (0..count)
            .map(|i| format!("{}{i}=\"{}\"", self.of(&["a", "b_c", "_x", "Z9"]), self.of(&values)))
            .collect();
        labels.join(",")
    }

    fn page(&mut self, format: Format) -> String {
        let openmetrics = format == Format::OpenMetrics;
        let mut page = String::new();
        for family in 0..self.below(5) + 1 {
            let name = format!("{}{family}", self.of(&["m", "node_cpu", "http:requests", "_u"]));
            let (kind, suffix) = match self.below(3) {
                0 => ("gauge", ""),
                1 => ("counter", "_total"),
                _ => (if openmetrics { "unknown" } else { "untyped" }, ""),
            };
            // In the text format a counter's family has its ending in its name.
            let declared = if openmetrics { name.clone() } else { format!("{name}{suffix}") };
            page.push_str(&format!("# HELP {declared} Some \\\\ help.\n# TYPE {declared} {kind}\n"));
            for sample in 0..self.below(4) + 1 {
                let mut labels = self.labels();
                // No series twice: OpenMetrics' parser would say so.
                labels = format!("i=\"{sample}\"{}{labels}", if labels.is_empty() { "" } else { "," });
                let value = match kind {
                    "counter" => format!("{}.5", self.below(1 << 40)),
                    _ => self.value(),
                };
                page.push_str(&format!("{name}{suffix}{{{labels}}} {value}"));
                if self.below(4) == 0 {
                    let seconds = self.below(2_000_000_000);
                    page.push_str(&if openmetrics {
                        format!(" {seconds}.25")
                    } else {
                        format!(" {seconds}250")
                    });
                }
                if kind == "counter" && openmetrics && self.below(3) == 0 {
                    page.push_str(&format!(
                        " # {{{}}} {}.25 {}",
                        self.labels(),
                        self.below(99),
                        self.below(99)
                    ));
                }
                page.push('\n');
            }
        }
        page.push_str(if openmetrics { "# EOF\n" } else { "" });
        page
    }
}

#[test]
fn python_reads_the_same() {
    let mut random = Random(7);
    let mut pages: Vec<(Format, String)> = Vec::new();
    for _ in 0..400 {
        for format in [Format::Text, Format::OpenMetrics] {
            pages.push((format, random.page(format)));
        }
    }
    let histogram = "# TYPE h histogram\nh_bucket{le=\"0.5\"} 1 # {trace_id=\"x\"} 0.25 7.5\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 2.5\n# EOF\n";
    let quoted = "# TYPE \"a.b\" gauge\n{\"a.b\",\"c d\"=\"e\"} 1\n";
    pages.push((Format::OpenMetrics, histogram.to_owned()));
    pages.push((Format::Text, quoted.to_owned()));
    pages.push((Format::OpenMetrics, format!("{quoted}# EOF\n")));
    let theirs = theirs(&pages).unwrap();
    assert_eq!(theirs.len(), pages.len());
    let mut samples = 0;
    for ((format, page), theirs) in pages.iter().zip(theirs) {
        let ours = ours(*format, page);
        assert_eq!(ours, theirs, "{format:?}\n{page}");
        samples += ours.map_or(0, |rows| rows.len());
    }
    assert!(samples > 2000, "only {samples}");
}

#[test]
fn a_page_that_is_cut_short_is_refused_by_both() {
    let page = "# TYPE a counter\na_total{b=\"c\"} 1\n";
    for (format, page) in [
        (Format::OpenMetrics, page),
        (Format::Text, "a{b=\"c\"} 1\na{b=\"c"),
        (Format::Text, "a{b=\"c\"} one\n"),
    ] {
        assert!(ours(format, page).is_err(), "{page}");
        assert!(theirs(&[(format, page.to_owned())]).unwrap()[0].is_err(), "{page}");
    }
}
