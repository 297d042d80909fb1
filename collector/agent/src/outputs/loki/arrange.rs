//! A record of the log becomes pushes: within the receiver's limits, and such that its answers say what it refused.
//!
//! Most records go as they stand, without a copy. Streams that are new to the receiver come last (see
//! [`Push::new_from`]); what its ingesters may refuse goes alone: streams beyond their rate, and entries that are far
//! behind their stream's newest.

use std::time::Duration;

use bytes::Bytes;
use taffrail_wire::loki::{Batch, Stream, streams};
use taffrail_wire::proto::ProtoError;

use super::limits::{Change, Fit, Limits};
use super::push::Push;
use super::streams::Streams;

/// How far behind its stream's newest entry Loki takes an entry: half of `max_chunk_age`, by default.
const BEHIND: Duration = Duration::from_secs(3600);

/// What became of a record.
#[derive(Debug, Default)]
pub(super) struct Arranged {
    /// To be sent, in order.
    pub(super) pushes: Vec<Push>,
    /// Not to be sent.
    pub(super) refused: Vec<Refused>,
    /// Entries that were put right, by what was.
    pub(super) mended: Vec<(Change, u64)>,
    /// Streams that had labels moved to structured metadata: the first, and the names of its labels.
    pub(super) moved: Option<(String, Vec<String>)>,
    /// Streams of which entries were too old, for the first time.
    pub(super) told_old: Vec<String>,
}

/// What will not be sent.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) count: u64,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// What can be sent another day.
    pub(super) letter: Option<Push>,
    /// Whose it is, where it is not the output's own tenant's.
    pub(super) tenant: Option<String>,
}

/// How a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// With others.
    Shared,
    /// With others, and last.
    Last,
    /// Alone.
    Alone,
    /// Not at all.
    Parked,
    /// Not at all: its labels do not fit.
    Bad(&'static str),
}

/// A stream of a record.
struct Looked<'a> {
    stream: Stream<'a>,
    way: Way,
    /// Its entries have to be looked at one by one.
    rewrite: bool,
}

/// Now, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) ns: i64,
    pub(super) monotonic: Duration,
}

/// Arranges the push request `record`.
pub(super) fn arrange(
    record: &Bytes,
    limits: &Limits,
    known: &mut Streams,
    now: Now,
) -> Result<Arranged, ProtoError> {
    let mut entries = 0;
    let mut looked = Vec::new();
    for stream in streams(record) {
        looked.push(look(stream?, limits, known, now, &mut entries)?);
    }
    let ways = || looked.iter().map(|looked| looked.way);
    // What should go alone, and is: so it is where one file is read that has much to say.
    if let [Looked { way: Way::Alone, rewrite: false, .. }] = looked[..] {
        let push = Push { request: record.clone(), entries, streams: 1, new_from: 1 };
        return Ok(Arranged { pushes: vec![push], ..Arranged::default() });
    }
    let plain = looked.iter().all(|looked| !looked.rewrite && matches!(looked.way, Way::Shared | Way::Last));
    if plain && ways().is_sorted_by_key(|way| way == Way::Last) {
        let new_from = ways().take_while(|way| *way == Way::Shared).count();
        let push = Push { request: record.clone(), entries, streams: looked.len(), new_from };
        return Ok(Arranged { pushes: vec![push], ..Arranged::default() });
    }
    anew(&looked, limits, known, now)
}

fn look<'a>(
    stream: Stream<'a>,
    limits: &Limits,
    known: &mut Streams,
    now: Now,
    entries: &mut u64,
) -> Result<Looked<'a>, ProtoError> {
    let (mut oldest, mut newest, mut bytes, mut longest) = (i64::MAX, i64::MIN, 0, 0);
    for outline in stream.outlines() {
        let outline = outline?;
        oldest = oldest.min(outline.ts_ns);
        newest = newest.max(outline.ts_ns);
        bytes += outline.raw_len;
        longest = longest.max(outline.raw_len);
        *entries += 1;
    }
    let state = known.of(stream.labels, now.monotonic, || limits.fit(stream.labels));
    let (state, moved) = match &state.fit {
        Fit::Good => (state, false),
        Fit::Bad(what) => return Ok(Looked { stream, way: Way::Bad(what), rewrite: true }),
        // What the receiver has is the stream without those labels.
        Fit::Less { labels, .. } => {
            let labels = labels.clone();
            (known.of(&labels, now.monotonic, || Fit::Good), true)
        }
    };
    let far = oldest < state.newest_ns.saturating_sub(BEHIND.as_nanos() as i64);
    state.newest_ns = state.newest_ns.max(newest);
    let config = &limits.config;
    let way = if state.is_parked(now.monotonic) {
        Way::Parked
    } else if state.exceeds(bytes, config.stream_rate, config.stream_burst, now.monotonic) || far {
        Way::Alone
    } else if state.is_new(now.monotonic) {
        Way::Last
    } else {
        Way::Shared
    };
    // Most long entries are long lines that fit: those are looked at, and still go as they stand.
    let suspect = longest > 0
        && limits.suspects(longest)
        && stream.entries().any(|entry| entry.map_or(true, |entry| limits.changes(&entry)));
    Ok(Looked { stream, way, rewrite: suspect || moved || oldest < limits.oldest(now.ns) })
}

