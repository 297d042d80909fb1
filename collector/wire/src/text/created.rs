//! When a series began, as OpenMetrics says it: by a sample `<name>_created`, somewhere behind the others of its labels.

use super::lex::Dialect;
use super::number;
use super::series::{RawLabel, Walk};
use crate::remote_write::MetricKind;

/// What series of one metric have in common: the name without its ending, and the labels without `le` and `quantile`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Group<'a> {
    name: &'a [u8],
    labels: Vec<(&'a [u8], &'a [u8])>,
}

/// Finds the times at which series began. A page that names none costs one search; on others the samples of a metric are
/// read twice, and those of unlike labels not at all.
#[derive(Clone, Debug)]
pub(super) struct Created<'a> {
    wanted: bool,
    /// The family's type can have such a sample.
    cumulative: bool,
    group: Group<'a>,
    ms: Option<i64>,
}

impl<'a> Created<'a> {
    pub(super) fn new(page: &'a [u8], wanted: bool) -> Self {
        let wanted = wanted && memchr::memmem::find(page, b"_created").is_some();
        Created { wanted, cumulative: false, group: Group::default(), ms: None }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// A family of this type begins.
    pub(super) fn family(&mut self, kind: MetricKind) {
        self.cumulative = matches!(kind, MetricKind::Counter | MetricKind::Histogram | MetricKind::Summary);
        self.group = Group::default();
    }

    /// When the series that begins at `begin` began, in milliseconds since 1970; the line behind it begins at `next`.
    pub(super) fn of(&mut self, page: &'a [u8], begin: usize, next: usize) -> Option<i64> {
        if !self.wanted || !self.cumulative {
            return None;
        }
        let (group, _, is_created) = group(page, begin)?;
        if is_created {
            return None;
        }
        if group != self.group {
            self.ms = look(page, next, &group);
            self.group = group;
        }
        self.ms
    }
}

/// Looks for the sample of a group in the lines from `at` on.
fn look(page: &[u8], mut at: usize, wanted: &Group<'_>) -> Option<i64> {
    loop {
        let (group, behind, is_created) = group(page, at)?;
        if group != *wanted {
            return None;
        }
        let end = behind + memchr::memchr(b'\n', &page[behind..])?;
        if is_created {
            let value = page[behind..end].strip_prefix(b" ")?.split(|byte| *byte == b' ').next()?;
            return number::seconds(value);
        }
        at = end + 1;
    }
}

/// The group of the series that begins at an index, the index behind it, and whether it is the one that says the time.
fn group(page: &[u8], at: usize) -> Option<(Group<'_>, usize, bool)> {
    let mut walk = Walk::new(page, at, Dialect::Strict);
    let mut group = Group::default();
    while let Some(RawLabel { name, value }) = walk.next().ok()? {
        match name {
            b"__name__" => group.name = value,
            b"le" | b"quantile" => {}
            _ => group.labels.push((name, value)),
        }
    }
    let endings: [&[u8]; 5] = [b"_created", b"_total", b"_bucket", b"_count", b"_sum"];
    let ending = endings.into_iter().find(|ending| group.name.ends_with(ending)).unwrap_or_default();
    group.name = &group.name[..group.name.len() - ending.len()];
    Some((group, walk.at, ending == b"_created"))
}
