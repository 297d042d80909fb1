//! What became of released chunks: tickets put it here from any thread, the source's thread fetches it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;

use taffrail_spool::Ticket;

use crate::status::lock;

/// The end of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The file's number.
    pub(crate) id: u64,
    /// The mark's number in the file.
    pub(crate) number: u64,
    /// False when the ticket was thrown away without a word: the lines are to be sent again.
    pub(crate) settled: bool,
}

/// The place where tickets report.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    waiting: Mutex<Vec<Receipt>>,
    reader: OnceLock<Thread>,
    eager: AtomicBool,
}

impl Receipts {
    /// A ticket for the mark `number` of the file `id`.
    pub(crate) fn ticket(self: &Arc<Self>, id: u64, number: u64) -> Ticket {
        let mut stub = Stub { receipts: self.clone(), receipt: Receipt { id, number, settled: false } };
        // Delivered, safe on disk, or dropped for a reason that was counted there: the bytes are done with.
        Ticket::new(move |_| stub.settle())
    }

    /// Moves all receipts into `into`.
    pub(crate) fn fetch(&self, into: &mut Vec<Receipt>) {
        into.append(&mut lock(&self.waiting));
    }

    /// Whether each receipt wakes the calling thread from now on. While it has other work it fetches them in passing.
    pub(crate) fn wake_for_each(&self, wake: bool) {
        self.reader.get_or_init(std::thread::current);
        self.eager.store(wake, Ordering::Release);
    }
}

struct Stub {
    receipts: Arc<Receipts>,
    receipt: Receipt,
}

impl Stub {
    fn settle(&mut self) {
        self.receipt.settled = true;
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        lock(&self.receipts.waiting).push(self.receipt);
        if self.receipts.eager.load(Ordering::Acquire)
            && let Some(reader) = self.receipts.reader.get()
        {
            reader.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use taffrail_spool::Settled;

    use super::*;

    #[test]
    fn a_ticket_reports_once_however_it_ends() {
        let receipts = Arc::new(Receipts::default());
        receipts.ticket(1, 2).settle(Settled::Delivered);
        drop(receipts.ticket(3, 4));
        let mut got = Vec::new();
        receipts.fetch(&mut got);
        let expected =
            [(1, 2, true), (3, 4, false)].map(|(id, number, settled)| Receipt { id, number, settled });
        assert_eq!(got, expected);
        receipts.fetch(&mut got);
        assert_eq!(got.len(), 2);
    }
}
