//! The stages `drop` and `keep`: entries by what they hold.

use taffrail_core::Pattern;

use crate::entry::{Entry, Time};

/// What entries have to be like: all that is set has to hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    /// The field that is looked at; none: the line. Alone: it is there.
    pub source: Option<String>,
    /// Is found in it.
    pub expression: Option<Pattern>,
    /// Is equal to it.
    pub value: Option<String>,
    /// The line has more bytes.
    pub longer_than: Option<usize>,
    /// Its time lies more nanoseconds before the time at which it was read.
    pub older_than_ns: Option<i64>,
}

impl Condition {
    /// Whether it holds.
    pub(super) fn holds(&self, entry: &Entry<'_>) -> bool {
        self.longer_than.is_none_or(|bytes| entry.line.len() > bytes)
            && self.older_than_ns.is_none_or(|age_ns| match entry.time {
                Time::Said { ns, .. } => entry.read_ns.saturating_sub(ns) > age_ns,
                _ => false,
            })
            && self.text_holds(entry)
    }

    fn text_holds(&self, entry: &Entry<'_>) -> bool {
        let Some(text) = entry.text(self.source.as_deref()) else { return false };
        self.expression.as_ref().is_none_or(|expression| expression.matches(text.as_bytes()))
            && self.value.as_ref().is_none_or(|value| value == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_set_has_to_hold() {
        let mut entry = Entry { line: "GET /-/healthy".into(), read_ns: 100, ..Entry::default() };
        entry.fields.set("a", "x");
        let any = Condition::default;
        let source = |name: &str| Some(name.to_owned());
        let pattern = |text| Pattern::new(text).ok();
        for (condition, holds) in [
            (any(), true),
            (Condition { expression: pattern("healthy"), ..any() }, true),
            (Condition { expression: pattern("healthy"), longer_than: Some(14), ..any() }, false),
            (Condition { longer_than: Some(13), ..any() }, true),
            (Condition { source: source("a"), ..any() }, true),
            (Condition { source: source("c"), ..any() }, false),
            (Condition { source: source("a"), value: Some("x".into()), ..any() }, true),
            (Condition { source: source("a"), value: Some("y".into()), ..any() }, false),
            (Condition { older_than_ns: Some(10), ..any() }, false),
        ] {
            assert_eq!(condition.holds(&entry), holds, "{condition:?}");
        }
        entry.time = Time::Said { ns: 89, resolution_ns: 1 };
        assert!(Condition { older_than_ns: Some(10), ..any() }.holds(&entry));
        assert!(!Condition { older_than_ns: Some(11), ..any() }.holds(&entry));
    }
}
