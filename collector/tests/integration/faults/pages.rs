//! Hostile pages: a clear word on the target, `up 0`, bounded memory, and nobody else disturbed.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use taffrail_tests::{Receiver, Taffrail, wait_for};

use super::rig::{Numbered, Pages, Samples, TEXT, gaps, peak, respond};
use crate::support::{SOON, status};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A page that Prometheus refuses or takes, what has to be said of it, and whether it is up.
const CASES: [(&str, &[&str], bool); 20] = [
    ("cut", &["breaks off"], false),
    ("cut-chunk", &["breaks off"], false),
    ("cut-line", &["line 2"], false),
    ("endless", &["body_size_limit", "exceeded"], false),
    ("endless-line", &["body_size_limit", "exceeded"], false),
    ("gzip-bomb", &["body_size_limit", "exceeded"], false),
    ("slow", &["no whole page within"], false),
    ("silent", &["no whole page within"], false),
    ("not-utf8", &["UTF-8"], false),
    ("duplicates", &[], true),
    ("nan-payloads", &[], true),
    ("many-labels", &["label_limit"], false),
    ("long-label", &["body_size_limit", "exceeded"], false),
    ("conflicting-types", &[], true),
    ("long-twice", &["twice in one series"], false),
    ("long-name", &["label_limit"], false),
    ("long-exemplar", &[], true),
    ("bad-exemplar", &["line 2"], false),
    ("html", &["text/html"], false),
    ("circle", &["10 redirects"], false),
];

fn answer(path: &str, stream: &mut TcpStream) {
    let head = |content_type: &str, more: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n{more}\r\n")
    };
    let chunked = head(TEXT, "transfer-encoding: chunked\r\n");
    // Whoever is hung up on has seen enough.
    let _ = match path.trim_start_matches('/') {
        "cut" => stream.write_all(format!("{}a 1\nb 2\n", head(TEXT, "content-length: 100\r\n")).as_bytes()),
        "cut-chunk" => stream.write_all(format!("{chunked}100\r\na 1\nb 2\n").as_bytes()),
        "cut-line" => return respond(stream, 200, TEXT, b"a 1\nb{x=\"y"),
        "endless" => endless(stream, &chunked, "series{of=\"x\"} 1\n"),
        "endless-line" => endless(stream, &chunked, "xxxxxxxxxxxxxxxx"),
        "gzip-bomb" => {
            stream.write_all(&[head(TEXT, "content-encoding: gzip\r\n").as_bytes(), bomb()].concat())
        }
        "slow" => slow(stream, &chunked),
        "silent" => {
            sleep(Duration::from_secs(20));
            Ok(())
        }
        "not-utf8" => return respond(stream, 200, TEXT, b"a{x=\"\xff\xfe\"} 1\n"),
        "duplicates" => return respond(stream, 200, TEXT, b"twice{x=\"y\"} 1\ntwice{x=\"y\"} 2\nonce 3\n"),
        "nan-payloads" => return respond(stream, 200, TEXT, b"nan NaN\nmore nan\ninf -Inf\nonce 3\n"),
        "many-labels" => {
            let labels: Vec<String> = (0..20_000).map(|label| format!("l{label}=\"v\"")).collect();
            return respond(stream, 200, TEXT, format!("wide{{{}}} 1\n", labels.join(",")).as_bytes());
        }
        "long-label" => {
            return respond(
                stream,
                200,
                TEXT,
                format!("long{{x=\"{}\"}} 1\n", "v".repeat(5 << 20)).as_bytes(),
            );
        }
        "conflicting-types" => {
            let page = b"# TYPE a counter\n# TYPE a gauge\na 1\n# TYPE a histogram\nonce 3\n";
            return respond(stream, 200, TEXT, page);
        }
        "long-exemplar" => {
            let page = format!("# TYPE a counter\na_total 1 # {{id=\"{}\"}} 1\n# EOF\n", "e".repeat(1 << 20));
            return respond(stream, 200, OPEN_METRICS, page.as_bytes());
        }
        "bad-exemplar" => {
            let page = format!("# TYPE a counter\na_total 1 # {{id=\"{}\" 1\n# EOF\n", "e".repeat(500));
            return respond(stream, 200, OPEN_METRICS, page.as_bytes());
        }
        "long-twice" => {
            let label = "l".repeat(1 << 20);
            return respond(stream, 200, TEXT, format!("a{{{label}=\"1\",{label}=\"2\"}} 1\n").as_bytes());
        }
        "long-name" => {
            let labels: Vec<String> = (0..100).map(|label| format!("l{label}=\"v\"")).collect();
            let page = format!("{}{{{}}} 1\n", "n".repeat(1 << 20), labels.join(","));
            return respond(stream, 200, TEXT, page.as_bytes());
        }
        "html" => {
            return respond(
                stream,
                200,
                "text/html; charset=utf-8",
                b"<html><body>It works!</body></html>\n",
            );
        }
        _ => stream.write_all(
            b"HTTP/1.1 302 Found\r\nlocation: /circle\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ),
    };
}

