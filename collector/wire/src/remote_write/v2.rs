//! Prometheus remote write 2.0: the encoder of `io.prometheus.write.v2.Request`.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>. Every text of a request stands in it once, as a symbol.
//! A sender keeps the texts of its series as [`Symbols`], whose numbers stay; a request gives those that it uses numbers
//! of its own, found by an index and not by a hash.

mod points;

use std::collections::HashMap;

use super::{MetricKind, put_sample};
use crate::proto::{put_bytes, put_varint};
use crate::snappy::{Compressor, TooLarge};

/// Value of the `Content-Type` header.
pub const CONTENT_TYPE: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
/// Value of the version header.
pub const VERSION: &str = "2.0.0";
/// Name of the header in which a receiver says how many samples it has stored.
pub const SAMPLES_WRITTEN: &str = "x-prometheus-remote-write-samples-written";
/// Name of the header in which a receiver says how many native histograms it has stored.
pub const HISTOGRAMS_WRITTEN: &str = "x-prometheus-remote-write-histograms-written";

/// Texts, one behind the other, and their numbers in the order in which they came. The empty text is number 0, as in
/// every request.
#[derive(Clone, Debug)]
pub struct Symbols {
    texts: String,
    /// Where each text ends, and the next begins.
    ends: Vec<u32>,
}

impl Default for Symbols {
    fn default() -> Self {
        Symbols { texts: String::new(), ends: vec![0] }
    }
}

impl Symbols {
    /// Gives `text` the next number, whether or not it has one already. Nothing if all texts together would take more
    /// than 4 GiB.
    pub fn push(&mut self, text: &str) -> Option<u32> {
        let end = u32::try_from(self.texts.len() + text.len()).ok()?;
        grow(&mut self.ends);
        self.texts.push_str(text);
        self.ends.push(end);
        Some((self.ends.len() - 1) as u32)
    }

    /// How many numbers are given, that of the empty text among them.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is nothing but the empty text.
    pub fn is_empty(&self) -> bool {
        self.ends.len() == 1
    }

    /// The text of a number; empty if nothing has it.
    #[inline]
    pub fn text(&self, number: u32) -> &str {
        let at = number as usize;
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(at).copied().unwrap_or(begin);
        self.texts.get(begin as usize..end as usize).unwrap_or_default()
    }
}

/// Makes room by a quarter, not by as much again: such lists are large, and grow slowly.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(64));
    }
}

/// What a series is, in numbers of [`Symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series<'a> {
    /// Names and values of its labels in turn, sorted by name, each number as a varint.
    pub labels: &'a [u8],
    /// Its family's type.
    pub kind: MetricKind,
    /// Its family's help text.
    pub help: u32,
    /// Its family's unit.
    pub unit: u32,
}

impl<'a> Series<'a> {
    /// Names and values of its labels.
    pub fn pairs<'s>(&self, symbols: &'s Symbols) -> impl Iterator<Item = (&'s str, &'s str)> {
        self.numbers().map(|(name, value)| (symbols.text(name), symbols.text(value)))
    }

    /// The same as numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (u32, u32)> + use<'a> {
        let mut rest = self.labels;
        std::iter::from_fn(move || Some((take_number(&mut rest)?, take_number(&mut rest)?)))
    }

    /// The labels as [`encode_labels`](super::encode_labels) writes them, appended to `labels`.
    pub fn encode_labels(&self, symbols: &Symbols, labels: &mut Vec<u8>) {
        super::encode_labels(labels, self.pairs(symbols));
    }
}

