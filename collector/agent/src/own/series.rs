//! Own metrics of how many series there are: two for a job, and one more while it exceeds its budget.

use taffrail_core::Out;

use super::{EXPLODING, JOB_SERIES, JOB_SERIES_BUDGET, SERIES_BUDGET, SERIES_NOW};
use crate::metrics::Cardinality;
use crate::status::Snapshot;

pub(super) fn series(cardinality: &Cardinality, snapshot: &Snapshot, out: &mut Out) {
    let sizes = cardinality.sizes();
    out.put(&SERIES_NOW, [], sizes.iter().map(|size| size.series).sum::<usize>() as f64);
    if cardinality.budget() > 0 {
        out.put(&SERIES_BUDGET, [], cardinality.budget() as f64);
    }
    for size in &sizes {
        out.put(&JOB_SERIES, [&size.job], size.series as f64);
        if size.budget > 0 {
            out.put(&JOB_SERIES_BUDGET, [&size.job], size.budget as f64);
        }
    }
    for excess in snapshot.over_budget.iter().filter(|excess| !excess.all) {
        let labels = [&*excess.job, &*excess.cause.metric, &*excess.cause.label];
        out.put(&EXPLODING, labels, excess.cause.values as f64);
    }
}
