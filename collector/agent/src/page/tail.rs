//! The last lines of all logs.
//!
//! The tail hangs on the hot path of the logs. While nobody looks it takes only the last few lines of each chunk, so that
//! the page has something to show when it is opened; while somebody looks it takes more, but never so many that a
//! flood of lines would cost more than a person can read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::Clock;

use crate::status::lock;

/// The most lines kept.
pub const LINES: usize = 1_000;
/// The most bytes kept, labels and bookkeeping included.
pub const BYTES: usize = 512 << 10;
/// A longer line is cut here, in bytes.
pub const LINE_BYTES: usize = 2 << 10;
/// Lines taken of one chunk while nobody looks, and while somebody does.
const IDLE: usize = 16;
const WATCHED: usize = 256;
/// How long somebody counts as looking after they last asked.
const ATTENTION: Duration = Duration::from_secs(30);

/// Keeps the last lines, bounded in lines and bytes.
#[derive(Debug)]
pub struct Tail {
    clock: Clock,
    watched_until: AtomicI64,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The number of the line that comes next; the first is 1.
    next: u64,
    skipped_bytes: u64,
}

/// One line that was kept.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number: lines are counted as they are kept, from 1.
    pub seq: u64,
    /// Its time in nanoseconds since 1970-01-01 UTC.
    pub ts_ns: i64,
    /// The labels of its stream, in Loki's syntax.
    pub stream: Arc<str>,
    /// The line, without colour codes and other control characters.
    pub text: Box<str>,
    /// Whether the line is longer than what is kept of it.
    pub cut: bool,
}

/// What the tail held when it was asked.
#[derive(Debug, Default)]
pub struct Kept {
    /// Lines after the number asked for, oldest first.
    pub lines: Vec<Entry>,
    /// The number of the newest line; 0 before the first.
    pub last: u64,
    /// Lines after the number asked for that are gone already.
    pub missed: u64,
    /// Bytes of lines that were never kept because too many came at once, since the start.
    pub skipped_bytes: u64,
}

impl Default for Tail {
    fn default() -> Self {
        Tail::new(Clock::system())
    }
}

impl Tail {
    /// An empty tail that tells by `clock` whether somebody still looks.
    pub fn new(clock: Clock) -> Self {
        let ring = Ring { next: 1, ..Ring::default() };
        Tail { clock, watched_until: AtomicI64::new(i64::MIN), ring: Mutex::new(ring) }
    }

    /// How many of the last lines of a chunk are worth a look now; never 0.
    pub fn wants(&self) -> usize {
        let watched = self.watched_until.load(Ordering::Relaxed) > self.clock.monotonic().as_nanos() as i64;
        if watched { WATCHED } else { IDLE }
    }

    /// Takes the last lines of a chunk of the stream `labels` (in Loki's syntax), `bytes` are whole
    /// lines, `last_ns` is the time of the last one, and each line is a nanosecond older than the next.
    pub fn push_chunk(&self, labels: &str, bytes: &[u8], last_ns: i64) {
        if bytes.is_empty() {
            return;
        }
        let mut end = bytes.strip_suffix(b"\n").unwrap_or(bytes).len();
        let mut ranges = [(0, 0); WATCHED];
        let mut taken = 0;
        let mut passed = 0;
        for range in ranges.iter_mut().take(self.wants()) {
            let start = memchr::memrchr(b'\n', &bytes[..end]).map_or(0, |at| at + 1);
            *range = (start, end);
            taken += 1;
            if start == 0 {
                passed = 0;
                break;
            }
            passed = start;
            end = start - 1;
        }
        let mut ring = lock(&self.ring);
        ring.skipped_bytes += passed as u64;
        let stream = ring.stream(labels);
        for (age, (start, end)) in ranges[..taken].iter().enumerate().rev() {
            let line = String::from_utf8_lossy(&bytes[*start..*end]);
            let line = line.strip_suffix('\r').unwrap_or(&line);
            ring.push(last_ns - age as i64, stream.clone(), line);
        }
    }

    /// Takes entries, each with the labels of its stream (in Loki's syntax) and its time: no more than it
    /// [wants](Tail::wants). `passed_over` are the bytes of those before them.
    pub fn push_entries<'a>(&self, entries: impl Iterator<Item = (&'a str, i64, &'a str)>, passed_over: u64) {
        let mut ring = lock(&self.ring);
        ring.skipped_bytes += passed_over;
        for (labels, ts_ns, line) in entries {
            let stream = ring.stream(labels);
            ring.push(ts_ns, stream, line);
        }
    }

    /// The lines after number `after` that `keep` accepts, the newest `limit` of them. Whoever asks counts as looking.
    pub fn read(&self, after: u64, limit: usize, keep: impl Fn(&Entry) -> bool) -> Kept {
        let until = self.clock.monotonic() + ATTENTION;
        self.watched_until.store(until.as_nanos() as i64, Ordering::Relaxed);
        // Filtering takes longer than copying pointers and short texts; the hot path must not wait for it.
        let (entries, last, skipped_bytes) = {
            let ring = lock(&self.ring);
            let new = ring.entries.iter().rev().take_while(|e| e.seq > after);
            (new.cloned().collect::<Vec<_>>(), ring.next - 1, ring.skipped_bytes)
        };
        let missed = last.saturating_sub(after).saturating_sub(entries.len() as u64);
        let mut lines: Vec<_> = entries.into_iter().filter(|e| keep(e)).take(limit).collect();
        lines.reverse();
        // From the beginning nobody has missed anything.
        Kept { lines, last, missed: if after == 0 { 0 } else { missed }, skipped_bytes }
    }

    /// The streams that have lines here, sorted.
    pub fn streams(&self) -> Vec<Arc<str>> {
        let mut streams: Vec<_> = lock(&self.ring).entries.iter().map(|e| e.stream.clone()).collect();
        streams.sort_unstable();
        streams.dedup();
        streams
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        lock(&self.ring).bytes
    }
}

impl Entry {
    /// What the line costs; the labels count for each line, though lines of one stream share them: that bounds the
    /// worst case too, where every line has a stream of its own.
    fn bytes(&self) -> usize {
        size_of::<Entry>() + self.text.len() + self.stream.len()
    }
}

impl Ring {
    fn push(&mut self, ts_ns: i64, stream: Arc<str>, line: &str) {
        let kept = &line[..line.floor_char_boundary(LINE_BYTES)];
        let entry = Entry { seq: self.next, ts_ns, stream, text: clean(kept), cut: kept.len() < line.len() };
        self.next += 1;
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        while self.entries.len() > LINES || self.bytes > BYTES {
            let Some(old) = self.entries.pop_front() else { break };
            self.bytes -= old.bytes();
        }
    }

    /// The labels as they are held already, if they are: lines come in runs of one stream.
    fn stream(&self, labels: &str) -> Arc<str> {
        let labels = &labels[..labels.floor_char_boundary(LINE_BYTES)];
        let recent = self.entries.iter().rev().take(WATCHED).find(|e| *e.stream == *labels);
        recent.map_or_else(|| Arc::from(labels), |e| e.stream.clone())
    }
}

/// The line without terminal colours; other control characters become spaces.
fn clean(line: &str) -> Box<str> {
    if !line.bytes().any(|b| b < b' ' || b == 0x7f) {
        return line.into();
    }
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' if chars.peek() == Some(&'[') => {
                chars.next();
                // ECMA-48: parameters, then one final byte.
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\t' => text.push('\t'),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    let end = text.trim_end().len();
    text.truncate(end);
    text.into_boxed_str()
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
