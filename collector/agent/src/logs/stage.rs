//! A chunk's entries through the stages of their source, into the batch.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};

use taffrail_stages::format::{Format, Record, Records, Stream};
use taffrail_stages::multiline::Entries;
use taffrail_stages::{Entry, Fate, Fields, hash, stream_of};
use taffrail_wire::loki::{self, Batch, write_label_set};

use super::clocks::{Clocks, Remembered};
use super::lines::lines;
use super::{Body, Chunk, Shape, shape};
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
    /// Those of several lines that were too long, and became several.
    pub(super) split: u64,
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

/// Where the entries of one stream go.
struct Lane<'c, 'b> {
    chunk: &'c Chunk,
    /// The stream's labels, without what a record says.
    labels: &'b [(String, String)],
    /// What a record says of the stream that the batch is in.
    direct: Option<Stream>,
    times: Clocks,
    groups: Groups<'c>,
    shown: Shown<'c>,
    entry: Entry<'c>,
}

impl Worker {
    /// Adds the chunk's entries to the batch; `label_set` is the chunk's, in Loki's syntax.
    pub(super) fn pass(&mut self, chunk: &Chunk, label_set: &str, batch: &mut Batch, tail: &Tail) -> Passed {
        let mut passed = Passed::default();
        match &chunk.body {
            Body::Lines { bytes, base_ns, shape }
                if chunk.stages.is_empty() && shape.format == Format::Plain =>
            {
                batch.stream(label_set);
                let mut last_ns = *base_ns;
                for (line, ts_ns) in lines(bytes).zip(*base_ns..) {
                    batch.entry(ts_ns, &line, pairs(&chunk.metadata));
                    passed.entries += 1;
                    last_ns = ts_ns;
                }
                tail.push_chunk(label_set, bytes, last_ns);
            }
            Body::Lines { bytes, base_ns, shape } => {
                self.pass_lines((chunk, label_set), (bytes, *base_ns, *shape), batch, tail, &mut passed);
            }
            Body::Entries(entries) => self.pass_entries(chunk, entries, batch, tail, &mut passed),
        }
        passed
    }

    fn pass_lines(
        &mut self,
        (chunk, label_set): (&Chunk, &str),
        (bytes, base_ns, shape): (&[u8], i64, Shape),
        batch: &mut Batch,
        tail: &Tail,
        passed: &mut Passed,
    ) {
        let plain = shape.format == Format::Plain;
        let mut records = Records::new(shape.format, lines(bytes), base_ns).peekable();
        // Most chunks are of one stream: its entries need not wait for the chunk's end.
        let direct = records.peek().and_then(|record| record.stream);
        let direct_set = match direct {
            None => Cow::Borrowed(label_set),
            Some(_) => Cow::Owned(merged(&chunk.labels, direct, &Fields::default())),
        };
        batch.stream(&direct_set);
        let mut lane = Lane::new(chunk, &chunk.labels, direct, label_set, !plain, tail);
        let mut entries = Entries::new(chunk.stages.join(), records);
        for mut record in entries.by_ref() {
            passed.garbled += u64::from(record.garbled);
            if !plain && record.line.len() > shape.max_line {
                passed.cut += 1;
                record.line = cut(&record.line, shape.max_line);
            }
            lane.push(record, None, &mut self.times, batch, passed);
        }
        passed.split += entries.split();
        lane.end(&direct_set, &mut self.times, batch, tail);
    }