/// The number at the beginning of `bytes`, which then begin behind it.
#[inline]
fn take_number(bytes: &mut &[u8]) -> Option<u32> {
    let (mut number, mut shift) = (0u32, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if *byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

/// One request, built in buffers that are reused.
#[derive(Debug, Default)]
pub struct Request {
    symbols: Vec<u8>,
    series: Vec<u8>,
    one: Vec<u8>,
    refs: Vec<u8>,
    raw: Vec<u8>,
    /// By number in [`Symbols`]: the request that last used it, and its number there.
    used: Vec<(u32, u32)>,
    request: u32,
    next: u32,
    /// Texts of this request alone, and their numbers there.
    passing: HashMap<Box<str>, u32>,
    compressor: Compressor,
}

impl Request {
    /// Begins a new request.
    pub fn clear(&mut self) {
        self.symbols.clear();
        self.series.clear();
        self.passing.clear();
        // The number 0 is never that of a request, so that what is new in `used` was used by none.
        self.request = self.request.wrapping_add(1);
        if self.request == 0 {
            self.used.clear();
            self.request = 1;
        }
        put_bytes(&mut self.symbols, 4, b"");
        self.next = 1;
    }

    /// Adds a series with its samples, oldest first, each a value and a time in milliseconds since 1970. `symbols` are
    /// those that it was made of, the same for the whole request.
    pub fn series(&mut self, symbols: &Symbols, series: Series<'_>, samples: &[(f64, i64)]) {
        self.one.clear();
        self.labels(symbols, series);
        self.metadata(symbols, series);
        // Behind what is the same for neighbours, see `put_sample`.
        for (value, ts) in samples {
            put_sample(&mut self.one, *value, *ts);
        }
        put_bytes(&mut self.series, 5, &self.one);
    }

    fn labels(&mut self, symbols: &Symbols, series: Series<'_>) {
        let mut refs = std::mem::take(&mut self.refs);
        refs.clear();
        let mut rest = series.labels;
        while let Some(label) = take_number(&mut rest) {
            put_varint(&mut refs, self.symbol(symbols, label).into());
        }
        put_bytes(&mut self.one, 1, &refs);
        self.refs = refs;
    }

    fn metadata(&mut self, symbols: &Symbols, series: Series<'_>) {
        let (help, unit) = (self.symbol(symbols, series.help), self.symbol(symbols, series.unit));
        let fields = [(1 << 3, series.kind as u32), (3 << 3, help), (4 << 3, unit)];
        self.refs.clear();
        for (tag, value) in fields.into_iter().filter(|(_, value)| *value != 0) {
            self.refs.push(tag);
            put_varint(&mut self.refs, value.into());
        }
        if !self.refs.is_empty() {
            put_bytes(&mut self.one, 5, &self.refs);
        }
    }

    #[inline]
    fn symbol(&mut self, symbols: &Symbols, number: u32) -> u32 {
        if number == 0 {
            return 0;
        }
        match self.used.get(number as usize) {
            Some((request, known)) if *request == self.request => *known,
            _ => self.new_symbol(symbols, number),
        }
    }

    fn new_symbol(&mut self, symbols: &Symbols, number: u32) -> u32 {
        let at = number as usize;
        if self.used.len() <= at {
            let len = symbols.len().max(at + 1);
            self.used.reserve_exact(len - self.used.len());
            self.used.resize(len, (0, 0));
        }
        let new = self.next;
        self.next += 1;
        self.used[at] = (self.request, new);
        put_bytes(&mut self.symbols, 4, symbols.text(number).as_bytes());
        new
    }

    /// The size so far, before compression, in bytes.
    pub fn raw_len(&self) -> usize {
        self.symbols.len() + self.series.len()
    }

    /// The request's body, compressed. It stands until the next call.
    pub fn finish(&mut self) -> Result<&[u8], TooLarge> {
        self.raw.clear();
        self.raw.extend_from_slice(&self.symbols);
        self.raw.extend_from_slice(&self.series);
        self.compressor.compress(&self.raw)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::snappy::decompress;

    /// A series of these labels, its numbers given as they come.
    #[derive(Default)]
    pub(in super::super) struct Interned {
        pub(in super::super) symbols: Symbols,
        known: HashMap<String, u32>,
        labels: Vec<u8>,
    }

    impl Interned {
        fn number(&mut self, text: &str) -> u32 {
            if text.is_empty() {
                return 0;
            }
            *self.known.entry(text.to_owned()).or_insert_with(|| self.symbols.push(text).unwrap())
        }

        pub(in super::super) fn series(
            &mut self,
            pairs: &[(&str, &str)],
            kind: MetricKind,
            help: &str,
            unit: &str,
        ) -> (&Symbols, Series<'_>) {
            self.labels.clear();
            for (name, value) in pairs {
                for text in [name, value] {
                    let number = self.number(text);
                    put_varint(&mut self.labels, number.into());
                }
            }
            let (help, unit) = (self.number(help), self.number(unit));
            (&self.symbols, Series { labels: &self.labels, kind, help, unit })
        }
    }

    /// `io.prometheus.write.v2.Request`, written down from the specification: the oracle.
    #[derive(Clone, PartialEq, Message)]
    struct Read {
        #[prost(string, repeated, tag = "4")]
        symbols: Vec<String>,
        #[prost(message, repeated, tag = "5")]
        timeseries: Vec<ReadSeries>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct ReadSeries {
        #[prost(uint32, repeated, tag = "1")]
        labels: Vec<u32>,
        #[prost(message, repeated, tag = "2")]
        samples: Vec<ReadSample>,
        #[prost(message, optional, tag = "5")]
        metadata: Option<ReadMetadata>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct ReadSample {
        #[prost(double, tag = "1")]
        value: f64,
        #[prost(int64, tag = "2")]
        timestamp: i64,
    }

    #[derive(Clone, PartialEq, Message)]
    struct ReadMetadata {
        #[prost(int32, tag = "1")]
        kind: i32,
        #[prost(uint32, tag = "3")]
        help: u32,
        #[prost(uint32, tag = "4")]
        unit: u32,
    }

    type Given = (Vec<(String, String)>, bool, String, Vec<(u64, i64)>);

    fn any_series() -> impl Strategy<Value = Given> {
        let label = ("[a-e]{0,3}", ".{0,9}");
        let sample = (any::<u64>(), any::<i64>());
        (prop::collection::vec(label, 0..6), any::<bool>(), "[a-z]{0,4}", prop::collection::vec(sample, 0..3))
    }

    proptest! {
        #[test]
        fn what_we_encode_prost_reads(
            requests in prop::collection::vec(prop::collection::vec(any_series(), 0..9), 1..4)
        ) {
            let (mut interned, mut request) = (Interned::default(), Request::default());
            for given in requests {
                request.clear();
                for (pairs, counter, help, samples) in &given {
                    let pairs: Vec<_> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
                    let kind = if *counter { MetricKind::Counter } else { MetricKind::Unknown };
                    let (symbols, series) = interned.series(&pairs, kind, help, "s");
                    prop_assert_eq!(series.pairs(symbols).collect::<Vec<_>>(), pairs);
                    let samples: Vec<_> = samples.iter().map(|(v, t)| (f64::from_bits(*v), *t)).collect();
                    request.series(symbols, series, &samples);
                }
                let raw = decompress(request.finish().unwrap()).unwrap();
                prop_assert_eq!(raw.len(), request.raw_len());
                let read = Read::decode(&raw[..]).unwrap();
                prop_assert_eq!(&read.symbols[0], "");
                let mut unique = read.symbols.clone();
                unique.sort();
                unique.dedup();
                prop_assert_eq!(unique.len(), read.symbols.len());
                let text = |number: u32| read.symbols[number as usize].clone();
                let got: Vec<Given> = read.timeseries.iter().map(|series| {
                    let pairs = series.labels.chunks(2).map(|pair| (text(pair[0]), text(pair[1]))).collect();
                    let metadata = series.metadata.clone().unwrap();
                    assert_eq!(text(metadata.unit), "s");
                    let samples = series.samples.iter().map(|s| (s.value.to_bits(), s.timestamp)).collect();
                    (pairs, metadata.kind == 1, text(metadata.help), samples)
                }).collect();
                prop_assert_eq!(got, given);
            }
        }
    }
}
