//! How far a file is settled: chunks settle in any order, the position moves over the longest prefix that has.

use std::collections::VecDeque;

/// A stretch of a file that was, or will be, released as one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Offset of its first byte.
    pub(crate) start: u64,
    /// Offset behind its last byte.
    pub(crate) end: u64,
    /// The time of its first line.
    pub(crate) base_ns: i64,
    /// How many lines it gives; 0 for bytes that give none.
    pub(crate) lines: u32,
}

impl Mark {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// The time of its last line.
    pub(crate) fn last_ns(&self) -> i64 {
        self.base_ns + i64::from(self.lines.max(1)) - 1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Noted, to be sent (again).
    Due,
    /// On its way.
    Sent,
    /// Settled, behind one that is not.
    Settled,
}

/// The marks of one file between its position and where reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    position: u64,
    marks: VecDeque<(Mark, State)>,
    /// The number of the first mark in `marks`, counted since the tracker was made.
    first: u64,
    /// No mark with a lower number is due.
    due_from: u64,
    due: usize,
    unsettled: u64,
}

impl Tracker {
    /// A tracker of a file that is settled up to `position`.
    pub(crate) fn new(position: u64) -> Self {
        Tracker { position, ..Tracker::default() }
    }

    /// Everything before it is settled.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Where the next new mark begins.
    pub(crate) fn end(&self) -> u64 {
        self.marks.back().map_or(self.position, |(mark, _)| mark.end)
    }

