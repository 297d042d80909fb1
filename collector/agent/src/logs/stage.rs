//! A chunk's entries through the stages of their source, into the batch.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};

use taffrail_stages::times::Times;
use taffrail_stages::{Entry, Fate, Fields, Stages, hash, stream_of};
use taffrail_wire::loki::{Batch, write_label_set};

use super::Chunk;
use super::lines::lines;
use crate::page::Tail;

/// The most streams whose times are remembered. Beyond it all are forgotten, and equal times begin anew.
const MAX_STREAMS: usize = 10_000;

/// What became of a chunk's entries.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Those that were added to the batch.
    pub(super) entries: u64,
    /// Those that were left out, by the stage that did.
    pub(super) left_out: Vec<(&'static str, u64)>,
}

/// Passes chunks through their stages.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// By stream, for sources whose entries say their time themselves.
    times: HashMap<u64, Times>,
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
        batch.stream(label_set);
        if chunk.stages.is_empty() {
            let mut last_ns = chunk.base_ns;
            for (line, ts_ns) in lines(&chunk.bytes).zip(chunk.base_ns..) {
                batch.entry(ts_ns, &line, []);
                passed.entries += 1;
                last_ns = ts_ns;
            }
            tail.push_chunk(label_set, &chunk.bytes, last_ns);
            return passed;
        }
        let stream = hash::hash(label_set);
        let mut times = self.times(&chunk.stages, stream);
        let mut entry = Entry::default();
        let mut groups = Groups::default();
        let mut shown = Shown { most: tail.wants(), ..Shown::default() };
        for (line, read_ns) in lines(&chunk.bytes).zip(chunk.base_ns..) {
            entry.begin(line, read_ns, stream);
            if let Fate::Dropped(stage) = chunk.stages.apply(&mut entry) {
                // A line is dropped by the first stage that does; they are few, so a list is enough to count by.
                match passed.left_out.iter_mut().find(|(name, _)| *name == stage) {
                    Some((_, count)) => *count += 1,
                    None => passed.left_out.push((stage, 1)),
                }
                continue;
            }
            let ts_ns = times.as_mut().map_or(read_ns, |times| times.place(entry.time, read_ns));
            passed.entries += 1;
            if entry.labels.is_empty() {
                batch.entry(ts_ns, &entry.line, entry.metadata.iter());
                shown.push(ts_ns, std::mem::take(&mut entry.line), 0);
            } else {
                let group = groups.of(&entry, stream, &chunk.labels);
                shown.push(ts_ns, entry.line.clone(), group + 1);
                let (line, metadata) = (std::mem::take(&mut entry.line), std::mem::take(&mut entry.metadata));
                groups.groups[group].1.push(Pending { ts_ns, line, metadata });
            }
        }
        for (labels, entries) in &groups.groups {
            batch.stream(labels);
            for entry in entries {
                batch.entry(entry.ts_ns, &entry.line, entry.metadata.iter());
            }
        }
        let labels = |group: usize| match group {
            0 => label_set,
            group => &groups.groups[group - 1].0,
        };
        let entries = shown.entries.iter().map(|(ts_ns, line, group)| (labels(*group), *ts_ns, &**line));
        tail.push_entries(entries, shown.passed_over);
        passed
    }

    fn times(&mut self, stages: &Stages, stream: u64) -> Option<&mut Times> {
        if !stages.set_times() {
            return None;
        }
        if self.times.len() >= MAX_STREAMS && !self.times.contains_key(&stream) {
            self.times.clear();
        }
        Some(self.times.entry(stream).or_default())
    }
}

impl Groups<'_> {
    /// The number of the entry's group.
    fn of(&mut self, entry: &Entry<'_>, base: u64, labels: &[(String, String)]) -> usize {
        let groups = &mut self.groups;
        *self.by_stream.entry(stream_of(entry, base)).or_insert_with(|| {
            groups.push((merged(entry, labels), Vec::new()));
            groups.len() - 1
        })
    }
}

/// The label set of an entry's stream.
fn merged(entry: &Entry<'_>, labels: &[(String, String)]) -> String {
    let mut all: BTreeMap<&str, &str> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    all.extend(entry.labels.iter());
    let mut set = String::new();
    write_label_set(&mut set, all);
    set
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
