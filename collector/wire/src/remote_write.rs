//! Prometheus remote write 1.0: the encoder of `prometheus.WriteRequest`; and, in [`v2`], 2.0.
//!
//! See <https://prometheus.io/docs/specs/prw/remote_write_spec/>. A series' labels are encoded once, by
//! [`encode_labels`], and kept by the caller; each request copies them.

mod neighbour;
mod points;
mod refusal;
pub mod v2;

pub use points::{ExemplarPoint, HistogramPoint, Points};
pub use refusal::is_order_refusal;

use crate::proto::{Field, Fields, ProtoError, Value, bytes_field_len, put_bytes, put_varint, varint_len};
use crate::snappy::{Compressor, TooLarge};

/// Value of the `Content-Type` header.
pub const CONTENT_TYPE: &str = "application/x-protobuf";
/// Value of the `Content-Encoding` header.
pub const CONTENT_ENCODING: &str = "snappy";
/// Name of the header that carries [`VERSION`].
pub const VERSION_HEADER: &str = "x-prometheus-remote-write-version";
/// The version the 1.0 specification asks for.
pub const VERSION: &str = "0.1.0";

/// A staleness marker: the one NaN that says that a series has ended.
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// A family's type, numbered as `MetricMetadata.MetricType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MetricKind {
    /// Not known, or said to be untyped.
    #[default]
    Unknown = 0,
    /// Only goes up, apart from resets.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
    /// Classic or native histogram.
    Histogram = 3,
    /// A histogram whose buckets may go down.
    GaugeHistogram = 4,
    /// Quantiles made by the client.
    Summary = 5,
    /// Labels whose value is always 1.
    Info = 6,
    /// One series a state, 0 or 1.
    StateSet = 7,
}

impl MetricKind {
    /// The type of this number.
    pub fn from_number(number: u8) -> Option<Self> {
        use MetricKind::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
        let all = [Unknown, Counter, Gauge, Histogram, GaugeHistogram, Summary, Info, StateSet];
        all.get(usize::from(number)).copied()
    }
}

/// Appends the `labels` fields of a `TimeSeries`. Prometheus wants them sorted by name, `__name__` among them, none
/// empty and none twice; nothing of that is checked here.
pub fn encode_labels<'a>(out: &mut Vec<u8>, sorted: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in sorted {
        put_label(out, 1, name, value);
    }
}

/// Appends a message of two strings, which is what labels are here and at Loki's.
pub(crate) fn put_label(out: &mut Vec<u8>, field: u8, name: &str, value: &str) {
    out.push(field << 3 | 2);
    put_varint(out, (bytes_field_len(name.len()) + bytes_field_len(value.len())) as u64);
    put_bytes(out, 1, name.as_bytes());
    put_bytes(out, 2, value.as_bytes());
}

/// Reads a message of two strings; a missing one is empty, as protobuf has it.
pub(crate) fn read_label(message: &[u8]) -> Result<(&str, &str), ProtoError> {
    let (mut name, mut value) = ("", "");
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((name, value))
}

