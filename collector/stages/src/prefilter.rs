//! The one pass over a text that looks for many words at once: most texts hold none of them and cost no more than this.

use aho_corasick::packed::{Config, MatchKind, Searcher};
use aho_corasick::{AhoCorasick, Match, Span};

/// Finds where one of many literal patterns begins.
#[derive(Debug)]
pub(crate) enum Prefilter {
    /// With the vector instructions of this processor.
    Packed(Box<Searcher>),
    /// On a processor that has none.
    Automaton(AhoCorasick),
    /// No pattern, or more than any searcher takes; never so with the lists of this crate.
    Nothing,
}

impl Prefilter {
    /// Searches for these; no pattern may be shorter than three bytes, or nearly every text would be a candidate.
    pub fn new(patterns: &[&str]) -> Self {
        debug_assert!(patterns.iter().all(|pattern| pattern.len() >= 3));
        let packed = Config::new().match_kind(MatchKind::LeftmostFirst).builder().extend(patterns).build();
        match packed {
            Some(searcher) => Self::Packed(Box::new(searcher)),
            None => AhoCorasick::builder()
                .match_kind(aho_corasick::MatchKind::LeftmostFirst)
                .build(patterns)
                .map_or(Self::Nothing, Self::Automaton),
        }
    }

    /// The first pattern that begins at `from` or later: its place, and its number in the list.
    #[inline]
    pub fn find(&self, text: &[u8], from: usize) -> Option<Match> {
        let span = Span { start: from, end: text.len() };
        match self {
            Self::Packed(searcher) => searcher.find_in(text, span),
            Self::Automaton(automaton) => automaton.find(aho_corasick::Input::new(text).span(span)),
            Self::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same() {
        let patterns = ["abc", "bcde", "xyz"];
        let packed = Prefilter::new(&patterns);
        let automaton = Prefilter::Automaton(
            AhoCorasick::builder()
                .match_kind(aho_corasick::MatchKind::LeftmostFirst)
                .build(patterns)
                .unwrap(),
        );
        for text in ["", "ab", "xabcde", "bcdefghijklmnopqrstuvwxyz and then some more to be long enough"] {
            for from in 0..=text.len() {
                let (one, other) =
                    (packed.find(text.as_bytes(), from), automaton.find(text.as_bytes(), from));
                assert_eq!(one, other, "{text} from {from}");
            }
        }
    }
}
