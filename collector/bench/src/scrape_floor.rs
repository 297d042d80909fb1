//! The floor of scraping: the least any program must do with a page. It reads the page, hashes each line, parses the
//! value, appends both to a file, encodes remote write 1.0, compresses and posts. It knows no staleness, no relabelling, no
//! retry and no restart: `taffrail-bench scrape-floor TARGET SINK MILLISECONDS FILE`.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use taffrail_core::Clock;
use taffrail_wire::remote_write::{
    CONTENT_ENCODING, CONTENT_TYPE, Request, VERSION, VERSION_HEADER, encode_labels,
};

use crate::program::Client;

/// Series of one request; what agents send when they have much.
const BATCH: usize = 8192;

/// The key is a hash already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

struct Floor {
    /// Of each series its labels, encoded.
    known: HashMap<u64, Box<[u8]>, BuildHasherDefault<Same>>,
    request: Request,
    record: Vec<u8>,
    file: File,
    sink: Client,
}

/// Scrapes until it is killed.
pub fn run(arguments: &[String]) -> Result<()> {
    let [target, sink, milliseconds, file] = arguments else {
        bail!("scrape-floor: wants a target, a receiver, an interval in milliseconds, a file");
    };
    let interval = Duration::from_millis(milliseconds.parse()?);
    let mut target = Client { address: target.parse()?, connection: None };
    let mut floor = Floor {
        known: HashMap::default(),
        request: Request::new(),
        record: Vec::new(),
        file: File::create(file)?,
        sink: Client { address: sink.parse()?, connection: None },
    };
    let clock = Clock::system();
    let mut next = clock.monotonic();
    loop {
        let page = target.get("/metrics")?;
        floor.page(&page, clock.now_ms())?;
        next += interval;
        sleep(next.saturating_sub(clock.monotonic()));
    }
}

impl Floor {
    fn page(&mut self, page: &[u8], now: i64) -> Result<()> {
        let mut lines = 0;
        let mut rest = page;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if line.starts_with(b"#") {
                continue;
            }
            self.line(line, now)?;
            lines += 1;
            if lines % BATCH == 0 {
                self.send()?;
            }
        }
        self.send()
    }

    fn line(&mut self, line: &[u8], now: i64) -> Result<()> {
        let space = memchr::memrchr(b' ', line).context("a line without a value")?;
        let (series, value) = (&line[..space], &line[space + 1..]);
        let value: f64 = std::str::from_utf8(value)?.parse()?;
        let key = hash(series);
        let labels = match self.known.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(labels(series)?),
        };
        self.record.extend_from_slice(&key.to_le_bytes());
        self.record.extend_from_slice(&value.to_le_bytes());
        self.request.series(labels, &[(value, now)]);
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        if self.request.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.record)?;
        self.record.clear();
        post(&mut self.sink, self.request.finish()?)?;
        self.request.clear();
        Ok(())
    }
}

/// A fast hash of a line, eight bytes at a time; that somebody could make two lines collide does not matter here.
fn hash(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let hash = mix(hash, last);
    // The table looks at the upper bits and at the lower ones.
    hash ^ hash >> 32
}

/// The labels of `name{a="b",…}`, sorted, as a request wants them. The pages here have no escapes.
fn labels(series: &[u8]) -> Result<Box<[u8]>> {
    let text = std::str::from_utf8(series)?;
    let (name, rest) = text.split_once('{').context("a series without labels")?;
    let pairs = rest.trim_end_matches('}').split("\",").filter_map(|pair| pair.split_once("=\""));
    let mut pairs: Vec<(&str, &str)> =
        pairs.map(|(name, value)| (name, value.trim_end_matches('"'))).collect();
    pairs.extend([("__name__", name), ("job", "bench"), ("instance", "127.0.0.1:9")]);
    pairs.sort_unstable();
    let mut out = Vec::new();
    encode_labels(&mut out, pairs.into_iter());
    Ok(out.into())
}

fn post(sink: &mut Client, body: &[u8]) -> Result<()> {
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: sink\r\nContent-Type: {CONTENT_TYPE}\r\n\
         Content-Encoding: {CONTENT_ENCODING}\r\n{VERSION_HEADER}: {VERSION}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = sink.post(head.as_bytes(), body)?;
    ensure!(answer.starts_with("HTTP/1.1 204"), "the receiver answered {answer:?}");
    Ok(())
}
