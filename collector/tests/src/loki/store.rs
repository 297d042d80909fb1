//! What the double keeps, and by which rules it takes or refuses entries: those of Loki's distributor
//! (all before anything is stored), then those of its ingester (stream by stream).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::labels;
use super::limits::{Limits, Rate, Refusal, bytes, go_time, joined, rfc3339};
use super::numbers::{Numbers, number_of};
use crate::wire::{Label, LogEntry, LogStream, PushRequest};

/// A stream that was taken, as a query for it would show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredStream {
    /// The tenant; `fake` where none was named, as in Loki.
    pub tenant: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The entries by time; those of one time in the order they came.
    pub entries: Vec<StoredEntry>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEntry {
    /// Nanoseconds since 1970.
    pub ns: i64,
    /// The line.
    pub line: String,
    /// Structured metadata.
    pub metadata: BTreeMap<String, String>,
}

/// All tenants.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) limits: Limits,
    tenants: BTreeMap<String, Tenant>,
    /// Entries that were dropped without a word because an equal one was there.
    pub(crate) equal: u64,
    /// Numbered lines by job, where those are counted instead of kept.
    pub(crate) numbers: Option<BTreeMap<String, Numbers>>,
}

#[derive(Debug, Default)]
struct Tenant {
    bucket: Bucket,
    streams: BTreeMap<BTreeMap<String, String>, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    bucket: Bucket,
    newest: Option<i64>,
    entries: BTreeMap<i64, Vec<StoredEntry>>,
}

/// What the distributor lets through: the stream's labels and its entries.
type Checked = (BTreeMap<String, String>, Vec<StoredEntry>);

impl Store {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, tenants: BTreeMap::new(), equal: 0, numbers: None }
    }

    /// Takes what may be taken; a refusal does not mean that nothing was.
    pub(crate) fn push(&mut self, tenant: &str, request: PushRequest, now: i64) -> Result<(), Refusal> {
        if request.streams.is_empty() {
            return Err(Refusal {
                status: 422,
                text: "error at least one valid stream is required for ingestion".into(),
            });
        }
        // A label text that cannot be read refuses the whole request.
        let mut parsed = Vec::new();
        for stream in request.streams {
            let labels = labels::parse(&stream.labels)
                .map_err(|err| Refusal::bad(format!("couldn't parse labels: {err}")))?;
            parsed.push((labels, stream));
        }
        // A name of which no label can be made is a fault of Loki's own, and refuses the whole request.
        let names = parsed.iter().flat_map(|(_, stream)| &stream.entries).flat_map(|entry| &entry.metadata);
        if let Some(bad) = names.map(|label| &label.name).find(|name| !makes_a_name(name)) {
            let text = match bad.as_str() {
                "" => "label name is empty".to_owned(),
                bad => format!("normalization for label name {bad:?} resulted in invalid name"),
            };
            return Err(Refusal { status: 500, text });
        }
        let mut refused = Vec::new();
        let mut checked: Vec<Checked> = Vec::new();
        for (labels, stream) in parsed {
            if let Err(text) = check_labels(&self.limits, &labels, &stream) {
                refused.push(text);
                continue;
            }
            let mut entries = Vec::new();
            for entry in stream.entries {
                match check_entry(&self.limits, &labels, entry, now) {
                    Ok(entry) => entries.push(entry),
                    Err(text) => refused.push(text),
                }
            }
            if !entries.is_empty() {
                checked.push((labels, entries));
            }
        }
        if !checked.is_empty() {
            self.ingest(tenant, checked, now)?;
        }
        if refused.is_empty() {
            return Ok(());
        }
        Err(Refusal::bad(joined(&refused)))
    }

    fn ingest(&mut self, name: &str, checked: Vec<Checked>, now: i64) -> Result<(), Refusal> {
        let tenant = self.tenants.entry(name.to_owned()).or_default();
        let lines: usize = checked.iter().map(|(_, entries)| entries.len()).sum();
        let size: u64 = checked.iter().flat_map(|(_, entries)| entries).map(size).sum();
        if !tenant.bucket.take(self.limits.tenant_rate, size, now) {
            return Err(Refusal::too_many(format!(
                "ingestion rate limit exceeded for user {name} (limit: {} bytes/sec) while attempting to ingest '{lines}' lines totaling '{size}' bytes, reduce log volume or contact your Loki administrator to see if the limit can be increased",
                self.limits.tenant_rate.per_second
            )));
        }
        let (mut first, mut last) = (Ok(()), Ok(()));
        for (labels, entries) in checked {
            let text = labels::render(&labels);
            let full = tenant.streams.len() >= self.limits.streams;
            last = if full && !tenant.streams.contains_key(&labels) {
                Err(Refusal::too_many(format!(
                    "maximum active stream limit exceeded when trying to create stream {text}, reduce the number of active streams (reduce labels or reduce label values), or contact your Loki administrator to see if the limit can be increased, user: '{name}'"
                )))
            } else {
                let job = labels.get("job").cloned().unwrap_or_default();
                let numbers = self.numbers.as_mut().map(|numbers| numbers.entry(job).or_default());
                let stream = tenant.streams.entry(labels).or_default();
                stream.append(&self.limits, (name, &text), entries, now, (&mut self.equal, numbers))
            };
            if first.is_ok() {
                first.clone_from(&last);
            }
        }
        if self.limits.last_stream_tells { last } else { first }
    }

    /// All streams of all tenants.
    pub(crate) fn streams(&self) -> Vec<StoredStream> {
        let mut out = Vec::new();
        for (name, tenant) in &self.tenants {
            for (labels, stream) in &tenant.streams {
                out.push(StoredStream {
                    tenant: name.clone(),
                    labels: labels.clone(),
                    entries: stream.entries.values().flatten().cloned().collect(),
                });
            }
        }
        out
    }
}

