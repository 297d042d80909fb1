//! Lines that are parts of a folded series.

use taffrail_wire::page::Key;
use taffrail_wire::relabel::Labels;

use super::{Line, Place, Series};
use crate::metrics::Writer;
use crate::metrics::record::Family;
use crate::scrape::fold::{Folds, Member};
use crate::scrape::taken::{Sample, Taken};

impl Series {
    /// Who decides which lines are folded.
    pub fn folds(&mut self) -> &mut Folds {
        &mut self.folds
    }

    /// Remembers that a line is part of the series with these labels.
    pub fn insert_part(&mut self, key: Key, labels: &Labels, family: Family<'_>, writer: &Writer) -> Line {
        let index = self.series(labels, family, writer);
        if let Some(known) = self.known[index as usize].as_mut() {
            known.lines += 1;
        }
        let line = Line::part(self.folds.add(index));
        self.lines.insert(key, line);
        line
    }

    /// Remembers that folding has no use for a line.
    pub fn leave_out(&mut self, key: Key) -> Line {
        self.lines.insert(key, Line::LEFT_OUT);
        Line::LEFT_OUT
    }

    /// A part of a folded series is on this page. Whether it was not on it before.
    pub fn see_part(&mut self, member: Member, value: f64) -> bool {
        self.folds.see(member, value)
    }

    /// The page is good: adds the samples of folded series to what was taken of it.
    pub fn add_up(&mut self, taken: &mut Taken, now_ms: i64) {
        for (series, value) in self.folds.add_up() {
            if self.place(series, now_ms, false) != Place::Late {
                self.see(series, now_ms, value);
                taken.samples.push(Sample { series, ts_ms: now_ms, value, tracked: true, own: false });
            }
        }
    }
}
