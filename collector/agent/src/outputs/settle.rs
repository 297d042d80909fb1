//! Settles one batch: sends it, obeys the verdicts, and ends when all of it is stored or known to be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use taffrail_core::Clock;
use tokio::sync::{Mutex, MutexGuard};
use tracing::{info, warn};

use super::deliver::Delivery;
use super::verdict::{Fate, OUT_OF_ORDER, Refused, Verdict};
use crate::status::{Failure, OutputStatus, Place, lock};

pub(super) const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What all shards and lanes of one output share.
#[derive(Clone, Debug)]
pub(super) struct Common(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    status: Place<OutputStatus>,
    clock: Clock,
    /// Somebody tries again. Who else wants to send waits for what comes of it: a receiver that is away is asked by one
    /// request at a time, and one that says when to come back is left alone until then.
    troubled: AtomicBool,
    trying: Mutex<()>,
    /// That it is tried again was said at this time, and that it delivers again was not said since.
    said: std::sync::Mutex<Said>,
    /// How long the receiver takes for an answer, in microseconds, smoothed.
    answer_us: AtomicU64,
}

/// What was said of a receiver, in our own log.
#[derive(Debug, Default)]
struct Said {
    /// When it was said last that it is tried again.
    at: Option<Duration>,
    /// That it delivers again is still to be said.
    open: bool,
}

/// A receiver that refuses now and then, for its limits, is not said to do so more often than this.
const SAID: Duration = Duration::from_secs(60);

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it was stored.
    Whole,
    /// Some of it came too late: newer samples were there. None of it had been sent before.
    TooLate,
    /// Some of it was lost, or had been sent before.
    Other,
}

impl Common {
    pub(super) fn new(status: Place<OutputStatus>, clock: Clock) -> Self {
        let (troubled, trying, said, answer_us) = Default::default();
        Common(Arc::new(Inner { status, clock, troubled, trying, said, answer_us }))
    }

    pub(super) fn status(&self) -> std::sync::MutexGuard<'_, OutputStatus> {
        lock(&self.0.status)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Whether the receiver answers, as far as is known.
    pub(super) fn is_calm(&self) -> bool {
        !self.0.troubled.load(Ordering::Relaxed)
    }

    /// How long the receiver takes for an answer.
    pub(super) fn answer_time(&self) -> Duration {
        Duration::from_micros(self.0.answer_us.load(Ordering::Relaxed))
    }

    fn took(&self, time: Duration) {
        let us = time.as_micros().min(u128::from(u64::MAX)) as u64;
        let before = self.0.answer_us.load(Ordering::Relaxed);
        let smooth = if before == 0 { us } else { before - before / 4 + us / 4 };
        self.0.answer_us.store(smooth, Ordering::Relaxed);
    }
}

/// Sends a batch, and its parts where the receiver wants parts, until all of it is stored or known to be lost.
pub(super) async fn settle<D: Delivery>(
    output: &mut D,
    batch: D::Batch,
    earlier: Fate,
    common: &Common,
) -> Outcome {
    let mut work = vec![(batch, earlier)];
    let mut outcome = Outcome::Whole;
    let mut turn: Option<MutexGuard<'_, ()>> = None;
    let mut wait = FIRST_WAIT;
    while let Some((batch, fate)) = work.pop() {
        if turn.is_none() && !common.is_calm() {
            drop(common.0.trying.lock().await);
        }
        let begun = common.clock().monotonic();
        let (verdict, bytes) = output.send(&batch, fate).await;
        common.sent(bytes);
        if !matches!(verdict, Verdict::Retry { .. } | Verdict::Rest { wait: Some(_), .. }) {
            common.took(common.clock().monotonic().saturating_sub(begun));
            common.arrived();
            turn = None;
            wait = FIRST_WAIT;
        }
        match verdict {
            Verdict::Done => common.delivered(D::len(&batch)),
            Verdict::Partial { refused, reason, message } => {
                common.delivered(D::len(&batch).saturating_sub(refused));
                outcome = common.refused(refused, fate, reason, &message);
            }
            Verdict::Downgrade { .. } => work.push((batch, fate)),
            Verdict::Retry { after, cause, fate: this } => {
                work.push((batch, fate.max(this)));
                common.pause(&cause, after, &mut turn, &mut wait).await;
            }
            Verdict::Rest { stored, refused, wait: waits } => {
                if stored > 0 {
                    common.delivered(stored);
                    wait = FIRST_WAIT;
                }
                for Refused { count, reason, message } in refused {
                    outcome = common.refused(count, fate, reason, &message);
                }
                work.extend(output.rest().into_iter().rev());
                if let Some((cause, after)) = waits {
                    common.pause(&cause, after, &mut turn, &mut wait).await;
                }
            }
            Verdict::Split => match D::split(batch) {
                Ok((first, second)) => work.extend([(second, fate), (first, fate)]),
                Err(whole) => {
                    outcome = common.refused(D::len(&whole), fate, "too_large", "too large even alone");
                }
            },
            Verdict::Reject { reason, message } => match D::split(batch) {
                Ok((first, second)) => work.extend([(second, fate), (first, fate)]),
                Err(whole) => outcome = common.refused(D::len(&whole), fate, reason, &message),
            },
        }
    }
    outcome
}