/// Whether anything but `_` is left of the name of a pair of structured metadata.
fn makes_a_name(name: &str) -> bool {
    name.chars().any(|c| c.is_ascii_alphanumeric())
}

fn check_labels(
    limits: &Limits,
    labels: &BTreeMap<String, String>,
    stream: &LogStream,
) -> Result<(), String> {
    let text = &stream.labels;
    if labels.is_empty() {
        return Err("error at least one label pair is required per stream".into());
    }
    let names = labels.len() - usize::from(labels.contains_key("service_name"));
    if names > limits.label_names {
        return Err(format!(
            "entry for stream '{text}' has {names} label names; limit {}",
            limits.label_names
        ));
    }
    for (name, value) in labels {
        if name.len() > limits.label_name {
            return Err(format!("stream '{text}' has label name too long: '{name}'"));
        }
        if value.len() > limits.label_value {
            return Err(format!("stream '{text}' has label value too long: '{value}'"));
        }
    }
    Ok(())
}

fn check_entry(
    limits: &Limits,
    labels: &BTreeMap<String, String>,
    entry: LogEntry,
    now: i64,
) -> Result<StoredEntry, String> {
    let stream = labels::render(labels);
    let time = entry.timestamp.unwrap_or_default();
    let ns = time.seconds * 1_000_000_000 + i64::from(time.nanos);
    let oldest = now - nanos(limits.age);
    if ns < oldest {
        return Err(format!(
            "entry for stream '{stream}' has timestamp too old: {}, oldest acceptable timestamp is: {}",
            rfc3339(ns),
            rfc3339(oldest)
        ));
    }
    if ns > now + nanos(limits.ahead) {
        return Err(format!("entry for stream '{stream}' has timestamp too new: {}", rfc3339(ns)));
    }
    if entry.line.len() > limits.line {
        return Err(format!(
            "max entry size '{}' bytes exceeded for stream '{stream}' while adding an entry with length '{}' bytes",
            limits.line,
            entry.line.len()
        ));
    }
    let pairs = entry.metadata.len();
    if pairs > 0 && !limits.allow_metadata {
        return Err(format!(
            "stream '{stream}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata` or contact your Loki administrator to enable it"
        ));
    }
    let size = entry.metadata.iter().map(|l| l.name.len() + l.value.len()).sum::<usize>();
    if size > limits.metadata {
        return Err(format!(
            "stream '{stream}' has structured metadata too large: '{size}' bytes, limit: '{}' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it",
            limits.metadata
        ));
    }
    if pairs > limits.metadata_pairs {
        return Err(format!(
            "stream '{stream}' has too many structured metadata labels: '{pairs}', limit: '{}'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to increase it",
            limits.metadata_pairs
        ));
    }
    let metadata = entry.metadata.into_iter().map(|Label { name, value }| (name, value));
    Ok(StoredEntry { ns, line: entry.line, metadata: metadata.collect() })
}

