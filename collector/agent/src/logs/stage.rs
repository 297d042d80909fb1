//! A chunk's entries through the stages of their source, into the batch.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};

use taffrail_stages::format::{Format, Record, Records, Stream};
use taffrail_stages::{Entry, Fate, Fields, hash, stream_of};
use taffrail_wire::loki::{Batch, write_label_set};

use super::clocks::{Clocks, Remembered};
use super::lines::lines;
use super::{Chunk, shape};
use crate::page::Tail;

/// What became of a chunk's entries.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Those that were added to the batch.
    pub(super) entries: u64,
    /// Those that were left out, by the stage that did.
    pub(super) left_out: Vec<(&'static str, u64)>,
    /// Those that are no record of the format that their source names.
    pub(super) garbled: u64,
    /// Those in records that were too long.
    pub(super) cut: u64,
}

/// Passes chunks through their stages.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// By stream, for sources whose entries say their time themselves.
    times: Remembered,
}

/// Entries that gave their stream labels, until the chunk ends: a batch holds one stream after the other.
#[derive(Debug, Default)]
struct Groups<'c> {
    by_stream: HashMap<u64, usize>,
    groups: Vec<(String, Vec<Pending<'c>>)>,
}

#[derive(Debug)]
struct Pending<'c> {
    ts_ns: i64,
    line: Cow<'c, str>,
    metadata: Fields<'c>,
}

/// The last entries of a chunk, for the page.
#[derive(Debug, Default)]
struct Shown<'c> {
    most: usize,
    /// With the number of their group, from 1; 0 is the stream of the chunk.
    entries: VecDeque<(i64, Cow<'c, str>, usize)>,
    passed_over: u64,
}

impl Worker {
    /// Adds the chunk's entries to the batch; `label_set` is the chunk's, in Loki's syntax.
    pub(super) fn pass(&mut self, chunk: &Chunk, label_set: &str, batch: &mut Batch, tail: &Tail) -> Passed {
        let mut passed = Passed::default();
        let plain = chunk.shape.format == Format::Plain;
        if chunk.stages.is_empty() && plain {
            batch.stream(label_set);
            let mut last_ns = chunk.base_ns;
            for (line, ts_ns) in lines(&chunk.bytes).zip(chunk.base_ns..) {
                batch.entry(ts_ns, &line, []);
                passed.entries += 1;
                last_ns = ts_ns;
            }
            tail.push_chunk(label_set, &chunk.bytes, last_ns);
            return passed;
        }
        let mut records = Records::new(chunk.shape.format, lines(&chunk.bytes), chunk.base_ns).peekable();
        // Most chunks are of one stream: its entries need not wait for the chunk's end.
        let direct = records.peek().and_then(|record| record.stream);
        let direct_set = match direct {
            None => Cow::Borrowed(label_set),
            Some(_) => Cow::Owned(merged(&chunk.labels, direct, &Fields::default())),
        };
        batch.stream(&direct_set);
        let mut times = Clocks::new(hash::hash(label_set), chunk.stages.set_times() || !plain);
        let mut entry = Entry::default();
        let mut groups = Groups::default();
        let mut shown = Shown { most: tail.wants(), ..Shown::default() };
        for Record { mut line, stream, time, read_ns, garbled } in records {
            passed.garbled += u64::from(garbled);
            if !plain && line.len() > chunk.shape.max_line {
                passed.cut += 1;
                line = cut(&line, chunk.shape.max_line);
            }
            let id = times.id(stream);
            entry.begin(line, read_ns, id);
            entry.time = time;
            if let Fate::Dropped(stage) = chunk.stages.apply(&mut entry) {
                // A line is dropped by the first stage that does; they are few, so a list is enough to count by.
                match passed.left_out.iter_mut().find(|(name, _)| *name == stage) {
                    Some((_, count)) => *count += 1,
                    None => passed.left_out.push((stage, 1)),
                }
                continue;
            }
            let ts_ns = times.place(&mut self.times, stream, entry.time, read_ns);
            passed.entries += 1;
            if entry.labels.is_empty() && stream == direct {
                batch.entry(ts_ns, &entry.line, entry.metadata.iter());
                shown.push(ts_ns, std::mem::take(&mut entry.line), 0);
            } else {
                let group = groups.of(&entry, id, || merged(&chunk.labels, stream, &entry.labels));
                shown.push(ts_ns, entry.line.clone(), group + 1);
                let (line, metadata) = (std::mem::take(&mut entry.line), std::mem::take(&mut entry.metadata));
                groups.groups[group].1.push(Pending { ts_ns, line, metadata });
            }
        }
        times.keep(&mut self.times);
        for (labels, entries) in &groups.groups {
            batch.stream(labels);
            for entry in entries {
                batch.entry(entry.ts_ns, &entry.line, entry.metadata.iter());
            }
        }
        let labels = |group: usize| match group {
            0 => &*direct_set,
            group => &groups.groups[group - 1].0,
        };
        let entries = shown.entries.iter().map(|(ts_ns, line, group)| (labels(*group), *ts_ns, &**line));
        tail.push_entries(entries, shown.passed_over);
        passed
    }
}

impl Groups<'_> {
    /// The number of the entry's group; `labels` is told its label set.
    fn of(&mut self, entry: &Entry<'_>, base: u64, labels: impl FnOnce() -> String) -> usize {
        let groups = &mut self.groups;
        *self.by_stream.entry(stream_of(entry, base)).or_insert_with(|| {
            groups.push((labels(), Vec::new()));
            groups.len() - 1
        })
    }
}

/// The label set of a stream: the chunk's labels, what records say, and what stages say over both.
fn merged(labels: &[(String, String)], stream: Option<Stream>, more: &Fields<'_>) -> String {
    let mut all: BTreeMap<&str, &str> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    all.extend(stream.map(|stream| ("stream", stream.as_str())));
    all.extend(more.iter());
    let mut set = String::new();
    write_label_set(&mut set, all);
    set
}

/// The first `max` bytes of a line, with a mark that says how many are missing.
fn cut(line: &str, max: usize) -> Cow<'static, str> {
    let mut out = Vec::with_capacity(max);
    shape::cut(&mut out, line.as_bytes(), line.len() as u64, max);
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

impl<'c> Shown<'c> {
    fn push(&mut self, ts_ns: i64, line: Cow<'c, str>, group: usize) {
        if self.entries.len() >= self.most
            && let Some((_, line, _)) = self.entries.pop_front()
        {
            self.passed_over += line.len() as u64 + 1;
        }
        self.entries.push_back((ts_ns, line, group));
    }
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
