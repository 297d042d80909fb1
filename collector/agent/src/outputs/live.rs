//! The live lane: after an outage, what is new goes to the receiver at once, beside the backlog.
//!
//! It has a cursor of its own, which begins at the newest record. When the backlog's reader comes to where the lane
//! began, the lane ends, and what it has settled is read over and not sent again. The lane is only for receivers that
//! take samples out of order: it is asked for before it begins.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use taffrail_spool::{Log, Peeked, Position, Start};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::deliver::{Delivery, Feed, Step, Window, is_full};
use super::settle::{Common, Outcome};

/// How old the backlog is before the lane begins: what is younger is sent in a moment.
const OLD: Duration = Duration::from_secs(10);
/// How long a receiver that answers again has to be behind: most backlogs are gone by then, and one lane is enough.
const STILL: Duration = Duration::from_secs(1);
/// How long a receiver that takes nothing out of order is not asked again. It may be set otherwise one day.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How long one that did not say is not asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// The live lane of one output, while there is one.
pub(super) struct Live {
    log: Arc<dyn Log>,
    cursor: String,
    common: Common,
    running: Option<Running>,
    /// What lanes have settled and the backlog's reader has not passed yet.
    done: VecDeque<Range<Position>>,
    /// Since when the receiver answers and the backlog is old, and when its first record was appended.
    behind: Option<(Duration, i64)>,
    /// This and the time above are on the monotonic clock.
    not_before: Duration,
}

struct Running {
    from: Position,
    stop: CancellationToken,
    task: JoinHandle<Position>,
}

impl Live {
    /// Of the output that reads `log` with the cursor `name`.
    pub(super) fn new(log: Arc<dyn Log>, name: &str, common: Common) -> Self {
        let cursor = format!("{name}#live");
        // Of a process that was killed: what it marks as settled begins nobody knows where.
        log.remove_cursor(&cursor);
        let (running, done, behind, not_before) = Default::default();
        Live { log, cursor, common, running, done, behind, not_before }
    }

    /// Before the backlog's reader sends `peeked`: what the lane has settled is marked as known. Where the reader has
    /// come to the lane, the lane ends first.
    pub(super) async fn pass(&mut self, peeked: &mut Peeked) {
        if self.running.as_ref().is_some_and(|running| running.from < peeked.upto) {
            self.end().await;
        }
        for record in &mut peeked.records {
            record.replay |= self.done.iter().any(|done| done.contains(&record.position));
        }
        self.done.retain(|done| done.end > peeked.upto);
    }

    /// What became of a batch of the backlog.
    pub(super) fn heard(&mut self, outcome: Outcome) {
        let Some(running) = self.running.as_ref().filter(|_| outcome == Outcome::TooLate) else { return };
        if !running.stop.is_cancelled() {
            let name = self.common.status().name.clone();
            warn!(output = %name, "the receiver takes nothing out of order after all: first in, first out");
        }
        running.stop.cancel();
        self.not_before = self.common.clock().monotonic() + REMEMBERED;
    }

    /// Looks at what the backlog's reader has come to.
    pub(super) fn note<D: Delivery>(&mut self, peeked: &Peeked) {
        let old = first(peeked).filter(|first| self.age(*first) > OLD && is_full::<D>(peeked));
        let since = self.behind.map_or_else(|| self.common.clock().monotonic(), |(since, _)| since);
        self.behind = old.filter(|_| self.common.is_calm()).map(|first| (since, first));
    }

    /// Begins the lane where the receiver answers, the backlog is old all the same, and the receiver takes new samples
    /// before it.
    pub(super) async fn consider<D: Delivery>(&mut self, feed: &mut Feed<D>) {
        if self.running.as_ref().is_some_and(|running| running.task.is_finished()) {
            self.end().await;
        }
        let Some((since, first)) = self.behind.filter(|_| self.running.is_none()) else { return };
        let now = self.common.clock().monotonic();
        if now < self.not_before.max(since + STILL) || !self.common.is_calm() {
            return;
        }
        let age = self.age(first);
        let pause = match feed.output.window(age).await {
            Window::Open => return self.begin(feed.output.another(), age),
            Window::Closed => REMEMBERED,
            Window::Unknown => PAUSE,
        };
        self.not_before = now + pause;
    }

    fn age(&self, appended_ms: i64) -> Duration {
        age(&self.common, appended_ms)
    }

    fn begin<D: Delivery>(&mut self, output: D, age: Duration) {
        self.log.remove_cursor(&self.cursor);
        // Removed, so nobody can have it open.
        let Ok(cursor) = self.log.cursor(&self.cursor, Start::Newest) else { return };
        let feed = Feed::new(output, cursor, self.common.clone(), true);
        let (from, stop) = (feed.committed(), CancellationToken::new());
        let task = tokio::spawn(lane(feed, self.common.clone(), stop.clone()));
        self.running = Some(Running { from, stop, task });
        let mut status = self.common.status();
        status.live = true;
        let age_s = age.as_secs();
        info!(output = %status.name, age_s, "there is a backlog: what is new is sent beside it");
    }

    /// Ends the lane when all that it has read is settled.
    ///
    /// # Panics
    /// When the lane did: the output is made anew by who runs it.
    async fn end(&mut self) {
        let Some(running) = &mut self.running else { return };
        running.stop.cancel();
        let from = running.from;
        let to = match (&mut running.task).await {
            Ok(to) => to,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => from,
            },
        };
        self.close();
        if from < to {
            self.done.push_back(from..to);
        }
    }

    fn close(&mut self) {
        if let Some(running) = self.running.take() {
            running.task.abort();
            self.log.remove_cursor(&self.cursor);
            let mut status = self.common.status();
            (status.live, status.live_in_flight) = (false, 0);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

/// When the first record to be sent was appended.
fn first(peeked: &Peeked) -> Option<i64> {
    peeked.records.iter().find(|record| !record.replay).map(|record| record.appended_ms)
}

fn age(common: &Common, appended_ms: i64) -> Duration {
    let age_ms = common.clock().now_ms().saturating_sub(appended_ms);
    Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
}

/// Sends what is new, until it is stopped or old itself; gives the position up to which all is settled.
async fn lane<D: Delivery>(mut feed: Feed<D>, common: Common, stop: CancellationToken) -> Position {
    let mut stopping = false;
    while !(stopping && feed.is_idle()) {
        tokio::select! {
            () = stop.cancelled(), if !stopping => stopping = true,
            step = feed.step(!stopping) => match step {
                Step::Ended => break,
                Step::Settled(_) => {}
                // The receiver was away again: this is backlog by now, and a lane that begins anew is at the newest.
                Step::Read(peeked) if first(&peeked).is_some_and(|first| age(&common, first) > OLD) => {
                    stopping = true;
                }
                Step::Read(mut peeked) => {
                    feed.linger(&mut peeked).await;
                    feed.send(&peeked).await;
                }
            },
        }
    }
    feed.committed()
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
