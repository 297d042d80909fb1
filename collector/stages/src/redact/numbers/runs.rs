//! The runs of digits in a text, found 64 bytes at a time.

use std::ops::Range;

/// How many bytes are looked at together: one for each bit.
const BLOCK: usize = 64;

/// The runs of digits, in order, each as long as it can be.
pub(super) struct Runs<'a> {
    text: &'a [u8],
    /// Where the next block begins.
    next: usize,
    /// The digits of the block before that, but for those that were told.
    digits: u64,
}

impl<'a> Runs<'a> {
    pub fn of(text: &'a [u8]) -> Self {
        Runs { text, next: 0, digits: 0 }
    }

    /// Goes to the next block; false where there is none.
    fn advance(&mut self) -> bool {
        let Some(rest) = self.text.get(self.next..).filter(|rest| !rest.is_empty()) else { return false };
        self.digits = match rest.first_chunk::<BLOCK>() {
            Some(block) => digits(block),
            None => {
                let mut block = [0; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                digits(&block)
            }
        };
        self.next += BLOCK;
        true
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        while self.digits == 0 {
            if !self.advance() {
                return None;
            }
        }
        let first = self.digits.trailing_zeros();
        let start = self.next - BLOCK + first as usize;
        let mut end = first + (self.digits >> first).trailing_ones();
        // To the block's end, so that it may go on in the next one.
        while end == BLOCK as u32 {
            self.digits = 0;
            if !self.advance() {
                return Some(start..self.text.len().min(self.next));
            }
            end = self.digits.trailing_ones();
        }
        self.digits &= u64::MAX << end;
        Some(start..self.next - BLOCK + end as usize)
    }
}

/// A bit for each byte, the first one lowest: whether it is a digit.
fn digits(block: &[u8; BLOCK]) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    let mut bits = 0;
    for (place, word) in words.iter().enumerate() {
        // Digits become 0 to 9, to which 0x76 can be added without touching the highest bit.
        let apart = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let others = ((apart & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | apart;
        let marks = (!others & 0x8080_8080_8080_8080) >> 7;
        // The lowest bits of all bytes, gathered in the highest byte.
        bits |= (marks.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * place);
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Byte by byte.
    fn slowly(text: &[u8]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (at, _) in text.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
            match runs.last_mut().filter(|run| run.end == at) {
                Some(run) => run.end = at + 1,
                None => runs.push(at..at + 1),
            }
        }
        runs
    }

    #[test]
    fn every_byte_is_told_from_digits() {
        for byte in 0..=u8::MAX {
            for text in [vec![byte; 3], vec![byte; 64], vec![byte; 129]] {
                assert_eq!(Runs::of(&text).collect::<Vec<_>>(), slowly(&text), "{byte}");
            }
        }
    }

    proptest! {
        #[test]
        fn runs_are_those_found_byte_by_byte(
            parts in prop::collection::vec(("[0-9]{0,70}", "[^0-9]{0,70}"), 0..5),
        ) {
            let text: String = parts.into_iter().map(|(digits, others)| digits + &others).collect();
            prop_assert_eq!(Runs::of(text.as_bytes()).collect::<Vec<_>>(), slowly(text.as_bytes()));
        }
    }
}