    fn pass_entries(
        &mut self,
        chunk: &Chunk,
        entries: &[u8],
        batch: &mut Batch,
        tail: &Tail,
        passed: &mut Passed,
    ) {
        // What a source wrote itself can be read; if it cannot, it is counted rather than trusted.
        for stream in loki::streams(entries) {
            let Ok(stream) = stream else { return passed.garbled += 1 };
            let Some(own) = loki::parse_label_set(stream.labels) else {
                passed.garbled += 1;
                continue;
            };
            let mut labels: BTreeMap<String, String> = chunk.labels.iter().cloned().collect();
            labels.extend(own.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())));
            let labels: Vec<(String, String)> = labels.into_iter().collect();
            let label_set = merged(&labels, None, &Fields::default());
            batch.stream(&label_set);
            let mut lane = Lane::new(chunk, &labels, None, &label_set, false, tail);
            for entry in stream.entries() {
                let Ok(entry) = entry else { return passed.garbled += 1 };
                let line = Cow::Borrowed(entry.line);
                let record = Record {
                    line,
                    stream: None,
                    time: taffrail_stages::Time::Read,
                    read_ns: entry.ts_ns,
                    garbled: false,
                };
                lane.push(record, Some(entry.metadata()), &mut self.times, batch, passed);
            }
            lane.end(&label_set, &mut self.times, batch, tail);
        }
    }
}

impl<'c, 'b> Lane<'c, 'b> {
    /// `say`: records say times themselves.
    fn new(
        chunk: &'c Chunk,
        labels: &'b [(String, String)],
        direct: Option<Stream>,
        label_set: &str,
        say: bool,
        tail: &Tail,
    ) -> Self {
        let times = Clocks::new(hash::hash(label_set), chunk.stages.set_times() || say);
        let shown = Shown { most: tail.wants(), ..Shown::default() };
        Lane { chunk, labels, direct, times, groups: Groups::default(), shown, entry: Entry::default() }
    }

    /// Passes an entry through the stages, into the batch or aside.
    fn push(
        &mut self,
        Record { line, stream, time, read_ns, .. }: Record<'c>,
        metadata: Option<loki::Metadata<'c>>,
        remembered: &mut Remembered,
        batch: &mut Batch,
        passed: &mut Passed,
    ) {
        let entry = &mut self.entry;
        let id = self.times.id(stream);
        entry.begin(line, read_ns, id);
        entry.time = time;
        for (name, value) in pairs(&self.chunk.metadata).chain(metadata.into_iter().flatten().flatten()) {
            entry.metadata.set(name, value);
        }
        if let Fate::Dropped(stage) = self.chunk.stages.apply(entry) {
            // A line is dropped by the first stage that does; they are few, so a list is enough to count by.
            match passed.left_out.iter_mut().find(|(name, _)| *name == stage) {
                Some((_, count)) => *count += 1,
                None => passed.left_out.push((stage, 1)),
            }
            return;
        }
        let ts_ns = self.times.place(remembered, stream, entry.time, read_ns);
        passed.entries += 1;
        if entry.labels.is_empty() && stream == self.direct {
            batch.entry(ts_ns, &entry.line, entry.metadata.iter());
            self.shown.push(ts_ns, std::mem::take(&mut entry.line), 0);
        } else {
            let group = self.groups.of(entry, id, || merged(self.labels, stream, &entry.labels));
            self.shown.push(ts_ns, entry.line.clone(), group + 1);
            let (line, metadata) = (std::mem::take(&mut entry.line), std::mem::take(&mut entry.metadata));
            self.groups.groups[group].1.push(Pending { ts_ns, line, metadata });
        }
    }

    /// Adds what is aside to the batch, and shows the last entries. `direct_set` is the stream that the batch is in.
    fn end(self, direct_set: &str, remembered: &mut Remembered, batch: &mut Batch, tail: &Tail) {
        let Lane { times, groups, shown, .. } = self;
        times.keep(remembered);
        for (labels, entries) in &groups.groups {
            batch.stream(labels);
            for entry in entries {
                batch.entry(entry.ts_ns, &entry.line, entry.metadata.iter());
            }
        }
        let labels = |group: usize| match group {
            0 => direct_set,
            group => &groups.groups[group - 1].0,
        };
        let entries = shown.entries.iter().map(|(ts_ns, line, group)| (labels(*group), *ts_ns, &**line));
        tail.push_entries(entries, shown.passed_over);
    }
}

fn pairs(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> + Clone {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
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
