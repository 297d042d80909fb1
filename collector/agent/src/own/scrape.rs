//! Own metrics of scrape jobs: a bounded number of series a job, whatever its targets do.

use taffrail_core::Out;

use super::{
    DISCOVERY_PROBLEMS, SCRAPE_ADDED, SCRAPE_BYTES, SCRAPE_FAILURES, SCRAPE_FOLDED, SCRAPE_HELD, SCRAPE_KEPT,
    SCRAPE_LEFT_OUT, SCRAPE_MEMORY, SCRAPE_SAMPLES, SCRAPE_SECONDS, SCRAPE_WAITING, SCRAPE_WAITS, SCRAPES,
    TARGETS, TARGETS_DROPPED,
};
use crate::status::Snapshot;

/// What pages take up. Without jobs there are none.
pub(super) fn room(snapshot: &Snapshot, out: &mut Out) {
    if snapshot.jobs.is_empty() {
        return;
    }
    let room = snapshot.scrape_room;
    out.put(&SCRAPE_HELD, [], room.held_bytes as f64);
    out.put(&SCRAPE_MEMORY, [], room.max_bytes as f64);
    out.put(&SCRAPE_WAITING, [], room.waiting as f64);
    out.put(&SCRAPE_WAITS, [], room.waits as f64);
}

pub(super) fn jobs(snapshot: &Snapshot, out: &mut Out) {
    for job in &snapshot.jobs {
        let (name, counts) = (job.name.as_str(), &job.counts);
        for (state, targets) in [("up", job.up), ("down", job.down), ("unknown", job.unknown)] {
            out.put(&TARGETS, [name, state], targets as f64);
        }
        out.put(&TARGETS_DROPPED, [name], job.dropped as f64);
        out.put(&DISCOVERY_PROBLEMS, [name], job.problems.len() as f64);
        out.put(&SCRAPES, [name], counts.scrapes as f64);
        for (stage, failures) in &counts.failures {
            out.put(&SCRAPE_FAILURES, [name, stage.name()], *failures as f64);
        }
        out.put(&SCRAPE_SECONDS, [name], counts.seconds);
        out.put(&SCRAPE_BYTES, [name], counts.bytes as f64);
        out.put(&SCRAPE_SAMPLES, [name], counts.samples as f64);
        out.put(&SCRAPE_KEPT, [name], counts.kept as f64);
        out.put(&SCRAPE_ADDED, [name], counts.added as f64);
        if job.folded > 0 {
            out.put(&SCRAPE_FOLDED, [name], job.folded as f64);
        }
        for (reason, left_out) in [("not_newer", counts.not_newer), ("ahead", counts.ahead)] {
            if left_out > 0 {
                out.put(&SCRAPE_LEFT_OUT, [name, reason], left_out as f64);
            }
        }
    }
}
