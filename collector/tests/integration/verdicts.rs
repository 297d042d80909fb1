//! The verdict on a page is Prometheus': the same pages, good and bad, read by us and scraped by a real one.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use taffrail_tests::{Prometheus, Version, wait_for};
use taffrail_wire::page::{Entry, Options, Parser, format_of};
use taffrail_wire::relabel::Labels;

const TEXT: &str = "text/plain; version=0.0.4";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// All pages have been scraped by then, on a busy machine too.
const SCRAPED: Duration = Duration::from_secs(90);

/// A page and its content type.
#[derive(Clone, Debug)]
struct Case {
    content_type: String,
    page: Vec<u8>,
}

/// Pages of the text format, each one line of this list; `|` is a line end, `~` a tab, `^` a zero byte, `$` a byte that
/// is not UTF-8, `%` a carriage return.
const TEXTS: &str = include_str!("fixtures/pages-text.txt");

/// Pages of OpenMetrics, likewise; `# EOF` is added where a page does not end in `!`.
const OPEN: &str = include_str!("fixtures/pages-openmetrics.txt");

const TYPES: [&str; 14] = [
    "",
    "text/plain",
    "text/plain; charset=utf-8",
    "TEXT/PLAIN;version=9",
    "text/plain;",
    "text/plain; charset",
    "text/plain; charset=\"x",
    "text/html",
    "application/json",
    "application/openmetrics-text",
    "application/vnd.google.protobuf",
    "text",
    "text/",
    "text/plain; a=b; a=c",
];

fn bytes(line: &str) -> Vec<u8> {
    let swap = |byte| match byte {
        b'|' => b'\n',
        b'~' => b'\t',
        b'^' => 0,
        b'$' => 0xff,
        b'%' => b'\r',
        other => other,
    };
    line.bytes().map(swap).collect()
}

fn cases() -> Vec<Case> {
    let case = |content_type: &str, page| Case { content_type: content_type.to_owned(), page };
    let mut cases = Vec::new();
    for line in TEXTS.lines() {
        cases.push(case(TEXT, bytes(line)));
    }
    for line in OPEN.lines() {
        let page = match line.strip_suffix('!') {
            Some(line) => bytes(line),
            None => bytes(&format!("{line}# EOF\n")),
        };
        cases.push(case(OPEN_METRICS, page));
    }
    let mut bent = bent(&cases);
    cases.append(&mut bent);
    for content_type in TYPES {
        cases.push(case(content_type, b"m 1\n".to_vec()));
        cases.push(case(content_type, Vec::new()));
    }
    cases
}

/// The same pages with a byte taken out, put in, or given another value; which ones is random, but always the same.
fn bent(cases: &[Case]) -> Vec<Case> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let alphabet = b"{}\"=,\\ \n\t#0-9.ae+m_:";
    let bend = |case: &Case| {
        let mut case = case.clone();
        let at = random(case.page.len());
        let byte = alphabet[random(alphabet.len())];
        match random(3) {
            0 if !case.page.is_empty() => drop(case.page.remove(at)),
            1 if !case.page.is_empty() => case.page[at] = byte,
            _ => case.page.insert(at, byte),
        }
        case
    };
    [cases, cases].concat().iter().map(bend).collect()
}

/// A series' labels and its value, as text.
type Samples = BTreeMap<BTreeMap<String, String>, String>;

/// What we read of a page; nothing if it is refused.
fn ours(case: &Case) -> Option<Samples> {
    if case.page.is_empty() {
        return Some(Samples::new());
    }
    let format = format_of(&case.content_type, None).ok()?;
    let mut samples = Samples::new();
    for entry in Parser::new(&case.page, format, Options::default()) {
        let Entry::Sample(sample) = entry.ok()? else { continue };
        let labels: Labels = sample.series.labels().collect();
        let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        // Of two for one time the first stays.
        samples.entry(labels).or_insert_with(|| number(sample.value));
    }
    Some(samples)
}

