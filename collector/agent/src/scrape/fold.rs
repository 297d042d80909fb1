//! Folding: series of a label with too many values become one, whose value is `__other__`, where a job asks for it.
//!
//! Only counters and classic histograms are folded, as only of them a sum means something. The sum grows by what its
//! members grow, so that it goes down with none of them: a member that begins anew, or is gone, takes nothing away.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use taffrail_wire::relabel::Labels;
use taffrail_wire::remote_write::MetricKind;

use super::job::Fold;
use super::series::Index;
use crate::metrics::record::Family;

/// The value that stands for all others.
pub const OTHER: &str = "__other__";

/// The most families, each with a label, whose values are remembered. Those of further ones stay as they are.
const FAMILIES: usize = 10_000;

/// A line that is folded, as an index into [`Folds`].
pub type Member = u32;

/// What a target's folded lines add up to.
#[derive(Debug, Default)]
pub struct Folds {
    hasher: RandomState,
    /// Of each family and label, the values that came first: these stay as they are.
    admitted: HashMap<(u64, usize), HashSet<u64>>,
    members: Vec<Option<Folded>>,
    free: Vec<Member>,
    /// Members that are on this page, in its order.
    seen: Vec<Member>,
    sums: HashMap<Index, f64>,
    page: u32,
    /// A good page was folded: what is new on the next began since then.
    begun: bool,
}

/// A line that is folded.
#[derive(Clone, Copy, Debug)]
struct Folded {
    /// The series that it is part of.
    of: Index,
    /// Its value on this page, and on the last good one.
    now: f64,
    last: f64,
    page: u32,
}

/// What becomes of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Kept,
    /// Its labels are now those of the series that it is part of.
    Folded,
    /// It says when a folded series began, which is of no use.
    LeftOut,
}

impl Folds {
    /// Says what becomes of the series that the page calls `name`.
    pub fn admit(&mut self, rules: &[Fold], family: Family<'_>, name: &str, labels: &mut Labels) -> Fate {
        let suffix = name.strip_prefix(family.name).unwrap_or(name);
        let created = suffix == "_created" || name.ends_with("_created");
        let adds_up = match family.kind {
            MetricKind::Counter => true,
            MetricKind::Histogram => matches!(suffix, "_bucket" | "_sum" | "_count" | "_created"),
            _ => false,
        };
        if !adds_up {
            return Fate::Kept;
        }
        let of = self.hasher.hash_one(family.name);
        let mut fate = Fate::Kept;
        for (at, rule) in rules.iter().enumerate() {
            let value = labels.get(&rule.label);
            if value.is_empty() || self.is_admitted((of, at), value, rule.keep) {
                continue;
            }
            labels.set(&rule.label, OTHER);
            fate = if created { Fate::LeftOut } else { Fate::Folded };
        }
        fate
    }

    fn is_admitted(&mut self, family: (u64, usize), value: &str, most: usize) -> bool {
        if value == OTHER {
            return false;
        }
        // A target that makes up metrics without end is not helped by folding labels; what it costs is bounded.
        if self.admitted.len() >= FAMILIES && !self.admitted.contains_key(&family) {
            return true;
        }
        let admitted = self.admitted.entry(family).or_default();
        let value = self.hasher.hash_one(value);
        admitted.contains(&value) || (admitted.len() < most && admitted.insert(value))
    }

    /// A line that is part of `of`.
    pub fn add(&mut self, of: Index) -> Member {
        let folded = Some(Folded { of, now: f64::NAN, last: f64::NAN, page: 0 });
        match self.free.pop() {
            Some(member) => {
                self.members[member as usize] = folded;
                member
            }
            None => {
                self.members.push(folded);
                (self.members.len() - 1) as Member
            }
        }
    }

    /// A line is gone; the series that it was part of.
    pub fn remove(&mut self, member: Member) -> Option<Index> {
        let folded = self.members.get_mut(member as usize)?.take()?;
        self.free.push(member);
        Some(folded.of)
    }

    /// A new page begins.
    pub fn begin(&mut self) {
        self.page = self.page.wrapping_add(1).max(1);
        self.seen.clear();
    }

    /// A line is on this page. Whether it was not on it before.
    pub fn see(&mut self, member: Member, value: f64) -> bool {
        let page = self.page;
        let Some(Some(folded)) = self.members.get_mut(member as usize) else { return false };
        if folded.page == page {
            return false;
        }
        (folded.page, folded.now) = (page, value);
        self.seen.push(member);
        true
    }

    /// The page is good: the folded series that are on it, each once, with what they add up to.
    pub fn add_up(&mut self) -> Vec<(Index, f64)> {
        let mut order = Vec::new();
        let mut on_page = HashSet::new();
        for member in &self.seen {
            let Some(Some(folded)) = self.members.get_mut(*member as usize) else { continue };
            let sum = self.sums.entry(folded.of).or_default();
            *sum += grown(folded.last, folded.now, self.begun);
            if !folded.now.is_nan() {
                folded.last = folded.now;
            }
            if on_page.insert(folded.of) {
                order.push(folded.of);
            }
        }
        self.begun = true;
        order.into_iter().map(|of| (of, self.sums.get(&of).copied().unwrap_or_default())).collect()
    }

    /// A series is gone.
    pub fn forget(&mut self, of: Index) {
        self.sums.remove(&of);
    }

    /// Lines are not known any more, as other rules hold. What sums there are go on, from the next page's values.
    pub fn forget_lines(&mut self) {
        let sums = std::mem::take(&mut self.sums);
        *self = Folds { sums, page: self.page, ..Folds::default() };
    }

    /// How many lines are folded.
    pub fn count(&self) -> usize {
        self.members.len() - self.free.len()
    }
}

/// What a member adds: how much it grew, or all of it where it began anew. What was there when folding `begun` adds
/// nothing, as nobody knows when it grew; what came later began since the page before.
fn grown(last: f64, now: f64, begun: bool) -> f64 {
    if now.is_nan() {
        0.0
    } else if last.is_nan() {
        if begun { now } else { 0.0 }
    } else if now >= last {
        now - last
    } else {
        now
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
