//! The stage `labels`: fields become labels of the stream, as long as they are few.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::Outcome;
use crate::entry::Entry;
use crate::hash::{Fnv, hash};

/// The most values of one label. Each value of a label is a stream of its own, and each stream costs the receiver.
pub const MAX_VALUES: usize = 100;
/// A longer value is no label.
pub const MAX_BYTES: usize = 256;

/// Makes labels of fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// The labels.
    pub labels: Vec<Label>,
}

/// One label.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// The field that holds its value.
    pub source: String,
    /// The only values it may have. Empty: the first [`MAX_VALUES`] that come.
    pub values: Vec<String>,
}

/// Which values were seen: hashes of label and value.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Vec<HashSet<u64>>>);

impl Labels {
    pub(super) fn apply<'c>(&'c self, seen: &Seen, entry: &mut Entry<'c>) -> Outcome {
        for (at, label) in self.labels.iter().enumerate() {
            let Some(value) = entry.text_or_remark(Some(&label.source)) else { continue };
            if value.is_empty() {
                continue;
            }
            let fits = match label.values.as_slice() {
                [] => value.len() <= MAX_BYTES && seen.admit(at, &value),
                values => values.iter().any(|known| *known == value),
            };
            if fits {
                entry.labels.set(label.name.as_str(), value);
            } else {
                // It is not lost, and makes no stream.
                entry.remark(|| {
                    format!("`{value}` is no value that the label `{}` takes: it is metadata", label.name)
                });
                entry.metadata.set(label.name.as_str(), value);
            }
        }
        Outcome::Keep
    }
}

impl Seen {
    fn admit(&self, label: usize, value: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() <= label {
            seen.resize_with(label + 1, HashSet::new);
        }
        let known = &mut seen[label];
        let hash = hash(value);
        known.contains(&hash) || (known.len() < MAX_VALUES && known.insert(hash))
    }
}

/// Stands for the labels that entries give their streams.
pub(crate) fn stream<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>, base: u64) -> u64 {
    use std::hash::Hasher;
    let mut all = Fnv::default();
    all.write_u64(base);
    for (name, value) in labels {
        all.write(name.as_bytes());
        all.write_u8(0xff);
        all.write(value.as_bytes());
        all.write_u8(0xff);
    }
    all.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(values: &[&str]) -> Labels {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Labels { labels: vec![Label { name: "method".into(), source: "verb".into(), values }] }
    }

    fn run<'c>(labels: &'c Labels, seen: &Seen, value: &str) -> Entry<'c> {
        let mut entry = Entry::default();
        entry.fields.set("verb", value.to_owned());
        labels.apply(seen, &mut entry);
        entry
    }

    #[test]
    fn only_the_values_that_are_named() {
        let (labels, seen) = (label(&["GET", "POST"]), Seen::default());
        assert_eq!(run(&labels, &seen, "GET").labels.get("method").unwrap(), "GET");
        let other = run(&labels, &seen, "BREW");
        assert_eq!((other.labels.len(), other.metadata.get("method").unwrap().as_ref()), (0, "BREW"));
        assert!(run(&labels, &seen, "").labels.is_empty());
    }

    #[test]
    fn values_that_never_end_make_no_streams() {
        let (labels, seen) = (label(&[]), Seen::default());
        for n in 0..MAX_VALUES {
            assert_eq!(run(&labels, &seen, &n.to_string()).labels.len(), 1);
        }
        let over = run(&labels, &seen, "one more");
        assert!(over.labels.is_empty() && over.metadata.get("method").is_some());
        assert_eq!(run(&labels, &seen, "7").labels.len(), 1);
        assert!(run(&label(&[]), &Seen::default(), &"x".repeat(MAX_BYTES + 1)).labels.is_empty());
    }
}
