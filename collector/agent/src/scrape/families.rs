//! The families that a target's series belong to.

use taffrail_wire::remote_write::MetricKind;

use crate::metrics::record::Family;

/// Families that may be known beyond two for every series.
pub(super) const SPARE: usize = 64;

/// Families, numbered.
#[derive(Debug, Default)]
pub(super) struct Families(Vec<Known>);

#[derive(Debug)]
struct Known {
    name: Box<str>,
    kind: MetricKind,
    help: Box<str>,
    unit: Box<str>,
}

impl Families {
    /// The number of a family.
    pub(super) fn number(&mut self, family: Family<'_>) -> u32 {
        let Family { name, kind, help, unit } = family;
        // A page's series come family by family: the last one is nearly always it.
        let same = |known: &Known| {
            *known.name == *name && known.kind == kind && *known.help == *help && *known.unit == *unit
        };
        if let Some(at) = self.0.iter().rposition(same) {
            return at as u32;
        }
        self.0.push(Known { name: name.into(), kind, help: help.into(), unit: unit.into() });
        (self.0.len() - 1) as u32
    }

    /// The family of a number.
    pub(super) fn get(&self, number: u32) -> Family<'_> {
        let Known { name, kind, help, unit } = &self.0[number as usize];
        Family { name, kind: *kind, help, unit }
    }

    /// Forgets families that none of `used` is, once there are many: a page may change its help texts all the time. The
    /// others get new numbers.
    pub(super) fn forget<'a>(&mut self, series: usize, used: impl Iterator<Item = &'a mut u32>) {
        if self.0.len() <= 2 * series + SPARE {
            return;
        }
        let mut moved: Vec<Option<u32>> = vec![None; self.0.len()];
        let mut kept = Vec::new();
        let mut families: Vec<Option<Known>> = std::mem::take(&mut self.0).into_iter().map(Some).collect();
        for number in used {
            let at = *number as usize;
            if let Some(family) = families[at].take() {
                moved[at] = Some(kept.len() as u32);
                kept.push(family);
            }
            *number = moved[at].unwrap_or_default();
        }
        self.0 = kept;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
