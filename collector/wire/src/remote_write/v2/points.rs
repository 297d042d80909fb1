//! All there can be of a series in a request of 2.0: start times, native histograms, exemplars.

use super::super::points::{ExemplarPoint, Points, put_double, put_histogram, put_number};
use super::{Request, Series, Symbols};
use crate::proto::{put_bytes, put_varint, varint_len};

impl Request {
    /// Adds a series with all there is of it. When it began is said in both places, as receivers before and after
    /// 2.0-rc.4 look for it: once for the series, and in each sample and histogram.
    pub fn points(&mut self, symbols: &Symbols, series: Series<'_>, points: &Points<'_>) {
        self.one.clear();
        self.labels(symbols, series);
        let mut part = Vec::new();
        for (value, ts) in points.samples {
            part.clear();
            put_double(&mut part, 1, *value);
            put_number(&mut part, 2, *ts as u64);
            put_number(&mut part, 3, points.created_ms as u64);
            put_bytes(&mut self.one, 2, &part);
        }
        for point in points.histograms {
            part.clear();
            put_histogram(&mut part, point);
            put_number(&mut part, 17, points.created_ms as u64);
            put_bytes(&mut self.one, 3, &part);
        }
        for exemplar in points.exemplars {
            part.clear();
            self.exemplar(&mut part, exemplar);
            put_bytes(&mut self.one, 4, &part);
        }
        self.metadata(symbols, series);
        put_number(&mut self.one, 6, points.created_ms as u64);
        put_bytes(&mut self.series, 5, &self.one);
    }

    fn exemplar(&mut self, part: &mut Vec<u8>, exemplar: &ExemplarPoint<'_>) {
        let mut refs = Vec::with_capacity(2 * exemplar.labels.len());
        for (name, value) in exemplar.labels {
            refs.extend([self.passing_symbol(name), self.passing_symbol(value)]);
        }
        if !refs.is_empty() {
            part.push(1 << 3 | 2);
            put_varint(part, refs.iter().map(|number| varint_len((*number).into()) as u64).sum());
            refs.into_iter().for_each(|number| put_varint(part, number.into()));
        }
        put_double(part, 2, exemplar.value);
        put_number(part, 3, exemplar.ts_ms as u64);
    }

    /// The request's number for a text that is not among the lasting ones: traces' ids come once and never again. A text
    /// that is both stands in the request twice, which is rare, and read as well.
    fn passing_symbol(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(known) = self.passing.get(text) {
            return *known;
        }
        let new = self.next;
        self.next += 1;
        self.passing.insert(text.into(), new);
        put_bytes(&mut self.symbols, 4, text.as_bytes());
        new
    }
}

#[cfg(test)]
#[path = "points_tests.rs"]
mod tests;
