//! Series of 1.0 by the numbers of their labels. Neighbours on a page differ in a label or two: what a series has in
//! common with the one before is copied from there, and only the rest is encoded.

use super::v2::{Series, Symbols};
use super::{Request, bytes_field_len, put_label, put_sample, put_varint, sample_len};

/// The series that was added last: where its labels lie in the request.
#[derive(Debug, Default)]
pub(super) struct Neighbour {
    labels: Vec<Label>,
    /// Where they begin.
    begin: usize,
    /// Those of the series that is being added.
    next: Vec<Label>,
}

/// A label of that series.
#[derive(Clone, Copy, Debug)]
struct Label {
    name: u32,
    value: u32,
    /// Where it ends, behind the beginning of all.
    end: usize,
}

impl Label {
    fn is(&self, other: &Label) -> bool {
        (self.name, self.value) == (other.name, other.value)
    }
}

impl Neighbour {
    /// There is none.
    pub(super) fn clear(&mut self) {
        self.labels.clear();
        self.begin = 0;
    }

    /// Where the labels before an index end.
    fn end(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |last| self.labels[last].end)
    }
}

impl Request {
    /// Adds a series with one sample, a value and a time in milliseconds since 1970. `symbols` are those that all series
    /// of this request are made of which are added so.
    pub fn numbered(&mut self, symbols: &Symbols, series: Series<'_>, (value, ts): (f64, i64)) {
        let mut next = std::mem::take(&mut self.neighbour.next);
        next.clear();
        next.extend(series.numbers().map(|(name, value)| Label { name, value, end: 0 }));
        let last = &self.neighbour.labels;
        let head = last.iter().zip(&next).take_while(|(a, b)| a.is(b)).count();
        let most = last.len().min(next.len()) - head;
        let tail = last.iter().rev().zip(next.iter().rev()).take(most).take_while(|(a, b)| a.is(b)).count();

        let (old_tail, new_tail) = (last.len() - tail, next.len() - tail);
        let (head_end, tail_begin) = (self.neighbour.end(head), self.neighbour.end(old_tail));
        let mut end = head_end;
        for (label, known) in next.iter_mut().zip(&last[..head]) {
            label.end = known.end;
        }
        for label in &mut next[head..new_tail] {
            let (name, value) = (symbols.text(label.name), symbols.text(label.value));
            end += bytes_field_len(bytes_field_len(name.len()) + bytes_field_len(value.len()));
            label.end = end;
        }
        for (label, known) in next[new_tail..].iter_mut().zip(&last[old_tail..]) {
            label.end = end + known.end - tail_begin;
        }

        let len = next.last().map_or(0, |label| label.end);
        let body = len + bytes_field_len(sample_len(value, ts));
        self.raw.reserve(bytes_field_len(body));
        self.raw.push(0x0a);
        put_varint(&mut self.raw, body as u64);
        let (from, begin) = (self.neighbour.begin, self.raw.len());
        self.raw.extend_from_within(from..from + head_end);
        for label in &next[head..new_tail] {
            put_label(&mut self.raw, 1, symbols.text(label.name), symbols.text(label.value));
        }
        let tail_end = self.neighbour.end(last.len());
        self.raw.extend_from_within(from + tail_begin..from + tail_end);
        put_sample(&mut self.raw, value, ts);

        self.neighbour.begin = begin;
        self.neighbour.next = std::mem::replace(&mut self.neighbour.labels, next);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encode_labels;
    use super::super::v2::tests::Interned;
    use super::*;
    use crate::remote_write::MetricKind;

    /// Few names and values, so that neighbours have much in common.
    fn labels() -> impl Strategy<Value = Vec<(String, String)>> {
        prop::collection::vec(("[a-d]{1,2}", prop_oneof!["[xy]{0,2}", Just("z".repeat(200))]), 0..7)
    }

    proptest! {
        #[test]
        fn a_series_is_the_same_whatever_stands_before_it(
            requests in prop::collection::vec(prop::collection::vec((labels(), any::<f64>(), any::<i64>()), 0..9), 1..4)
        ) {
            let (mut interned, mut request) = (Interned::default(), Request::new());
            for given in requests {
                request.clear();
                let mut wanted = Request::new();
                for (pairs, value, ts) in &given {
                    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
                    let mut labels = Vec::new();
                    encode_labels(&mut labels, pairs.iter().copied());
                    wanted.series(&labels, &[(*value, *ts)]);
                    let (symbols, series) = interned.series(&pairs, MetricKind::Unknown, "", "");
                    if value.is_sign_negative() {
                        // Of the other kind: it may stand between.
                        request.series(&labels, &[(*value, *ts)]);
                    } else {
                        request.numbered(symbols, series, (*value, *ts));
                    }
                }
                prop_assert_eq!(request.raw(), wanted.raw());
            }
        }
    }
}