fn number(value: f64) -> String {
    format!("{value:?}")
}

/// Answers `/<number>` with the page of that number.
fn serve(cases: Vec<Case>) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let cases = Arc::new(cases);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let cases = cases.clone();
            thread::spawn(move || answer(&stream, &cases));
        }
    });
    Ok(port)
}

fn answer(mut stream: &TcpStream, cases: &[Case]) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().context("no request")??;
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let path = request.split(' ').nth(1).context("no path")?;
    let case = cases.get(path.trim_start_matches('/').parse::<usize>()?).context("no such page")?;
    let kind = if case.content_type.is_empty() {
        String::new()
    } else {
        format!("content-type: {}\r\n", case.content_type)
    };
    let head =
        format!("HTTP/1.1 200 OK\r\n{kind}connection: close\r\ncontent-length: {}\r\n\r\n", case.page.len());
    stream.write_all(head.as_bytes())?;
    Ok(stream.write_all(&case.page)?)
}

#[test]
fn the_verdict_on_a_page_is_prometheus() {
    let cases = cases();
    let port = serve(cases.clone()).unwrap();
    let target = |i: usize| {
        format!("{{targets: ['127.0.0.1:{port}'], labels: {{__metrics_path__: '/{i}', page: '{i}'}}}}")
    };
    let targets: Vec<String> = (0..cases.len()).map(target).collect();
    // The pages' times are long ago. Prometheus takes no sample of them, but for this setting.
    let config = format!(
        "global: {{scrape_interval: 10s}}
scrape_configs: [{{job_name: pages, honor_labels: true, honor_timestamps: false, static_configs: [{}]}}]
",
        targets.join(", ")
    );
    let prometheus = Prometheus::start_with(Version::V3, &config, &[]).unwrap();
    wait_for("all pages are scraped", SCRAPED, || {
        let up = prometheus.query("count(up{job='pages'})")?;
        ensure!(up.first().is_some_and(|up| up.value() == cases.len() as f64), "{up:?}");
        Ok(())
    })
    .unwrap();
    let mut theirs: Vec<Option<Samples>> = vec![None; cases.len()];
    let index = |labels: &BTreeMap<String, String>| labels["page"].parse::<usize>().unwrap();
    for up in prometheus.query("up{job='pages'} == 1").unwrap() {
        theirs[index(&up.labels)] = Some(Samples::new());
    }
    let own = ["up", "scrape_", "page"];
    for mut series in prometheus.query("{page!=''}").unwrap() {
        let name = series.label("__name__").to_owned();
        if own.iter().any(|own| name == *own || name.starts_with("scrape_")) {
            continue;
        }
        let at = index(&series.labels);
        let value = number(series.value());
        // The blanks in front of a line become a part of the name, which is no intent of anybody.
        series.labels.insert("__name__".into(), name.trim_start_matches([' ', '\t']).into());
        series.labels.retain(|name, _| !matches!(&**name, "page" | "job" | "instance"));
        if let Some(samples) = &mut theirs[at] {
            samples.insert(series.labels, value);
        }
    }
    let mut unlike = Vec::new();
    let mut refused = HashSet::new();
    for (at, (case, theirs)) in cases.iter().zip(&theirs).enumerate() {
        let ours = ours(case);
        if theirs.is_none() {
            refused.insert(at);
        }
        if ours != *theirs {
            unlike.push(format!(
                "{case:?} {}\n  we     {ours:?}\n  theirs {theirs:?}",
                String::from_utf8_lossy(&case.page)
            ));
        }
    }
    assert!(unlike.is_empty(), "{} of {} pages:\n{}", unlike.len(), cases.len(), unlike.join("\n"));
    // Neither all good nor all bad.
    assert!(refused.len() > cases.len() / 4 && refused.len() < cases.len() * 3 / 4, "{}", refused.len());
}
