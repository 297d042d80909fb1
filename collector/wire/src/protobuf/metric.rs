//! `Metric` and the small messages in it.

use super::family::Kind;
use crate::page::{Exemplar, NAN, What};
use crate::proto::{Field, Fields, ProtoError, Value};
use crate::remote_write::{STALE_NAN, read_label};

/// A metric, its histogram or summary not yet taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Metric<'a> {
    pub(super) ts_ms: Option<i64>,
    /// The message of the family's type: `Counter`, `Histogram` and so on; empty if there is none.
    pub(super) body: &'a [u8],
}

impl<'a> Metric<'a> {
    /// The metric in a message. Its labels are checked.
    pub(super) fn read(message: &'a [u8], kind: Kind) -> Result<Self, What> {
        let mut metric = Metric::default();
        let mut names: Vec<&str> = Vec::new();
        for field in Fields::new(message) {
            let field = field?;
            match (field.number, kind) {
                (1, _) => {
                    let (name, value) = read_label(field.bytes()?)?;
                    if name.is_empty() {
                        return Err(What::LabelName);
                    }
                    if name == "__name__" {
                        return Err(What::TwoNames);
                    }
                    // An empty value is the same as no label.
                    if !value.is_empty() {
                        names.push(name);
                    }
                }
                // Zero says that there is none.
                (6, _) => metric.ts_ms = Some(field.varint()? as i64).filter(|time| *time != 0),
                (2, Kind::Gauge)
                | (3, Kind::Counter)
                | (4, Kind::Summary)
                | (5, Kind::Untyped)
                | (7, Kind::Histogram | Kind::GaugeHistogram) => metric.body = field.bytes()?,
                _ => {}
            }
        }
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(What::LabelTwice(pair[0].chars().take(100).collect()));
        }
        Ok(metric)
    }
}

/// The number of a field that is a double. The staleness marker must not come from outside.
pub(super) fn double(field: Field<'_>) -> Result<f64, ProtoError> {
    match field.value {
        Value::Fixed64(STALE_NAN) => Ok(NAN),
        Value::Fixed64(bits) => Ok(f64::from_bits(bits)),
        other => Err(ProtoError::WireType { field: field.number, wire: other.wire() }),
    }
}

/// The number of a field with a sign in its lowest bit.
pub(super) fn zigzag(varint: u64) -> i64 {
    (varint >> 1) as i64 ^ -((varint & 1) as i64)
}

/// `Gauge`, `Untyped`, and of `Counter` what is not optional: a value in field 1.
pub(super) fn number(message: &[u8]) -> Result<f64, What> {
    let mut value = 0.0;
    for field in Fields::new(message) {
        let field = field?;
        if field.number == 1 {
            value = double(field)?;
        }
    }
    Ok(value)
}

/// `Counter`: value, exemplar, and when it began.
pub(super) fn counter(message: &[u8]) -> Result<(f64, Option<Exemplar<'_>>, Option<i64>), What> {
    let (mut exemplar, mut created) = (None, None);
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            2 => exemplar = Some(self::exemplar(field.bytes()?)?),
            3 => created = milliseconds(field.bytes()?)?,
            _ => {}
        }
    }
    Ok((number(message)?, exemplar, created))
}

/// `Exemplar`.
pub(super) fn exemplar(message: &[u8]) -> Result<Exemplar<'_>, What> {
    let mut exemplar = Exemplar { labels: Vec::new(), value: 0.0, ts_ms: None };
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => {
                let (name, value) = read_label(field.bytes()?)?;
                exemplar.labels.push((name.into(), value.into()));
            }
            2 => exemplar.value = double(field)?,
            3 => exemplar.ts_ms = Some(timestamp(field.bytes()?)?),
            _ => {}
        }
    }
    Ok(exemplar)
}

/// `google.protobuf.Timestamp` in milliseconds since 1970, cut and not rounded.
fn timestamp(message: &[u8]) -> Result<i64, What> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => seconds = field.varint()? as i64,
            2 => nanos = field.varint()? as i32 as i64,
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

/// The same of a time that is not there when it is zero.
pub(super) fn milliseconds(message: &[u8]) -> Result<Option<i64>, What> {
    Ok(Some(timestamp(message)?).filter(|time| *time != 0))
}
