//! Keeping positions: what is noted as it happens, what is settled, and what is saved now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::book::Book;
use super::loss::{Loss, Why};
use super::promtail::Promtail;
use super::receipts::Receipt;
use super::record::Record;
use super::source::Source;

/// Positions are saved at most so often.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How long until positions that could not be read are tried again.
const HOLD: Duration = Duration::from_secs(5);

impl Source {
    /// Notes a record for the journal.
    pub(super) fn note(&mut self, record: &Record) {
        if let Some(book) = &mut self.book {
            book.note(record);
        }
    }

    /// Writes what was noted. An error is said, and does not stop the source: what a crash would cost then is that
    /// lines are sent twice, and never that they are lost.
    pub(super) fn write(&mut self) {
        let tenure = self.tenure.clone();
        let Some(_writing) = tenure.hold() else { return };
        if let Some(Err(e)) = self.book.as_mut().map(Book::write) {
            self.complain(format!("cannot note what was read, so a crash would send it again: {e}"));
        }
    }

    pub(super) fn take_up(&mut self) {
        let now = self.clock.monotonic();
        let promtail = self.positions_from.as_deref().map_or(Ok(Promtail::default()), Promtail::read);
        match promtail.and_then(|promtail| Ok((promtail, Book::open(&self.state)?))) {
            Ok((promtail, (book, memory))) => {
                self.promtail = promtail;
                self.book = Some(book);
                self.resume(memory, now);
                self.hold_no_longer();
                self.save();
            }
            Err(why) => {
                self.hold_until = now + HOLD;
                self.hold(why);
            }
        }
    }

    /// Takes note of what was settled meanwhile, in the journal too.
    pub(super) fn settle(&mut self) {
        let mut fetched = std::mem::take(&mut self.fetched);
        self.receipts.fetch(&mut fetched);
        let (mut moved, mut lost) = (BTreeSet::new(), BTreeMap::new());
        for Receipt { id, number, settled } in fetched.drain(..) {
            let Some(file) = self.files.get_mut(&id) else {
                self.gap_ended(id, settled);
                continue;
            };
            if settled {
                if file.tracker.settled(number) {
                    moved.insert(id);
                }
                continue;
            }
            file.tracker.returned(number);
            file.retry_at = self.clock.monotonic() + Duration::from_secs(1);
            if file.handle.is_none() {
                moved.insert(id);
                let from_ns = file.tracker.due_ns().unwrap_or(0);
                let (from, bytes) = lost.entry(file.name.clone()).or_insert((from_ns, 0));
                *from = from_ns.min(*from);
                *bytes += file.tracker.give_up_due();
            }
        }
        self.fetched = fetched;
        for id in moved {
            let upto = self.files[&id].tracker.position();
            self.note(&Record::Settled { id, upto });
        }
        for (name, (from_ns, bytes)) in lost {
            self.lose(Loss { name: &name, bytes, why: Why::Gone, from_ns, at: None });
        }
        self.write();
    }

    pub(super) fn keep(&mut self, now: Duration) {
        let due = now >= self.save_at || self.book.as_ref().is_some_and(Book::is_long);
        if due && self.book.as_ref().is_some_and(Book::wants_save) {
            self.save();
            // A slow disk, or very many files, may not keep the source from reading.
            let took = self.clock.monotonic().saturating_sub(now);
            self.save_at = now + SAVE_EVERY.max(took * 20);
        }
    }

    pub(super) fn save(&mut self) {
        let tenure = self.tenure.clone();
        let Some(_writing) = tenure.hold() else { return };
        // What came after the last look is not known yet, so that the next run has to look for it.
        let head = Record::Head { saved_ns: self.looked_ns, globs: self.globs, next_id: self.next_id };
        let Some(book) = &mut self.book else { return };
        let streams = &self.streams;
        let files = self.files.values().flat_map(|file| {
            let last_ns = streams.get(&file.name).map_or(0, |stream| stream.last_ns);
            let marks = file.tracker.marks().map(|mark| Record::Mark { id: file.id, mark: *mark });
            [Record::File(file.entry(last_ns))].into_iter().chain(marks)
        });
        let missing = self.earlier.files.values().flat_map(|(entry, marks)| {
            let marks = marks.iter().map(|mark| Record::Mark { id: entry.id, mark: *mark });
            [Record::File(entry.clone())].into_iter().chain(marks)
        });
        let saved = book.save([head].into_iter().chain(files).chain(missing).chain(self.gaps.records()));
        let failed_before = std::mem::replace(&mut self.save_failing, saved.is_err());
        if let Err(e) = saved
            && !failed_before
        {
            self.complain(format!("cannot save positions, so a crash would send lines again: {e}"));
        }
    }
}
