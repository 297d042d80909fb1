//! `MetricFamily`: what its metrics have in common.

use crate::page::What;
use crate::proto::{Fields, ProtoError};
use crate::remote_write::MetricKind;

/// `MetricType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Counter,
    Gauge,
    Summary,
    Untyped,
    Histogram,
    GaugeHistogram,
}

impl Kind {
    fn from_number(number: u64) -> Result<Self, What> {
        Ok(match number {
            0 => Kind::Counter,
            1 => Kind::Gauge,
            2 => Kind::Summary,
            3 => Kind::Untyped,
            4 => Kind::Histogram,
            5 => Kind::GaugeHistogram,
            other => return Err(What::FamilyKind(other)),
        })
    }

    pub(super) fn metric_kind(self) -> MetricKind {
        match self {
            Kind::Counter => MetricKind::Counter,
            Kind::Gauge => MetricKind::Gauge,
            Kind::Summary => MetricKind::Summary,
            Kind::Untyped => MetricKind::Unknown,
            Kind::Histogram => MetricKind::Histogram,
            Kind::GaugeHistogram => MetricKind::GaugeHistogram,
        }
    }
}

/// A family without its metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    pub(super) unit: &'a str,
    pub(super) kind: Kind,
}

impl<'a> Family<'a> {
    /// The family in a message; `None` if it has no metrics, whatever else is wrong with it.
    pub(super) fn read(message: &'a [u8]) -> Result<Option<Self>, What> {
        let (mut name, mut help, mut unit, mut kind): (&[u8], &[u8], &[u8], _) = (b"", b"", b"", 0);
        let mut metrics = false;
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => name = field.bytes()?,
                2 => help = field.bytes()?,
                3 => kind = field.varint()?,
                4 => {
                    field.bytes()?;
                    metrics = true;
                }
                5 => unit = field.bytes()?,
                _ => {}
            }
        }
        if !metrics {
            return Ok(None);
        }
        if name.is_empty() {
            return Err(What::NoName);
        }
        let utf8 = |bytes: &'a [u8]| std::str::from_utf8(bytes).map_err(|_| What::Utf8);
        let kind = Kind::from_number(kind)?;
        Ok(Some(Family { name: utf8(name)?, help: utf8(help)?, unit: utf8(unit)?, kind }))
    }
}

/// The metrics in a family's message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metrics<'a>(Fields<'a>);

impl<'a> Metrics<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Metrics(Fields::new(message))
    }
}

impl<'a> Iterator for Metrics<'a> {
    type Item = Result<&'a [u8], ProtoError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(|field| match field {
            Ok(field) if field.number == 4 => Some(field.bytes()),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }
}
