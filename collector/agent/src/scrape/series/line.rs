//! What a line of a page means.

use super::Index;
use crate::scrape::fold::Member;

/// A series; a part of one; or nothing. In four bytes, as there is one for each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line(u32);

/// The first number that is no series.
const FOLDED: u32 = 1 << 31;

impl Line {
    /// Relabelling drops it.
    pub const DROPPED: Line = Line(u32::MAX);
    /// Folding has no use for it.
    pub const LEFT_OUT: Line = Line(u32::MAX - 1);

    /// That of a series.
    pub fn of(series: Index) -> Self {
        debug_assert!(series < FOLDED);
        Line(series)
    }

    /// That of a part of a folded series.
    pub fn part(member: Member) -> Self {
        debug_assert!(member < FOLDED - 2);
        Line(FOLDED | member)
    }

    /// The series, if it is one by itself.
    #[inline]
    pub fn series(self) -> Option<Index> {
        (self.0 < FOLDED).then_some(self.0)
    }

    /// The part of a folded series that it is, if it is one.
    pub fn member(self) -> Option<Member> {
        (self.0 >= FOLDED && self.0 < Line::LEFT_OUT.0).then_some(self.0 & !FOLDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_one_thing() {
        let of = |line: Line| (line.series(), line.member());
        assert_eq!(of(Line::of(7)), (Some(7), None));
        assert_eq!(of(Line::part(7)), (None, Some(7)));
        assert_eq!(of(Line::DROPPED), (None, None));
        assert_eq!(of(Line::LEFT_OUT), (None, None));
    }
}