impl Stream {
    fn append(
        &mut self,
        limits: &Limits,
        (tenant, text): (&str, &str),
        entries: Vec<StoredEntry>,
        now: i64,
        (equal, mut numbers): (&mut u64, Option<&mut Numbers>),
    ) -> Result<(), Refusal> {
        let total = entries.len();
        let over = |entry: &StoredEntry| {
            format!(
                "Per stream rate limit exceeded (limit: {}/sec) while attempting to ingest for stream '{text}' totaling {}, consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased",
                bytes(limits.stream_rate.per_second),
                bytes(size(entry))
            )
        };
        let mut refused: Vec<(i64, u16, String)> = Vec::new();
        let whole: u64 = entries.iter().map(size).sum();
        if limits.whole_stream && !self.bucket.take(limits.stream_rate, whole, now) {
            refused.extend(entries.iter().map(|entry| (entry.ns, 429, over(entry))));
            return Err(refusal(limits, tenant, text, total, &refused));
        }
        for entry in entries {
            // Loki compares time and line, in some versions the metadata too: the stricter holds here.
            let number = numbers.as_ref().and_then(|_| number_of(&entry.line));
            let same = match (&mut numbers, number) {
                (Some(numbers), Some(number)) if numbers.has(number, entry.ns) => {
                    numbers.again_bytes += entry.line.len() as u64;
                    true
                }
                (_, Some(_)) => false,
                _ => self
                    .entries
                    .get(&entry.ns)
                    .is_some_and(|known| known.iter().any(|o| o.line == entry.line)),
            };
            if same {
                *equal += 1;
                continue;
            }
            if !limits.whole_stream && !self.bucket.take(limits.stream_rate, size(&entry), now) {
                refused.push((entry.ns, 429, over(&entry)));
                continue;
            }
            let oldest = self.newest.map_or(i64::MIN, |newest| newest - nanos(limits.behind));
            if entry.ns < oldest {
                let reason = format!(
                    "entry too far behind, entry timestamp is: {}, oldest acceptable timestamp is: {}",
                    rfc3339(entry.ns),
                    rfc3339(oldest)
                );
                refused.push((entry.ns, 400, reason));
                continue;
            }
            self.newest = self.newest.max(Some(entry.ns));
            if let (Some(numbers), Some(number)) = (&mut numbers, number) {
                numbers.take(number, entry.ns);
                continue;
            }
            self.entries.entry(entry.ns).or_default().push(entry);
        }
        if refused.is_empty() {
            return Ok(());
        }
        Err(refusal(limits, tenant, text, total, &refused))
    }
}

/// The text for a stream of which some entries were refused; the status is that of the last one.
fn refusal(
    limits: &Limits,
    tenant: &str,
    stream: &str,
    total: usize,
    refused: &[(i64, u16, String)],
) -> Refusal {
    let mut text = String::new();
    for (ns, _, reason) in refused.iter().take(limits.named_entries) {
        text.push_str(&format!("entry with timestamp {} ignored, reason: '{reason}',\n", go_time(*ns)));
    }
    text.push_str(&format!(
        "user '{tenant}', total ignored: {} out of {total} for stream: {stream}",
        refused.len()
    ));
    let status = refused.last().map_or(400, |(_, status, _)| *status);
    Refusal { status, text }
}

/// Bytes of an entry as Loki counts them against rates.
fn size(entry: &StoredEntry) -> u64 {
    let metadata: usize = entry.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    (entry.line.len() + metadata) as u64
}

fn nanos(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A token bucket that is full at first.
#[derive(Debug, Default)]
struct Bucket {
    used: u64,
    at: i64,
}

impl Bucket {
    /// Takes tokens, or none and gives false.
    fn take(&mut self, rate: Rate, count: u64, now: i64) -> bool {
        let passed = u128::try_from(now - self.at).unwrap_or(0);
        let refilled = passed * u128::from(rate.per_second) / 1_000_000_000;
        self.used = self.used.saturating_sub(u64::try_from(refilled).unwrap_or(u64::MAX));
        self.at = now;
        if self.used.saturating_add(count) > rate.burst {
            return false;
        }
        self.used += count;
        true
    }
}

/// Streams whose labels include all of `wanted`, as a selector with `=` would.
pub(crate) fn matching(streams: Vec<StoredStream>, wanted: &[(&str, &str)]) -> Vec<StoredStream> {
    let wanted: HashMap<&str, &str> = wanted.iter().copied().collect();
    streams
        .into_iter()
        .filter(|stream| {
            let label = |name: &str| stream.labels.get(name).map_or("", String::as_str);
            wanted.iter().all(|(name, value)| label(name) == *value)
        })
        .collect()
}
