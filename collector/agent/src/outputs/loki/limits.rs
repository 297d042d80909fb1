//! What Loki takes: checked before the push, and put right where that loses nothing.
//!
//! The numbers are those of the config, and what Loki has said since.

use std::borrow::Cow;
use std::collections::BTreeMap;

use taffrail_wire::loki::{Batch, Entry, label_name, parse_label_set, write_label_set};

use super::answer::Lesson;
use crate::config::LokiLimits;
use crate::logs::shape;

/// Labels that a stream keeps when it has too many: those by which everybody looks for it.
const KEPT: [&str; 9] = [
    "job",
    "instance",
    "service_name",
    "container",
    "filename",
    "unit",
    "stream",
    "compose_project",
    "compose_service",
];

/// A line that is cut is at least so long, for its mark.
const SHORTEST_CUT: usize = 128;

/// How a stream's labels fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// As they are.
    Good,
    /// Without these, which become structured metadata of its entries.
    Less { labels: String, moved: Vec<(String, String)> },
    /// Not at all.
    Bad(&'static str),
}

/// What became of an entry, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Labels of its stream became structured metadata.
    Labels,
    /// Its line was cut.
    Line,
    /// Structured metadata was left out or cut.
    Metadata,
}

impl Change {
    /// The word for it in counters.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Change::Labels => "labels",
            Change::Line => "line",
            Change::Metadata => "metadata",
        }
    }
}

/// The limits as they are known.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) config: LokiLimits,
    /// Names of structured metadata are made such that Loki can make labels of them.
    clean_names: bool,
}

impl Limits {
    pub(super) fn new(config: LokiLimits) -> Self {
        Limits { config, clean_names: false }
    }

    /// Takes in what Loki said; whether that is news.
    pub(super) fn learn(&mut self, lesson: Lesson) -> bool {
        let config = &mut self.config;
        let lower = |known: &mut usize, said: usize| {
            let news = said < *known;
            *known = said.min(*known);
            news
        };
        match lesson {
            Lesson::LabelNames(most) => lower(&mut config.label_names, most),
            Lesson::Line(most) => lower(&mut config.line, most),
            Lesson::MetadataBytes(most) => lower(&mut config.metadata, most),
            Lesson::MetadataPairs(most) => lower(&mut config.metadata_pairs, most),
            Lesson::NoMetadata => std::mem::replace(&mut config.allow_metadata, false),
            Lesson::MetadataNames => !std::mem::replace(&mut self.clean_names, true),
            Lesson::StreamRate(most) => {
                let news = most < config.stream_rate;
                config.stream_rate = most.min(config.stream_rate);
                news
            }
            Lesson::Rate(most) => config.rate.replace(most) != Some(most),
        }
    }

    /// Whether an entry of so many bytes may be beyond a limit, or has to be looked into for another reason.
    pub(super) fn suspects(&self, raw_len: usize) -> bool {
        // Tags and lengths of a pair, and one letter.
        const SHORTEST_PAIR: usize = 5;
        let pairs = self.config.metadata_pairs.saturating_mul(SHORTEST_PAIR);
        let least = self.config.line.min(self.config.metadata).min(pairs);
        !self.config.allow_metadata || self.clean_names || raw_len > least
    }

    /// Whether [`Limits::add`] may change something of the entry.
    pub(super) fn changes(&self, entry: &Entry<'_>) -> bool {
        let (mut pairs, mut size) = (0, 0);
        for (name, value) in entry.metadata().flatten() {
            pairs += 1;
            size += name.len() + value.len();
        }
        let config = &self.config;
        !config.allow_metadata
            || self.clean_names
            || entry.line.len() > config.line
            || pairs > config.metadata_pairs
            || size > config.metadata
    }

    /// The oldest time that is taken, where `now_ns` is now.
    pub(super) fn oldest(&self, now_ns: i64) -> i64 {
        let age =
            self.config.max_age.map_or(i64::MAX, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
        now_ns.saturating_sub(age)
    }

    /// How the labels of a stream fit.
    pub(super) fn fit(&self, labels: &str) -> Fit {
        let Some(pairs) = parse_label_set(labels) else { return Fit::Bad("no label set") };
        let mut keep: BTreeMap<Cow<'_, str>, Cow<'_, str>> = BTreeMap::new();
        let mut moved: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            let long = name.len() > self.config.label_name || value.len() > self.config.label_value;
            if long {
                moved.push((short(&name, self.config.label_name), value.into_owned()));
            } else if !value.is_empty() {
                keep.insert(name, value);
            }
        }
        // Loki counts `service_name` not, as it adds it itself.
        let counted =
            |keep: &BTreeMap<Cow<'_, str>, _>| keep.len() - usize::from(keep.contains_key("service_name"));
        while counted(&keep) > self.config.label_names {
            let last =
                keep.keys().rev().find(|name| !KEPT.contains(&name.as_ref())).or(keep.keys().next_back());
            let Some((name, value)) = last.cloned().and_then(|name| keep.remove_entry(&name)) else { break };
            moved.push((name.into_owned(), value.into_owned()));
        }
        if keep.is_empty() {
            return Fit::Bad("no label that fits");
        }
        if moved.is_empty() {
            return Fit::Good;
        }
        let mut labels = String::new();
        write_label_set(&mut labels, keep.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        Fit::Less { labels, moved }
    }

    /// Adds an entry to `batch` as it fits, with `moved` in its structured metadata, and says what was changed.
    pub(super) fn add(
        &self,
        batch: &mut Batch,
        entry: &Entry<'_>,
        moved: &[(String, String)],
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut line = Cow::Borrowed(entry.line);
        if line.len() > self.config.line {
            changes.push(Change::Line);
            line = self.cut(entry.line);
        }
        let all = entry.metadata().flatten().map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)));
        let moved = moved.iter().map(|(name, value)| (Cow::from(name.as_str()), Cow::from(value.as_str())));
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = all.chain(moved).collect();
        let given = pairs.len();
        if !self.config.allow_metadata {
            pairs.clear();
        }
        if self.clean_names {
            for (name, _) in &mut pairs {
                clean(name);
            }
        }
        let size = |pairs: &[(Cow<'_, str>, Cow<'_, str>)]| -> usize {
            pairs.iter().map(|(name, value)| name.len() + value.len()).sum()
        };
        if pairs.len() > self.config.metadata_pairs || size(&pairs) > self.config.metadata {
            // The shortest stay: most of them can.
            pairs.sort_by_key(|(name, value)| name.len() + value.len());
            pairs.truncate(self.config.metadata_pairs);
            while size(&pairs) > self.config.metadata {
                pairs.pop();
            }
        }
        if pairs.len() < given {
            changes.push(Change::Metadata);
        }
        batch.entry(entry.ts_ns, &line, pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        changes
    }

    fn cut(&self, line: &str) -> Cow<'static, str> {
        let mut out = Vec::new();
        shape::cut(&mut out, line.as_bytes(), line.len() as u64, self.config.line.max(SHORTEST_CUT));
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }
}

/// The first bytes of a name, up to a whole character.
fn short(name: &str, most: usize) -> String {
    let end = (0..=most.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name[..end].to_owned()
}

/// Loki makes names of letters, digits and `_`, and gives up where nothing but `_` is left.
fn clean(name: &mut Cow<'_, str>) {
    let fit = label_name(name);
    if fit.chars().all(|c| c == '_') {
        *name = Cow::Owned(format!("key{fit}"));
    }
}