/// The pairs in what [`encode_labels`] wrote, for messages and tests.
pub fn decode_labels(labels: &[u8]) -> impl Iterator<Item = Result<(&str, &str), ProtoError>> {
    Fields::new(labels).filter_map(|field| match field {
        Ok(Field { number: 1, value: Value::Bytes(message) }) => Some(read_label(message)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// Writes labels the way PromQL does, `up{job="node"}`, for messages.
pub fn display_labels(labels: &[u8]) -> String {
    let pairs: Vec<_> = decode_labels(labels).filter_map(Result::ok).collect();
    let mut out =
        pairs.iter().find(|(n, _)| *n == "__name__").map_or(String::new(), |(_, v)| (*v).to_owned());
    crate::loki::write_label_set(&mut out, pairs.into_iter().filter(|(n, _)| *n != "__name__"));
    out
}

/// One `WriteRequest`, built in buffers that are reused.
#[derive(Debug, Default)]
pub struct Request {
    raw: Vec<u8>,
    neighbour: neighbour::Neighbour,
    compressor: Compressor,
}

/// The most that one sample takes: tag and length, tag and double, tag and varint.
const MAX_SAMPLE: usize = 2 + 9 + 11;

impl Request {
    /// An empty request.
    pub fn new() -> Self {
        Request::default()
    }

    /// Forgets the series, keeps the buffers.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.neighbour.clear();
    }

    /// The size so far, before compression, in bytes: what receivers bound.
    pub fn raw_len(&self) -> usize {
        self.raw.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Adds a series: its labels as [`encode_labels`] wrote them, and its samples, oldest first, each a value and a
    /// time in milliseconds since 1970.
    pub fn series(&mut self, labels: &[u8], samples: &[(f64, i64)]) {
        let body = samples
            .iter()
            .fold(labels.len(), |sum, (value, ts)| sum + bytes_field_len(sample_len(*value, *ts)));
        self.raw.reserve(bytes_field_len(body));
        self.raw.push(0x0a);
        put_varint(&mut self.raw, body as u64);
        self.raw.extend_from_slice(labels);
        for (value, ts) in samples {
            put_sample(&mut self.raw, *value, *ts);
        }
    }

    /// Adds what is known of a family, for the receiver's metadata API; `unit` may be empty.
    pub fn metadata(&mut self, name: &str, kind: MetricKind, help: &str, unit: &str) {
        let text = |text: &str| if text.is_empty() { 0 } else { bytes_field_len(text.len()) };
        let kind_len = if kind == MetricKind::Unknown { 0 } else { 2 };
        self.raw.push(3 << 3 | 2);
        put_varint(&mut self.raw, (kind_len + text(name) + text(help) + text(unit)) as u64);
        if kind != MetricKind::Unknown {
            self.raw.extend_from_slice(&[1 << 3, kind as u8]);
        }
        for (field, text) in [(2, name), (4, help), (5, unit)] {
            if !text.is_empty() {
                put_bytes(&mut self.raw, field, text.as_bytes());
            }
        }
    }

    /// The request's body, compressed. It stands until the next call; the series stay until [`Request::clear`].
    pub fn finish(&mut self) -> Result<&[u8], TooLarge> {
        self.compressor.compress(&self.raw)
    }

    /// The request's body before compression.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

// Zero is protobuf's default and is left out; minus zero is a value of its own, so the bits decide.
#[inline]
fn sample_len(value: f64, ts: i64) -> usize {
    let value = if value.to_bits() == 0 { 0 } else { 9 };
    let ts = if ts == 0 { 0 } else { 1 + varint_len(ts as u64) };
    value + ts
}

/// Builds the sample on the stack, so that the vector is checked for room once and not eleven times. The time comes
/// first: it is the same for neighbours, and so is what stands before it, so that snappy finds one repetition and not two.
/// Readers of protobuf take fields in any order.
#[inline]
fn put_sample(out: &mut Vec<u8>, value: f64, ts: i64) {
    let mut sample = [0u8; MAX_SAMPLE];
    sample[0] = 2 << 3 | 2;
    sample[1] = sample_len(value, ts) as u8;
    let mut len = 2;
    if ts != 0 {
        sample[len] = 2 << 3;
        len += 1;
        let mut rest = ts as u64;
        while rest >= 0x80 {
            sample[len] = rest as u8 | 0x80;
            len += 1;
            rest >>= 7;
        }
        sample[len] = rest as u8;
        len += 1;
    }
    if value.to_bits() != 0 {
        sample[len] = 1 << 3 | 1;
        sample[len + 1..len + 9].copy_from_slice(&value.to_le_bytes());
        len += 9;
    }
    out.extend_from_slice(&sample[..len]);
}

#[cfg(test)]
mod tests;
