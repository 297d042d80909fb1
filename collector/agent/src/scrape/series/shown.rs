//! What others may know of a series that stands on a page.

use taffrail_wire::relabel::Labels;

use super::{Index, Series};
use crate::metrics::record::Family;
use crate::status::lock;

impl Series {
    /// The family and the labels of a series.
    pub(in crate::scrape) fn shown(&self, index: Index) -> Option<(Family<'_>, Labels)> {
        let known = self.known.get(index as usize)?.as_ref()?;
        let interner = lock(self.interner.as_ref()?);
        let labels = interner.labels(&known.labels).collect();
        Some((self.families.get(known.family), labels))
    }

    /// Whether there is such a series still.
    pub(in crate::scrape) fn is_known(&self, index: Index) -> bool {
        self.known.get(index as usize).is_some_and(Option::is_some)
    }
}
