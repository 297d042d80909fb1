//! The times with which the entries of one stream leave.
//!
//! Receivers store entries of equal time, line and metadata once, so every entry gets a time of its own: the one that it
//! says, and some nanoseconds more if others said the same. How many is derived from what a second reading of the same
//! lines finds again, as far as can be: from the order of the lines and from when they were read.

use std::collections::VecDeque;

use crate::entry::Time;

/// A time further ahead of when the line was read is not believed.
pub const MAX_AHEAD_NS: i64 = 600_000_000_000;

/// By no more than this does the first entry of a time differ from it.
const MAX_SHIFT_NS: i64 = 1_000_000;

/// As many times of a stream are remembered.
const REMEMBERED: usize = 8;

/// What is known of the times of one stream.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// Times that were said, the latest first, with the nanoseconds that the next entry gets, and the length of their
    /// last digits.
    recent: VecDeque<(i64, i64, i64)>,
    /// The greatest of all.
    greatest: Option<i64>,
}

impl Times {
    /// Of a stream that never had an entry: its first one has the very time that it says.
    pub fn of_new_stream() -> Self {
        Times { recent: VecDeque::new(), greatest: Some(i64::MIN) }
    }

    /// The time with which an entry leaves that was read at `read_ns`.
    pub fn place(&mut self, time: Time, read_ns: i64) -> i64 {
        match time {
            Time::Read => read_ns,
            Time::Said { ns, .. } if ns > read_ns.saturating_add(MAX_AHEAD_NS) => read_ns,
            Time::Said { ns, resolution_ns } => self.said(ns, resolution_ns, read_ns),
            Time::LikeBefore => match self.recent.front() {
                Some((ns, _, resolution_ns)) => self.said(*ns, *resolution_ns, read_ns),
                None => read_ns,
            },
        }
    }

    fn said(&mut self, ns: i64, resolution_ns: i64, read_ns: i64) -> i64 {
        let more = if self.greatest.is_some_and(|greatest| ns > greatest) {
            // Nothing was said at this time before, as is most often so.
            0
        } else {
            let known = self.recent.iter().position(|(known, ..)| *known == ns);
            match known.and_then(|at| self.recent.remove(at)) {
                Some((_, next, _)) => next,
                // Entries of this time may have left before the start, or be forgotten: begin somewhere else, within what
                // the last digit leaves open, so that the order to others stays; and near, so that nobody is misled.
                None => read_ns.rem_euclid((resolution_ns / 2).clamp(1, MAX_SHIFT_NS)),
            }
        };
        if self.recent.len() >= REMEMBERED {
            self.recent.pop_back();
        }
        self.recent.push_front((ns, more + 1, resolution_ns));
        self.greatest = self.greatest.max(Some(ns));
        ns.saturating_add(more)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const S: i64 = 1_000_000_000;
    const NOW: i64 = 1_795_000_000 * S;

    fn said(ns: i64, resolution_ns: i64) -> Time {
        Time::Said { ns, resolution_ns }
    }

    #[test]
    fn equal_times_rise_and_new_ones_stay_as_they_are() {
        let mut times = Times::default();
        let first = times.place(said(NOW - S, S), NOW + 7);
        assert_eq!(first, NOW - S + 7);
        assert_eq!(Times::of_new_stream().place(said(NOW - S, S), NOW + 7), NOW - S);
        assert_eq!(times.place(said(NOW - S, S), NOW + 8), first + 1);
        assert_eq!(times.place(said(NOW, S), NOW + 9), NOW);
        assert_eq!(times.place(said(NOW, S), NOW + 10), NOW + 1);
        assert_eq!(times.place(said(NOW - S, S), NOW + 11), first + 2, "a straggler");
        assert_eq!(times.place(Time::LikeBefore, NOW + 12), first + 3);
        assert_eq!(times.place(said(NOW, S), NOW + 13), NOW + 2);
        assert_eq!(times.place(Time::Read, NOW + 14), NOW + 14);
    }

    #[test]
    fn the_future_is_not_believed() {
        let mut times = Times::default();
        assert_eq!(times.place(said(NOW + MAX_AHEAD_NS + 1, 1), NOW), NOW);
        assert_eq!(times.place(said(NOW + MAX_AHEAD_NS, 1), NOW), NOW + MAX_AHEAD_NS);
        assert_eq!(Times::default().place(Time::LikeBefore, NOW), NOW);
    }

    #[test]
    fn a_thousand_equal_lines_have_a_thousand_times_and_a_restart_meets_none_of_them() {
        let mut given = HashSet::new();
        let mut times = Times::default();
        for n in 0..1000 {
            // The process starts anew in the middle.
            if n == 500 {
                times = Times::default();
            }
            assert!(given.insert(times.place(said(NOW, S), NOW + 123_456_789 + n * 1_000)));
        }
        // The second half again, as after a crash.
        let mut again = Times::default();
        for n in 500..1000 {
            assert!(given.contains(&again.place(said(NOW, S), NOW + 123_456_789 + n * 1_000)));
        }
    }
}