/// Writes the streams anew, in the order that is wanted.
fn anew(
    looked: &[Looked<'_>],
    limits: &Limits,
    known: &mut Streams,
    now: Now,
) -> Result<Arranged, ProtoError> {
    let mut done = Arranged::default();
    let mut shared = Batch::new();
    let mut new_from = 0;
    for way in [Way::Shared, Way::Last] {
        for looked in looked.iter().filter(|looked| looked.way == way) {
            write(&mut shared, looked, limits, known, now, &mut done)?;
        }
        if way == Way::Shared {
            new_from = streams(shared.finish()).count();
        }
    }
    done.push(&mut shared, Some(new_from));
    for looked in looked {
        let mut alone = Batch::new();
        match looked.way {
            Way::Shared | Way::Last => continue,
            Way::Alone => {
                write(&mut alone, looked, limits, known, now, &mut done)?;
                done.push(&mut alone, None);
            }
            Way::Parked => {
                let message = "the receiver had no room for the stream, and is not asked for some minutes";
                done.refuse(looked, "stream_limit", message)?;
            }
            Way::Bad(what) => {
                let message = format!("{what}: {}", looked.stream.labels);
                done.refuse(looked, "labels", &message)?;
            }
        }
    }
    Ok(done)
}

/// Adds a stream to a batch.
fn write(
    batch: &mut Batch,
    looked: &Looked<'_>,
    limits: &Limits,
    known: &mut Streams,
    now: Now,
    done: &mut Arranged,
) -> Result<(), ProtoError> {
    let stream = &looked.stream;
    if !looked.rewrite {
        batch.copy_stream(stream);
        return Ok(());
    }
    let state = known.of(stream.labels, now.monotonic, || limits.fit(stream.labels));
    let (labels, moved) = match &state.fit {
        Fit::Less { labels, moved } => (labels.as_str(), moved.as_slice()),
        Fit::Good | Fit::Bad(_) => (stream.labels, &[][..]),
    };
    if !moved.is_empty() && done.moved.is_none() {
        let names = moved.iter().map(|(name, _)| name.clone()).collect();
        done.moved = Some((labels.to_owned(), names));
    }
    batch.stream(labels);
    let (oldest, mut old, mut kept) = (limits.oldest(now.ns), 0, 0);
    for entry in stream.entries() {
        let entry = entry?;
        if entry.ts_ns < oldest {
            old += 1;
            continue;
        }
        kept += 1;
        for change in limits.add(batch, &entry, moved) {
            done.mended(change, 1);
        }
    }
    if !moved.is_empty() {
        done.mended(Change::Labels, kept);
    }
    if old > 0 {
        if !std::mem::replace(&mut state.told_old, true) {
            done.told_old.push(stream.labels.to_owned());
        }
        let message = "older than the receiver takes (`limits.reject_old_samples_max_age`)".to_owned();
        // The receiver will not take them another day either.
        done.refused.push(Refused { count: old, reason: "too_old", message, letter: None, tenant: None });
    }
    Ok(())
}

impl Arranged {
    fn mended(&mut self, change: Change, by: u64) {
        match self.mended.iter_mut().find(|(other, _)| *other == change) {
            Some((_, count)) => *count += by,
            None => self.mended.push((change, by)),
        }
    }

    fn push(&mut self, batch: &mut Batch, new_from: Option<usize>) {
        if batch.is_empty() {
            return;
        }
        // It was just written.
        if let Ok(mut push) = Push::new(Bytes::copy_from_slice(batch.finish())) {
            push.new_from = new_from.unwrap_or(push.streams);
            self.pushes.push(push);
        }
    }

    fn refuse(&mut self, looked: &Looked<'_>, reason: &'static str, message: &str) -> Result<(), ProtoError> {
        let mut batch = Batch::new();
        batch.copy_stream(&looked.stream);
        let letter = Push::new(Bytes::copy_from_slice(batch.finish()))?;
        let message = message.to_owned();
        self.refused.push(Refused {
            count: letter.entries,
            reason,
            message,
            letter: Some(letter),
            tenant: None,
        });
        Ok(())
    }
}

/// Bytes that the receiver counts of a request: lines and structured metadata.
pub(super) fn counted(request: &[u8]) -> u64 {
    let outlines = streams(request).flatten().flat_map(|stream| stream.outlines().flatten());
    // The time and the tags are some twenty bytes; more is counted than the receiver does.
    outlines.map(|outline| outline.raw_len.saturating_sub(OVERHEAD) as u64).sum()
}

/// Bytes of an entry that are no line: its time, its tags and lengths.
const OVERHEAD: usize = 16;

#[cfg(test)]
#[path = "arrange_tests.rs"]
mod tests;
