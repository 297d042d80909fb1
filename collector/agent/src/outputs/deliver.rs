//! The one loop that delivers: it reads a cursor, sends, obeys the verdict, and moves the cursor.

use std::future::Future;
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_spool::{Cursor, Peeked, Position, Record};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::verdict::{Fate, OUT_OF_ORDER, Verdict};
use crate::status::{Failure, OutputStatus, Place, lock};

/// A batch to send.
#[derive(Debug)]
pub struct Ready<B> {
    /// The batch.
    pub batch: B,
    /// What may be committed when it is settled; nothing while it holds only a part of its last record.
    pub upto: Option<Position>,
}

/// Sends batches of one kind to one receiver.
pub trait Delivery: Send {
    /// What is sent in one request.
    type Batch: Send;

    /// The most bytes of records that are read at once.
    const PEEK_BYTES: usize;

    /// How long to wait for more once there is something, so that what is made together travels together.
    const LINGER: Duration;

    /// Makes batches of records, in order. What does not read as a record is left out, with an error for each.
    fn read(&mut self, records: &[Record]) -> (Vec<Ready<Self::Batch>>, Vec<String>);

    /// How many samples or entries a batch has.
    fn len(batch: &Self::Batch) -> u64;

    /// The batch in two, in order; a batch of one comes back whole.
    fn split(batch: Self::Batch) -> Result<(Self::Batch, Self::Batch), Self::Batch>;

    /// Sends a batch, knowing what is known of earlier attempts. Also says how many bytes travelled.
    fn send(&mut self, batch: &Self::Batch, fate: Fate) -> impl Future<Output = (Verdict, u64)> + Send;
}

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Delivers until the log is closed and empty, or until `leave`. What a cursor has not committed stays in the log.
pub async fn deliver<D: Delivery>(
    mut output: D,
    mut cursor: Cursor,
    status: Place<OutputStatus>,
    clock: Clock,
    leave: CancellationToken,
) {
    let work = async {
        // The process before this one may have sent what it had no time to commit.
        let mut earlier = Fate::Unknown;
        while let Some(peeked) = next(&mut cursor, D::PEEK_BYTES, D::LINGER).await {
            let (batches, errors) = output.read(&peeked.records);
            for error in errors {
                warn!(output = %lock(&status).name, %error, "a record cannot be read and is left out");
                *lock(&status).lost.entry("unreadable".into()).or_default() += 1;
            }
            for Ready { batch, upto } in batches {
                settle(&mut output, batch, earlier, &status, &clock).await;
                earlier = Fate::NotStored;
                if let Some(upto) = upto {
                    cursor.commit(upto);
                }
            }
            cursor.commit(peeked.upto);
        }
    };
    tokio::select! {
        () = leave.cancelled() => {}
        () = work => {}
    }
}

/// The next records: what is there, and what comes within `linger`.
async fn next(cursor: &mut Cursor, bytes: usize, linger: Duration) -> Option<Peeked> {
    let mut peeked = cursor.peek(bytes).await?;
    // Who is behind has enough to send, and no time to wait.
    let full = peeked.records.iter().map(|record| record.bytes.len()).sum::<usize>() * 2 > bytes;
    if linger.is_zero() || full {
        return Some(peeked);
    }
    tokio::time::sleep(linger).await;
    if let Some(more) = cursor.try_peek(bytes) {
        peeked.records.extend(more.records);
        peeked.upto = more.upto;
    }
    Some(peeked)
}

/// Sends a batch, and its parts where the receiver wants parts, until all of it is stored or known to be lost.
async fn settle<D: Delivery>(
    output: &mut D,
    batch: D::Batch,
    earlier: Fate,
    status: &Place<OutputStatus>,
    clock: &Clock,
) {
    let mut work = vec![(batch, earlier)];
    let mut wait = FIRST_WAIT;
    while let Some((batch, fate)) = work.pop() {
        let (verdict, bytes) = output.send(&batch, fate).await;
        lock(status).sent_bytes += bytes;
        if !matches!(verdict, Verdict::Retry { .. }) {
            arrived(status);
            wait = FIRST_WAIT;
        }
        match verdict {
            Verdict::Done => delivered(status, clock, D::len(&batch)),
            Verdict::Partial { refused, reason, message } => {
                delivered(status, clock, D::len(&batch).saturating_sub(refused));
                if reason == OUT_OF_ORDER && fate == Fate::Unknown {
                    lock(status).resent += refused;
                } else {
                    lost(status, clock, refused, reason, &message);
                }
            }
            Verdict::Downgrade { .. } => work.push((batch, fate)),
            Verdict::Retry { after, cause, fate: this } => {
                retrying(status, clock, &cause);
                // A receiver may ask for more time, never for none.
                let least = jittered(wait, clock);
                tokio::time::sleep(after.map_or(least, |after| after.max(least))).await;
                wait = (wait * 2).min(LONGEST_WAIT);
                work.push((batch, fate.max(this)));
            }
            Verdict::Split => match D::split(batch) {
                Ok((first, second)) => work.extend([(second, fate), (first, fate)]),
                Err(whole) => lost(status, clock, D::len(&whole), "too_large", "too large even alone"),
            },
            Verdict::Reject { reason, message } => match D::split(batch) {
                Ok((first, second)) => work.extend([(second, fate), (first, fate)]),
                // An earlier attempt of unknown fate has stored it: refused because it is there already.
                Err(whole) if reason == OUT_OF_ORDER && fate == Fate::Unknown => {
                    lock(status).resent += D::len(&whole);
                }
                Err(whole) => lost(status, clock, D::len(&whole), reason, &message),
            },
        }
    }
}

/// Up to a quarter more, so that many collectors do not come back to a receiver at one moment.
fn jittered(wait: Duration, clock: &Clock) -> Duration {
    let spread = (wait.as_millis() as u64 / 4).max(1);
    wait + Duration::from_millis(clock.now_ns() as u64 / 1000 % spread)
}

fn delivered(status: &Place<OutputStatus>, clock: &Clock, count: u64) {
    let mut status = lock(status);
    status.delivered += count;
    status.last_delivery_ms = clock.now_ms();
}

fn lost(status: &Place<OutputStatus>, clock: &Clock, count: u64, reason: &str, message: &str) {
    let mut status = lock(status);
    let before = status.lost.get(reason).copied().unwrap_or_default();
    let total = before + count;
    // Said at the first, then at every doubling: a receiver that refuses all does not fill our own log.
    if before.checked_ilog2() != total.checked_ilog2() {
        warn!(kind = status.kind, output = %status.name, reason, total, "refused and lost: {message}");
    }
    status.lost.insert(reason.to_owned(), total);
    status.last_error =
        Some(Failure { at_ms: clock.now_ms(), text: format!("{count} refused ({reason}): {message}") });
}

fn retrying(status: &Place<OutputStatus>, clock: &Clock, cause: &str) {
    let mut status = lock(status);
    status.retries += 1;
    if status.retrying.is_none() {
        warn!(kind = status.kind, output = %status.name, "not delivered, trying again, nothing is lost: {cause}");
    }
    status.retrying = Some(cause.to_owned());
    status.last_error = Some(Failure { at_ms: clock.now_ms(), text: cause.to_owned() });
}

fn arrived(status: &Place<OutputStatus>) {
    let mut status = lock(status);
    if status.retrying.take().is_some() {
        info!(kind = status.kind, output = %status.name, "delivers again");
    }
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
