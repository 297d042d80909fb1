//! Prometheus remote write 2.0: the encoder of `io.prometheus.write.v2.Request`.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>. Every text of a request stands in it once, as a symbol.
//! A sender keeps the texts of its series as [`Symbols`], whose numbers stay; a request gives those that it uses numbers
//! of its own, found by an index and not by a hash.

mod points;

use std::collections::HashMap;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, RandomState};

use super::{MetricKind, put_sample};
use crate::proto::{ProtoError, put_bytes, put_varint, varint_len};
use crate::snappy::{Compressor, TooLarge};

/// Value of the `Content-Type` header.
pub const CONTENT_TYPE: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
/// Value of the version header.
pub const VERSION: &str = "2.0.0";
/// Name of the header in which a receiver says how many samples it has stored.
pub const SAMPLES_WRITTEN: &str = "x-prometheus-remote-write-samples-written";

/// Texts and their numbers. The empty text is number 0, as in every request.
#[derive(Debug)]
pub struct Symbols {
    texts: Vec<Box<str>>,
    index: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Symbols {
    fn default() -> Self {
        Symbols { texts: vec!["".into()], index: HashTable::new(), hasher: RandomState::new() }
    }
}

impl Symbols {
    /// The number of `text`.
    pub fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let (texts, hasher) = (&self.texts, &self.hasher);
        let same = |number: &u32| *texts[*number as usize] == *text;
        let rehash = |number: &u32| hasher.hash_one(&*texts[*number as usize]);
        match self.index.entry(hasher.hash_one(text), same, rehash) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let number = texts.len() as u32;
                place.insert(number);
                self.texts.push(text.into());
                number
            }
        }
    }

    /// The number of `text`, if it has one.
    fn find(&self, text: &str) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        let same = |number: &u32| *self.texts[*number as usize] == *text;
        self.index.find(self.hasher.hash_one(text), same).copied()
    }

    /// Forgets all texts; series made of them are of no use any more.
    pub fn clear(&mut self) {
        self.texts.truncate(1);
        self.index.clear();
    }

    /// The labels of a series as [`encode_labels`](super::encode_labels) writes them.
    pub fn encode_labels(&self, series: &Series) -> Vec<u8> {
        let mut labels = Vec::new();
        for pair in series.labels.chunks_exact(2) {
            super::put_label(&mut labels, 1, self.text(pair[0]), self.text(pair[1]));
        }
        labels
    }

    fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}

/// What a series is, in numbers of [`Symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    labels: Box<[u32]>,
    kind: MetricKind,
    help: u32,
    unit: u32,
}

impl Series {
    /// A series of the labels that [`encode_labels`](super::encode_labels) wrote, and what is known of its family.
    pub fn new(
        symbols: &mut Symbols,
        labels: &[u8],
        kind: MetricKind,
        help: &str,
        unit: &str,
    ) -> Result<Self, ProtoError> {
        let mut numbers = Vec::with_capacity(16);
        for label in super::decode_labels(labels) {
            let (name, value) = label?;
            numbers.extend([symbols.number(name), symbols.number(value)]);
        }
        Ok(Series { labels: numbers.into(), kind, help: symbols.number(help), unit: symbols.number(unit) })
    }
}

/// One request, built in buffers that are reused.
#[derive(Debug, Default)]
pub struct Request {
    symbols: Vec<u8>,
    series: Vec<u8>,
    one: Vec<u8>,
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
    pub fn series(&mut self, symbols: &Symbols, series: &Series, samples: &[(f64, i64)]) {
        self.one.clear();
        self.labels(symbols, series);
        for (value, ts) in samples {
            put_sample(&mut self.one, *value, *ts);
        }
        self.metadata(symbols, series);
        put_bytes(&mut self.series, 5, &self.one);
    }

    fn labels(&mut self, symbols: &Symbols, series: &Series) {
        let mut refs_len = 0;
        for &label in &series.labels {
            let number = self.symbol(symbols, label);
            refs_len += varint_len(number.into());
        }
        self.one.push(1 << 3 | 2);
        put_varint(&mut self.one, refs_len as u64);
        for &label in &series.labels {
            // A symbol has been given a number in the loop above.
            let number = if label == 0 { 0 } else { self.used[label as usize].1 };
            put_varint(&mut self.one, number.into());
        }
    }

    fn metadata(&mut self, symbols: &Symbols, series: &Series) {
        let (help, unit) = (self.symbol(symbols, series.help), self.symbol(symbols, series.unit));
        let kind = series.kind as u32;
        let fields = [(1 << 3, kind), (3 << 3, help), (4 << 3, unit)].into_iter().filter(|(_, v)| *v != 0);
        let len: usize = fields.clone().map(|(_, value)| 1 + varint_len(value.into())).sum();
        if len > 0 {
            self.one.push(5 << 3 | 2);
            put_varint(&mut self.one, len as u64);
            for (tag, value) in fields {
                self.one.push(tag);
                put_varint(&mut self.one, value.into());
            }
        }
    }

    #[inline]
    fn symbol(&mut self, symbols: &Symbols, number: u32) -> u32 {
        if number == 0 {
            return 0;
        }
        let at = number as usize;
        if self.used.len() <= at {
            self.used.resize(symbols.texts.len().max(at + 1), (0, 0));
        }
        let (request, known) = self.used[at];
        if request == self.request {
            return known;
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
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::super::encode_labels;
    use super::*;
    use crate::snappy::decompress;

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
            let (mut symbols, mut request) = (Symbols::default(), Request::default());
            for given in requests {
                request.clear();
                for (pairs, counter, help, samples) in &given {
                    let mut labels = Vec::new();
                    encode_labels(&mut labels, pairs.iter().map(|(n, v)| (&**n, &**v)));
                    let kind = if *counter { MetricKind::Counter } else { MetricKind::Unknown };
                    let series = Series::new(&mut symbols, &labels, kind, help, "s").unwrap();
                    let samples: Vec<_> = samples.iter().map(|(v, t)| (f64::from_bits(*v), *t)).collect();
                    request.series(&symbols, &series, &samples);
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