/// Writes until the other side hangs up.
fn endless(stream: &mut TcpStream, head: &str, text: &str) -> std::io::Result<()> {
    stream.write_all(head.as_bytes())?;
    let chunk = text.repeat(1 << 10);
    loop {
        stream.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes())?;
    }
}

/// A byte now and then.
fn slow(stream: &mut TcpStream, head: &str) -> std::io::Result<()> {
    stream.write_all(head.as_bytes())?;
    for byte in "series 1\n".bytes().cycle() {
        stream.write_all(&[b'1', b'\r', b'\n', byte, b'\r', b'\n'])?;
        stream.flush()?;
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// A few kilobytes of gzip that are 64 MiB of comments.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..64 {
            gzip.write_all(&vec![b'#'; 1 << 20]).unwrap();
        }
        gzip.finish().unwrap()
    })
}

fn targets(taffrail: &Taffrail) -> Result<BTreeMap<String, Value>> {
    let status = status(taffrail)?;
    let jobs = status["jobs"].as_array().into_iter().flatten();
    let all = jobs.flat_map(|job| job["targets"].as_array().cloned().unwrap_or_default());
    Ok(all.map(|target| (target["labels"]["page"].as_str().unwrap_or_default().to_owned(), target)).collect())
}

#[test]
fn hostile_pages_harm_only_themselves() {
    let good = Numbered::start(10);
    // Made before anybody waits for it.
    bomb();
    let pages = Pages::serve(answer);
    let receiver = Receiver::start().unwrap();
    let list: Vec<String> = CASES
        .iter()
        .map(|(name, ..)| {
            format!(
                "{{targets: ['127.0.0.1:{}'], labels: {{page: {name}, __metrics_path__: /{name}}}}}",
                pages.port()
            )
        })
        .collect();
    let job = good.job();
    let (jobs, _) = job.trim_end().rsplit_once(']').unwrap();
    let config = format!(
        "hostname: ship\nself: false\noutputs: {{prometheus: [{{url: '{}'}}]}}\n{jobs}, \
         {{job_name: bad, scrape_interval: 2s, scrape_timeout: 1s, body_size_limit: 4MB, label_limit: 64, \
         static_configs: [{}]}}]\n",
        receiver.url("/api/v1/write"),
        list.join(", ")
    );
    let mut taffrail = Taffrail::start(&config).unwrap();
    let seen = wait_for("several scrapes of each page", SOON, || {
        let seen = targets(&taffrail)?;
        for (name, ..) in CASES {
            let scrapes = seen.get(name).and_then(|target| target["scrapes"].as_u64()).unwrap_or_default();
            ensure!(scrapes >= 4, "{name} was scraped {scrapes} times");
        }
        Ok(seen)
    })
    .unwrap();
    let pid = taffrail.process().unwrap().pid();
    let peak = peak(pid);
    let last = good.served();
    wait_for("the last number", SOON, || {
        ensure!(Samples::accepted(&receiver.received()).numbers().contains(&last));
        Ok(())
    })
    .unwrap();
    taffrail.terminate(SOON).unwrap();

    let mut wrong = Vec::new();
    let came = Samples::accepted(&receiver.received());
    for (name, words, up) in CASES {
        let target = &seen[name];
        let error = target["error"]["text"].as_str().unwrap_or_default();
        let said = words.iter().all(|word| error.contains(word)) && error.len() < 500;
        let series = format!("__name__=up,instance=127.0.0.1:{},job=bad,page={name},", pages.port());
        let values: Vec<f64> =
            came.0.get(&series).into_iter().flat_map(BTreeMap::values).flatten().copied().collect();
        let expected = f64::from(u8::from(up));
        if target["up"] != up
            || !said
            || error.is_empty() != up
            || values.iter().any(|value| *value != expected)
        {
            wrong.push(format!("{name}: up is {}, {values:?}: {error:?}", target["up"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Of what Prometheus takes, it takes the same.
    let value = |name: &str, page: &str| {
        let series = format!("__name__={name},instance=127.0.0.1:{},job=bad,page={page}", pages.port());
        let found = came.0.iter().find(|(key, _)| key.starts_with(&series));
        found.map(|(_, points)| points.values().next().unwrap()[0])
    };
    assert_eq!(value("twice", "duplicates"), Some(1.0), "the first of two stays");
    assert_eq!(
        value("nan", "nan-payloads").map(f64::to_bits),
        Some(0x7ff8_0000_0000_0001),
        "no staleness marker"
    );
    assert_eq!(value("once", "conflicting-types"), Some(3.0));

    // The good target was scraped on time, every time.
    assert_eq!(gaps(&came.numbers()), Vec::<u64>::new());
    let good = came.0.iter().find(|(name, _)| name.contains("numbered_total")).unwrap().1;
    let times: Vec<i64> = good.keys().copied().collect();
    let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(widest < 1000, "one came {widest} ms after the one before");
    // Twenty targets, of which four may fill a buffer of 4 MB at a time, and a program with its debug symbols.
    assert!(peak < 160 << 20, "{} MiB at most", peak >> 20);
}