impl Common {
    /// Waits before something is tried again.
    async fn pause<'a>(
        &'a self,
        cause: &str,
        after: Option<Duration>,
        turn: &mut Option<MutexGuard<'a, ()>>,
        wait: &mut Duration,
    ) {
        self.retrying(cause);
        if turn.is_none() {
            let got = self.0.trying.lock().await;
            if self.is_calm() {
                // Somebody else got through while this one waited for its turn.
                return;
            }
            *turn = Some(got);
        }
        // A receiver may ask for more time, never for none.
        let least = self.jittered(*wait);
        tokio::time::sleep(after.map_or(least, |after| after.max(least))).await;
        *wait = (*wait * 2).min(LONGEST_WAIT);
    }

    /// What was refused is lost, unless an earlier attempt of unknown fate has stored it: then it was refused because it
    /// is there already.
    fn refused(&self, count: u64, fate: Fate, reason: &str, message: &str) -> Outcome {
        if reason == OUT_OF_ORDER && fate == Fate::Unknown {
            self.status().resent += count;
            return Outcome::Other;
        }
        self.lost(count, reason, message);
        if reason == OUT_OF_ORDER { Outcome::TooLate } else { Outcome::Other }
    }

    /// Up to a quarter more, so that many collectors do not come back to a receiver at one moment.
    pub(super) fn jittered(&self, wait: Duration) -> Duration {
        let spread = (wait.as_millis() as u64 / 4).max(1);
        wait + Duration::from_millis(self.clock().now_ns() as u64 / 1000 % spread)
    }

    pub(super) fn sent(&self, bytes: u64) {
        let mut status = self.status();
        status.sent_bytes += bytes;
        status.requests += 1;
    }

    pub(super) fn delivered(&self, count: u64) {
        let mut status = self.status();
        status.delivered += count;
        status.last_delivery_ms = self.clock().now_ms();
    }

    pub(super) fn lost(&self, count: u64, reason: &str, message: &str) {
        let mut status = self.status();
        let before = status.lost.get(reason).copied().unwrap_or_default();
        let total = before + count;
        // Said at the first, then at every doubling: a receiver that refuses all does not fill our own log.
        if before.checked_ilog2() != total.checked_ilog2() {
            warn!(kind = status.kind, output = %status.name, reason, total, "refused and lost: {message}");
        }
        status.lost.insert(reason.to_owned(), total);
        let text = format!("{count} refused ({reason}): {message}");
        status.last_error = Some(Failure { at_ms: self.clock().now_ms(), text });
    }

    pub(super) fn retrying(&self, cause: &str) {
        let mut status = self.status();
        status.retries += 1;
        let now = self.0.clock.monotonic();
        let mut said = lock(&self.0.said);
        let lately = said.at.is_some_and(|at| now.saturating_sub(at) < SAID);
        if status.retrying.is_none() && !lately {
            *said = Said { at: Some(now), open: true };
            let (kind, output) = (status.kind, &status.name);
            warn!(kind, %output, "not delivered, trying again, nothing is lost: {cause}");
        }
        status.retrying = Some(cause.to_owned());
        status.last_error = Some(Failure { at_ms: self.clock().now_ms(), text: cause.to_owned() });
        self.0.troubled.store(true, Ordering::Relaxed);
    }

    pub(super) fn arrived(&self) {
        self.0.troubled.store(false, Ordering::Relaxed);
        let mut status = self.status();
        if status.retrying.take().is_some() && std::mem::take(&mut lock(&self.0.said).open) {
            info!(kind = status.kind, output = %status.name, "delivers again");
        }
    }
}
