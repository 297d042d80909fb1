//! The entries that the lines of a chunk make.

use super::{Follower, Join, Step};
use crate::format::{Record, SLOTS};

/// Records whose lines were joined; as they are, where nothing is to be joined.
#[derive(Debug)]
pub struct Entries<'j, 'a, I> {
    follower: Option<Follower<'j>>,
    records: I,
    open: [Option<Record<'a>>; SLOTS],
    /// Those that are complete, before any further line is looked at.
    done: [Option<Record<'a>>; SLOTS],
    split: u64,
}

impl<'j, 'a, I: Iterator<Item = Record<'a>>> Entries<'j, 'a, I> {
    /// Joins the lines of `records`. What is open at their end is complete. An entry has the times of its first line.
    pub fn new(join: Option<&'j Join>, records: I) -> Self {
        let none = [const { None }; SLOTS];
        Entries {
            follower: join.map(Follower::new),
            records,
            open: none,
            done: [const { None }; SLOTS],
            split: 0,
        }
    }

    /// How often an entry was too long, so that what followed became another one.
    pub fn split(&self) -> u64 {
        self.split
    }
}

impl<'a, I: Iterator<Item = Record<'a>>> Iterator for Entries<'_, 'a, I> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        // Where nothing is to be joined, nothing is ever open.
        let Some(follower) = &mut self.follower else { return self.records.next() };
        loop {
            if let Some(record) = earliest(&mut self.done) {
                return Some(record);
            }
            let Some(record) = self.records.next() else { return earliest(&mut self.open) };
            let Step { slot, ended, full } = follower.follow(&record);
            self.split += u64::from(full);
            for ((open, done), ended) in self.open.iter_mut().zip(&mut self.done).zip(ended) {
                if ended {
                    *done = open.take();
                }
            }
            match &mut self.open[slot] {
                None => self.open[slot] = Some(record),
                Some(open) => {
                    let text = open.line.to_mut();
                    text.push('\n');
                    text.push_str(&record.line);
                }
            }
        }
    }
}

/// Takes the one that was read first.
fn earliest<'a>(records: &mut [Option<Record<'a>>; SLOTS]) -> Option<Record<'a>> {
    let there = records.iter_mut().filter(|record| record.is_some());
    there.min_by_key(|record| record.as_ref().map(|record| record.read_ns))?.take()
}
