//! Lines that the logs on disk gave up before every output had them, told in the streams that lost them: how many are
//! missing, from when to when, and why.
//!
//! A log that is full gives up a segment at a time, and each holds lines of many streams. So losses are gathered by stream,
//! and told when nothing more went for a moment, or at the latest after a while. The line has the time at which it is told
//! and goes the way of all lines of its stream; where it is given up too, what it told is in the next one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::note::Level;
use taffrail_core::{Clock, Note};
use taffrail_spool::{Loss, Reason, Ticket};
use taffrail_stages::stage::LevelStage;
use taffrail_stages::{Stage, Stages, timeformat};
use taffrail_wire::loki::{parse_label_set, streams};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Body, Chunk, Notes, Shape, notes};
use crate::status::lock;

/// The most streams in which losses are told at a time. What others lost is told in one note.
const MOST: usize = 1000;
/// It is told when nothing more was lost for so long,
const QUIET: Duration = Duration::from_secs(2);
/// or when the first of it is so old.
const LATEST: Duration = Duration::from_secs(30);
/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);
/// What such a line is called.
const EVENT: &str = "log_gap";

/// What is missing, until it is told.
#[derive(Debug)]
pub struct Missing {
    clock: Clock,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By stream: whether it is marked, and its labels.
    streams: HashMap<(bool, String), Gap>,
    /// What further streams lost.
    more: Gap,
    /// When the first of it was lost, and the last.
    since: Option<(Duration, Duration)>,
}

/// Lines that are missing.
#[derive(Clone, Debug, Default)]
struct Gap {
    lines: u64,
    /// The first and the last time among them, in Unix nanoseconds.
    times: Option<(i64, i64)>,
    reasons: BTreeSet<&'static str>,
    outputs: BTreeSet<String>,
}

impl Missing {
    /// Nothing yet.
    pub fn new(clock: Clock) -> Self {
        Missing { clock, held: Mutex::default() }
    }

    /// Takes in what a log gave up; `keep`: of marked streams.
    pub fn take(&self, keep: bool, loss: &Loss) {
        let mut held = lock(&self.held);
        let held = &mut *held;
        let now = self.clock.monotonic();
        held.since = Some((held.since.map_or(now, |(first, _)| first), now));
        let reason = word(loss.reason);
        loss.records(|record| {
            for stream in streams(record).flatten() {
                let key = (keep, stream.labels.to_owned());
                let full = held.streams.len() >= MOST && !held.streams.contains_key(&key);
                let gap = if full { &mut held.more } else { held.streams.entry(key).or_default() };
                for entry in stream.entries().flatten() {
                    gap.add(entry.ts_ns, entry.line);
                }
                gap.reasons.insert(reason);
                // The lane beside a backlog has a cursor of its own: it is the same output's.
                let outputs = loss.cursors.iter().map(|(name, _)| name.split('#').next().unwrap_or_default());
                gap.outputs.extend(outputs.map(str::to_owned));
            }
        });
    }

    /// Tells what is missing in the streams that lost it, until `stop`; then what is still to be told.
    pub async fn tell(&self, chunks: mpsc::Sender<Chunk>, to: Notes, stop: CancellationToken) {
        let stages = Arc::new(Stages::new([Stage::Level(LevelStage::default())]));
        loop {
            let last = stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none();
            let Some(held) = self.due(last) else {
                if last {
                    return;
                }
                continue;
            };
            self.note(&held, &to);
            for ((keep, labels), gap) in held.streams {
                let pairs = parse_label_set(&labels).into_iter().flatten();
                let chunk = Chunk {
                    labels: pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
                    metadata: Arc::from([]),
                    body: Body::Lines {
                        bytes: notes::line(&gap.line()).into(),
                        base_ns: self.clock.now_ns(),
                        shape: Shape::default(),
                    },
                    stages: stages.clone(),
                    keep,
                    ticket: Ticket::none(),
                };
                if chunks.send(chunk).await.is_err() {
                    return;
                }
            }
        }
    }

    /// What is to be told now.
    fn due(&self, all: bool) -> Option<Held> {
        let mut held = lock(&self.held);
        let (first, last) = held.since?;
        let now = self.clock.monotonic();
        let due = all || now.saturating_sub(last) >= QUIET || now.saturating_sub(first) >= LATEST;
        due.then(|| std::mem::take(&mut *held))
    }

    fn note(&self, held: &Held, to: &Notes) {
        let mut all = held.more.clone();
        held.streams.values().for_each(|gap| all.join(gap));
        let mut text =
            format!("{} log lines of {} streams are lost: {}", all.lines, held.streams.len(), all.why());
        if held.more.lines > 0 {
            text.push_str(&format!("; {} of them in further streams, which do not say so", held.more.lines));
        }
        warn!("{text}");
        to.send(Note { level: Level::Error, event: "log_lost", text, facts: all.facts() });
    }
}

impl Gap {
    fn add(&mut self, ts_ns: i64, line: &str) {
        let (lines, from_ns) = told(line).unwrap_or((1, ts_ns));
        self.lines += lines;
        self.span(from_ns.min(ts_ns), ts_ns);
    }

    fn span(&mut self, from_ns: i64, to_ns: i64) {
        let (first, last) = self.times.unwrap_or((from_ns, to_ns));
        self.times = Some((first.min(from_ns), last.max(to_ns)));
    }

    fn join(&mut self, other: &Gap) {
        self.lines += other.lines;
        if let Some((from_ns, to_ns)) = other.times {
            self.span(from_ns, to_ns);
        }
        self.reasons.extend(&other.reasons);
        self.outputs.extend(other.outputs.iter().cloned());
    }

    /// Why, for people.
    fn why(&self) -> String {
        let text = |reason: &&str| match *reason {
            "full" => "the log on disk was full",
            "age" => "they were older than the log on disk keeps lines",
            _ => "the disk took no more",
        };
        let whys: Vec<&str> = self.reasons.iter().map(text).collect();
        let outputs: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        format!("{}, and {} had not taken them", whys.join(", and "), outputs.join(", "))
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("lines", self.lines.to_string()),
            ("reason", list(self.reasons.iter().copied())),
            ("outputs", list(self.outputs.iter().map(String::as_str))),
        ];
        if let Some((from_ns, to_ns)) = self.times {
            facts.extend([("from", timeformat::show(from_ns)), ("to", timeformat::show(to_ns))]);
        }
        facts
    }

    /// The line that says it.
    fn line(&self) -> Note {
        let text = format!("{} lines of this log are missing: {}", self.lines, self.why());
        Note { level: Level::Error, event: EVENT, text, facts: self.facts() }
    }
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(",")
}

/// How many lines a line of ours says are missing, itself among them, and from when on.
fn told(line: &str) -> Option<(u64, i64)> {
    let rest = line.strip_prefix("level=error event=log_gap msg=")?;
    let fact = |name: &str| rest.rsplit_once(name)?.1.split(' ').next();
    let lines: u64 = fact(" lines=")?.parse().ok()?;
    let from_ns = timeformat::shown(fact(" from=")?)?;
    Some((lines.saturating_add(1), from_ns))
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Full => "full",
        Reason::Age => "age",
        Reason::Disk => "disk",
        Reason::NoOutput => "no_output",
        Reason::TooLarge => "too_large",
        Reason::Skipped(why) => why,
    }
}

#[cfg(test)]
#[path = "missing_tests.rs"]
mod tests;
