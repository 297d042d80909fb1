//! The stage `sampling`: a share of the entries, always the same ones.

use std::hash::Hasher;

use super::Outcome;
use crate::entry::Entry;
use crate::hash::Fnv;

/// Keeps a share of the entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    source: Option<String>,
    rate: f64,
    /// Hashes below it are kept.
    below: u64,
}

impl Sampling {
    /// Keeps `rate` (0 to 1) of the entries; with a field, entries of one value are all kept or all left out. An error
    /// says what is wrong, then, behind a line feed, what would be right.
    pub fn new(source: Option<String>, rate: f64) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(format!("{rate} is no share\nbetween 0 and 1: 0.1 keeps every tenth entry"));
        }
        Ok(Sampling { source, rate, below: (rate * (1u64 << 53) as f64) as u64 })
    }

    pub(super) fn apply(&self, entry: &Entry<'_>) -> Outcome {
        let mut hash = Fnv::default();
        match &self.source {
            // By when it was read too, so that of equal lines some are kept. A line that is read again has that time again.
            None => {
                hash.write_i64(entry.read_ns);
                hash.write(entry.line.as_bytes());
            }
            Some(name) => match entry.fields.get(name) {
                Some(value) => hash.write(value.as_bytes()),
                // Nothing says to which others it belongs.
                None => return Outcome::Keep,
            },
        }
        if hash.finish() >> 11 < self.below { Outcome::Keep } else { Outcome::Drop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(sampling: &Sampling, entries: impl Iterator<Item = Entry<'static>>) -> usize {
        entries.filter(|entry| sampling.apply(entry) == Outcome::Keep).count()
    }

    fn entries() -> impl Iterator<Item = Entry<'static>> {
        (0..10_000).map(|n| {
            let mut entry =
                Entry { line: "GET /".into(), read_ns: 1_795_000_000_000_000_000 + n, ..Entry::default() };
            entry.fields.set("trace", (n / 10).to_string());
            entry
        })
    }

    #[test]
    fn a_share_of_equal_lines_is_kept_and_always_the_same() {
        let tenth = Sampling::new(None, 0.1).unwrap();
        let count = kept(&tenth, entries());
        assert!((850..1150).contains(&count), "{count}");
        assert_eq!(kept(&tenth, entries()), count);
        assert_eq!(kept(&Sampling::new(None, 0.0).unwrap(), entries()), 0);
        assert_eq!(kept(&Sampling::new(None, 1.0).unwrap(), entries()), 10_000);
        assert!(Sampling::new(None, 1.5).is_err() && Sampling::new(None, f64::NAN).is_err());
    }

    #[test]
    fn by_a_field_what_belongs_together_stays_together() {
        let half = Sampling::new(Some("trace".into()), 0.5).unwrap();
        let count = kept(&half, entries());
        assert!(count.is_multiple_of(10) && (4000..6000).contains(&count), "{count}");
        let other = Sampling::new(Some("none".into()), 0.0).unwrap();
        assert_eq!(kept(&other, entries()), 10_000);
    }
}
