//! What is done every other second: sizes and lags go to the board, budgets are looked at, and cursors that nobody wants
//! any more go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use taffrail_spool::{Log, LogStats};
use tracing::{info, warn};

use super::{Shared, budgets};
use crate::component::Key;
use crate::logs::Notes;
use crate::metrics::Cardinality;
use crate::metrics::budget::Budgets;
use crate::status::{LogStatus, lock};

const EVERY: Duration = Duration::from_secs(2);
/// How long the cursor of an output that is gone is kept, should the output come back.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Runs until it is dropped.
pub(super) async fn housekeeping(shared: Shared, cardinality: Arc<Cardinality>, notes: Notes) {
    let mut series = Budgets::default();
    let places = logs(&shared).map(|(name, log)| {
        let status = LogStatus { name, ..Default::default() };
        (log, shared.board.log(Key::new("log", name), status))
    });
    loop {
        // By cursor: those of one output have one name in all logs that it reads.
        let mut lags: BTreeMap<String, (u64, Duration)> = BTreeMap::new();
        for (log, place) in &places {
            let stats = log.stats();
            let mut status = lock(place);
            status.bytes = stats.held.bytes;
            status.max_bytes = stats.capacity_bytes;
            status.records = stats.appended.records;
            status.dropped = dropped(&stats);
            status.blocked = blocked(&stats);
            drop(status);
            for cursor in &stats.cursors {
                let (records, age) = lags.entry(cursor.name.clone()).or_default();
                *records += cursor.lag.records;
                *age = cursor.lag_age.max(*age);
            }
            forget(log.as_ref(), &stats, shared.clock.now_ms());
        }
        for (name, (records, age)) in lags {
            shared.board.lag(&name, records, age.as_secs_f64());
        }
        budgets::look(&mut series, &cardinality, &shared.board, &notes);
        tokio::time::sleep(EVERY).await;
    }
}

/// The logs by name.
pub(super) fn logs(shared: &Shared) -> [(&'static str, Arc<dyn Log>); 3] {
    let [(name, others), (kept_name, kept)] = shared.logs.named();
    [("metrics", shared.metrics.clone()), (name, others.clone()), (kept_name, kept.clone())]
}

/// What the outputs have not delivered, in words, by log and cursor.
pub(super) fn remaining(shared: &Shared) -> Vec<String> {
    let mut left = Vec::new();
    for (name, log) in logs(shared) {
        for cursor in log.stats().cursors.iter().filter(|cursor| cursor.lag.records > 0) {
            let (records, bytes) = (cursor.lag.records, cursor.lag.bytes);
            left.push(format!("{name} for {}: {records} records, {bytes} bytes", cursor.name));
        }
    }
    if !left.is_empty() {
        warn!("not delivered, kept for the next start: {}", left.join("; "));
    }
    left
}

fn dropped(stats: &LogStats) -> BTreeMap<String, u64> {
    let by_reason = [
        ("full", stats.dropped_full),
        ("age", stats.dropped_age),
        ("disk", stats.dropped_disk),
        ("too_large", stats.dropped_too_large),
        ("torn", stats.torn),
        ("corrupt", stats.corrupt),
    ];
    by_reason.into_iter().map(|(reason, tally)| (reason.to_owned(), tally.records)).collect()
}

fn blocked(stats: &LogStats) -> Option<String> {
    let why = stats.last_error.as_ref().map_or("the disk takes no writes", |(_, what)| what.as_str());
    stats.disk_blocked.then(|| why.to_owned())
}

/// A cursor that nobody reads holds back everything behind it.
fn forget(log: &dyn Log, stats: &LogStats, now_ms: i64) {
    let gone = |seen_ms: i64| now_ms.saturating_sub(seen_ms) > KEPT.as_millis() as i64;
    for cursor in stats.cursors.iter().filter(|cursor| !cursor.open && gone(cursor.seen_ms)) {
        let (name, lag) = (&cursor.name, cursor.lag.records);
        info!("the output {name} has been gone for a day: the {lag} records that wait for it are given up");
        log.remove_cursor(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::Clock;
    use taffrail_spool::{MemoryLog, MemoryOptions, Start};

    #[test]
    fn the_cursor_of_an_output_that_is_gone_goes_after_a_day() {
        let clock = Clock::manual(1_700_000_000_000_000_000);
        let log = MemoryLog::new(MemoryOptions::default(), clock.clone());
        let kept = log.cursor("kept", Start::Oldest).unwrap();
        drop(log.cursor("gone", Start::Oldest).unwrap());
        let names = || log.stats().cursors.into_iter().map(|cursor| cursor.name).collect::<Vec<_>>();
        forget(&log, &log.stats(), clock.now_ms());
        assert_eq!(names().len(), 2);
        clock.advance(KEPT + EVERY);
        forget(&log, &log.stats(), clock.now_ms());
        assert_eq!(names(), ["kept"]);
        drop(kept);
    }
}
