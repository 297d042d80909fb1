//! The books of a door: what came, what was turned away, what is not settled yet, what was lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::note::Level;
use taffrail_core::{Clock, Note};
use taffrail_spool::{Settled, Ticket};
use tokio::sync::{Notify, oneshot};

use crate::logs::Notes;
use crate::status::{Failure, SourceStatus, lock};

/// Losses are told at most so often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The books, shared by all tasks of a door.
#[derive(Clone, Debug)]
pub struct Books(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    clock: Clock,
    status: Arc<Mutex<SourceStatus>>,
    notes: Notes,
    unsettled: AtomicU64,
    settled: Notify,
    told: Mutex<Option<Duration>>,
}

impl Books {
    pub(super) fn new(name: &str, clock: Clock, status: Arc<Mutex<SourceStatus>>, notes: Notes) -> Self {
        let (unsettled, settled, told) = (AtomicU64::new(0), Notify::new(), Mutex::new(None));
        Books(Arc::new(Inner { name: name.to_owned(), clock, status, notes, unsettled, settled, told }))
    }

    /// Lines came and were taken.
    pub fn took(&self, lines: u64, bytes: u64, cut: u64) {
        let mut status = lock(&self.0.status);
        status.lines += lines;
        status.bytes += bytes;
        status.cut_lines += cut;
    }

    /// A connection began, or ended.
    pub fn connected(&self, more: bool) {
        let mut status = lock(&self.0.status);
        status.inputs = if more { status.inputs + 1 } else { status.inputs.saturating_sub(1) };
    }

    /// Something was turned away; whoever sent it knows.
    pub fn refused(&self, reason: &'static str) {
        *lock(&self.0.status).refused.entry(reason).or_default() += 1;
    }

    /// Shows what went wrong, without more ado.
    pub fn failed(&self, text: impl Into<String>) {
        let at_ms = self.0.clock.now_ms();
        lock(&self.0.status).last_error = Some(Failure { at_ms, text: text.into() });
    }

    /// Messages are gone for ever, and nobody else knows.
    pub fn lost(&self, reason: &'static str, messages: u64, bytes: u64, why: &str) {
        if messages == 0 {
            return;
        }
        let all = {
            let mut status = lock(&self.0.status);
            status.lost_bytes += bytes;
            let count = status.lost_messages.entry(reason).or_default();
            *count += messages;
            *count
        };
        let text = format!("{all} messages were lost since the start: {why}");
        self.failed(text.clone());
        let now = self.0.clock.monotonic();
        let mut told = lock(&self.0.told);
        if told.is_some_and(|told| now.saturating_sub(told) < TELL_EVERY) {
            return;
        }
        *told = Some(now);
        drop(told);
        tracing::warn!(source = self.0.name, "{text}");
        let facts = vec![
            ("source", self.0.name.clone()),
            ("reason", reason.to_owned()),
            ("messages", all.to_string()),
            ("why", why.to_owned()),
        ];
        self.0.notes.send(Note { level: Level::Error, event: "log_lost", text, facts });
    }

    /// A ticket for entries that nobody can send again. If the pipeline throws it away they are lost.
    pub fn ticket(&self, messages: u64, bytes: u64) -> Ticket {
        self.0.unsettled.fetch_add(bytes, Ordering::Relaxed);
        let mut open = Open { books: self.clone(), messages, bytes, settled: false };
        Ticket::new(move |_| open.settle())
    }

    /// A ticket for entries whose sender waits for the word, and sends them again where there is none.
    pub fn awaited_ticket(&self, bytes: u64) -> (Ticket, oneshot::Receiver<Settled>) {
        self.0.unsettled.fetch_add(bytes, Ordering::Relaxed);
        let open = Open { books: self.clone(), messages: 0, bytes, settled: true };
        let (word, awaited) = oneshot::channel();
        let ticket = Ticket::new(move |how| {
            drop(open);
            // Who has gone meanwhile does not want to know.
            let _ = word.send(how);
        });
        (ticket, awaited)
    }

    /// Shows what is not settled, and gives it.
    pub fn unsettled(&self) -> u64 {
        let unsettled = self.0.unsettled.load(Ordering::Relaxed);
        lock(&self.0.status).unsettled_bytes = unsettled;
        unsettled
    }

    /// Waits until the door's thread has ended and all is settled, at most so long; gives the bytes that are not.
    pub async fn wound_up(&self, ended: oneshot::Receiver<()>, by: Duration) -> u64 {
        let begun = self.0.clock.monotonic();
        let _ = tokio::time::timeout(by, ended).await;
        self.all_settled(by.saturating_sub(self.0.clock.monotonic().saturating_sub(begun))).await
    }

    async fn all_settled(&self, by: Duration) -> u64 {
        let waiting = async {
            loop {
                let settled = self.0.settled.notified();
                if self.unsettled() == 0 {
                    break;
                }
                // Looked at now and then as well: a word that came between the two is missed.
                let _ = tokio::time::timeout(Duration::from_millis(50), settled).await;
            }
        };
        let _ = tokio::time::timeout(by, waiting).await;
        self.unsettled()
    }
}

/// Entries on their way.
struct Open {
    books: Books,
    messages: u64,
    bytes: u64,
    settled: bool,
}

impl Open {
    fn settle(&mut self) {
        self.settled = true;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.books.0.unsettled.fetch_sub(self.bytes, Ordering::Relaxed);
        self.books.unsettled();
        self.books.0.settled.notify_waiters();
        if !self.settled {
            let why = "the pipeline gave them up before they were safe, which is a defect (see its log)";
            self.books.lost("given_up", self.messages, self.bytes, why);
        }
    }
}