    /// The marks not behind the position yet, oldest first.
    pub(crate) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.marks.iter().map(|(mark, _)| mark)
    }

    /// How many marks are held.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    /// Bytes noted and not settled.
    pub(crate) fn unsettled(&self) -> u64 {
        self.unsettled
    }

    /// Adds a mark that is to be sent and gives its number. One that does not begin where the last one ends is refused.
    pub(crate) fn push(&mut self, mark: Mark) -> Option<u64> {
        if mark.start != self.end() || mark.end <= mark.start {
            return None;
        }
        self.marks.push_back((mark, State::Due));
        self.due += 1;
        self.unsettled += mark.len();
        Some(self.first + self.marks.len() as u64 - 1)
    }

    /// The oldest mark that is to be sent, with its number.
    pub(crate) fn due(&mut self) -> Option<(u64, Mark)> {
        if self.due == 0 {
            return None;
        }
        let skip = self.due_from.saturating_sub(self.first) as usize;
        let (at, (mark, _)) =
            self.marks.iter().enumerate().skip(skip).find(|(_, (_, state))| *state == State::Due)?;
        self.due_from = self.first + at as u64;
        Some((self.due_from, *mark))
    }

    /// The time of the first line that is to be sent (again), if there is one.
    pub(crate) fn due_ns(&mut self) -> Option<i64> {
        self.due().map(|(_, mark)| mark.base_ns)
    }

    /// The mark is on its way.
    pub(crate) fn sent(&mut self, number: u64) {
        self.change(number, State::Due, State::Sent);
    }

    /// The mark came back without a word: it is to be sent again.
    pub(crate) fn returned(&mut self, number: u64) {
        self.change(number, State::Sent, State::Due);
    }

    /// The mark is settled; true when the position moved.
    pub(crate) fn settled(&mut self, number: u64) -> bool {
        self.change(number, State::Sent, State::Settled);
        self.advance()
    }

    /// The mark gives no lines, so that nobody has to settle it.
    pub(crate) fn void(&mut self, number: u64) {
        self.sent(number);
        self.settled(number);
    }

    /// Gives up every mark that is to be sent, as its bytes are gone; says how many bytes that were.
    pub(crate) fn give_up_due(&mut self) -> u64 {
        let mut bytes = 0;
        for (mark, state) in self.marks.iter_mut().filter(|(_, state)| *state == State::Due) {
            bytes += mark.len();
            *state = State::Settled;
        }
        self.due = 0;
        self.unsettled -= bytes;
        self.advance();
        bytes
    }

    fn change(&mut self, number: u64, from: State, to: State) {
        // Numbers below `first` were settled before: a ticket speaks once, but the tracker need not rely on it.
        let Some(at) = number.checked_sub(self.first) else { return };
        let Some((mark, state)) = self.marks.get_mut(at as usize) else { return };
        if *state != from {
            return;
        }
        *state = to;
        match (from, to) {
            (State::Due, _) => self.due -= 1,
            (_, State::Due) => {
                self.due += 1;
                self.due_from = self.due_from.min(number);
            }
            _ => self.unsettled -= mark.len(),
        }
    }

    fn advance(&mut self) -> bool {
        let before = self.position;
        while self.marks.front().is_some_and(|(_, state)| *state == State::Settled) {
            self.settle_front();
        }
        self.position != before
    }

    fn settle_front(&mut self) {
        if let Some((mark, state)) = self.marks.pop_front() {
            self.position = mark.end;
            self.first += 1;
            self.due -= usize::from(state == State::Due);
            self.unsettled -= if state == State::Settled { 0 } else { mark.len() };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    fn mark(range: Range<u64>) -> Mark {
        Mark { start: range.start, end: range.end, base_ns: 1_000, lines: 1 }
    }

    fn tracker(lens: &[u64]) -> Tracker {
        let mut tracker = Tracker::new(100);
        for len in lens {
            let start = tracker.end();
            let number = tracker.push(mark(start..start + len)).unwrap();
            assert_eq!(tracker.due().unwrap().0, number);
            tracker.sent(number);
        }
        tracker
    }

    #[test]
    fn the_position_waits_for_the_oldest() {
        let mut tracker = tracker(&[10, 20, 30]);
        assert!(!tracker.settled(1));
        assert_eq!((tracker.position(), tracker.unsettled()), (100, 40));
        assert!(tracker.settled(0));
        assert_eq!((tracker.position(), tracker.unsettled()), (130, 30));
        assert!(tracker.settled(2));
        assert_eq!((tracker.position(), tracker.end(), tracker.len()), (160, 160, 0));
    }

    #[test]
    fn what_comes_back_is_sent_again_as_it_was() {
        let mut tracker = tracker(&[10, 20]);
        tracker.returned(0);
        assert_eq!(tracker.due(), Some((0, mark(100..110))));
        tracker.sent(0);
        tracker.settled(0);
        tracker.returned(0);
        assert_eq!(tracker.due(), None, "what is settled does not come back");
        assert_eq!(tracker.position(), 110);
    }

    #[test]
    fn gaps_and_empty_marks_are_refused() {
        let mut tracker = tracker(&[10]);
        assert_eq!(tracker.push(mark(111..120)), None);
        assert_eq!(tracker.push(mark(110..110)), None);
        assert_eq!(tracker.push(mark(110..111)), Some(1));
    }

    proptest! {
        #[test]
        fn the_position_is_the_longest_settled_prefix(
            lens in prop::collection::vec(1u64..50, 1..40),
            order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..120),
        ) {
            let mut tracker = tracker(&lens);
            let mut settled = vec![false; lens.len()];
            let mut due = vec![false; lens.len()];
            for (index, comes_back) in order {
                let at = index.index(lens.len());
                if comes_back {
                    tracker.returned(at as u64);
                    due[at] |= !settled[at];
                } else {
                    tracker.settled(at as u64);
                    settled[at] |= !due[at];
                }
                let prefix = settled.iter().take_while(|done| **done).count();
                prop_assert_eq!(tracker.position(), 100 + lens[..prefix].iter().sum::<u64>());
                let open: u64 = lens.iter().zip(&settled).filter(|(_, done)| !**done).map(|(len, _)| len).sum();
                prop_assert_eq!(tracker.unsettled(), open);
                let first_due = due.iter().position(|due| *due).map(|at| at as u64);
                prop_assert_eq!(tracker.due().map(|(number, _)| number), first_due);
                prop_assert_eq!(tracker.end(), 100 + lens.iter().sum::<u64>());
            }
        }
    }
}
