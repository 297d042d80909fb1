//! How far the lines of a file are whole entries.

use std::borrow::Cow;
use std::cell::Cell;

use super::{Follower, Join, Step};
use crate::format::{Format, Records, SLOTS};

/// How many bytes of some lines a reader may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// So many hold whole entries only: what begins behind them may go on.
    pub entries: usize,
    /// So many, where there is no room to wait: entries that are open end there, as few as can be.
    pub most: usize,
}

/// The lines of an entry: the first and the last.
type Extent = (usize, usize);

/// How far `bytes`, which hold these `lines`, each with its end, are whole entries.
pub fn whole<'a>(
    join: &Join,
    format: Format,
    bytes: &[u8],
    lines: impl Iterator<Item = Cow<'a, str>>,
) -> Whole {
    let read = Cell::new(0_usize);
    let counted = lines.inspect(|_| read.set(read.get() + 1));
    let mut follower = Follower::new(join);
    let (mut open, mut closed): ([Option<Extent>; SLOTS], Vec<Extent>) = ([None; SLOTS], Vec::new());
    // Times of reading count lines here.
    for record in Records::new(format, counted, 0) {
        let (first, last) = (usize::try_from(record.read_ns).unwrap_or(0), read.get() - 1);
        let Step { slot, ended, .. } = follower.follow(&record);
        for (open, ended) in open.iter_mut().zip(ended) {
            closed.extend(open.take_if(|_| ended));
        }
        match &mut open[slot] {
            Some((_, end)) => *end = last,
            open => *open = Some((first, last)),
        }
    }
    let mut open: Vec<Extent> = open.into_iter().flatten().collect();
    open.sort_unstable();
    let entries = open.first().map_or(read.get(), |(first, _)| before(*first, &closed));
    let mut most = entries;
    // The one that began last stays open, if the others may end.
    while let (0, Some((first, last))) = (most, open.pop()) {
        closed.extend(&open);
        most = before(first, &closed);
        closed.truncate(closed.len() - open.len());
        closed.push((first, last));
    }
    let most = if most == 0 { read.get() } else { most };
    Whole { entries: offset(bytes, entries), most: offset(bytes, most) }
}

/// The last line, not behind line `at`, before which each of these entries ends or begins.
fn before(at: usize, entries: &[Extent]) -> usize {
    let mut all: Vec<&Extent> = entries.iter().filter(|(first, _)| *first < at).collect();
    all.sort_unstable_by(|one, other| other.cmp(one));
    all.into_iter().fold(at, |at, (first, last)| if *last >= at { *first } else { at })
}

/// Where a line begins, by its number.
fn offset(bytes: &[u8], line: usize) -> usize {
    match line.checked_sub(1) {
        None => 0,
        Some(before) => memchr::memchr_iter(b'\n', bytes).nth(before).map_or(bytes.len(), |at| at + 1),
    }
}
