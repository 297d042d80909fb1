//! By what a protobuf page names a series.

use std::borrow::Cow;

use crate::page::open_metrics_float;
use crate::proto::Fields;
use crate::remote_write::read_label;

/// A metric of a family, or one of the series that a histogram or summary would be as text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Series<'a> {
    pub(super) family: &'a str,
    /// `_count`, `_sum`, `_bucket` or nothing.
    pub(super) suffix: &'static str,
    /// The message `Metric`, which has been read before.
    pub(super) metric: &'a [u8],
    /// The label `le` or `quantile`.
    pub(super) float: Option<(&'static str, f64)>,
}

impl<'a> Series<'a> {
    pub(crate) fn labels(&self) -> Labels<'a> {
        Labels { series: *self, fields: Fields::new(self.metric), named: false }
    }

    /// What the series is known by, piece by piece.
    pub(crate) fn parts(&self, mut take: impl FnMut(&[u8])) {
        take(self.family.as_bytes());
        take(self.suffix.as_bytes());
        if let Some((_, float)) = self.float {
            take(&float.to_bits().to_le_bytes());
        }
        for label in Fields::new(self.metric).filter_map(Result::ok).filter(|field| field.number == 1) {
            take(label.bytes().unwrap_or_default());
        }
    }
}

/// Iterator over the labels of a series.
#[derive(Clone, Debug)]
pub(crate) struct Labels<'a> {
    series: Series<'a>,
    fields: Fields<'a>,
    named: bool,
}

impl<'a> Iterator for Labels<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.named {
            self.named = true;
            let name = match self.series.suffix {
                "" => Cow::Borrowed(self.series.family),
                suffix => Cow::Owned(format!("{}{suffix}", self.series.family)),
            };
            return Some(("__name__".into(), name));
        }
        let label = self.fields.by_ref().filter_map(Result::ok).find(|field| field.number == 1);
        match label {
            Some(label) => {
                let (name, value) = read_label(label.bytes().ok()?).ok()?;
                Some((name.into(), value.into()))
            }
            None => {
                let (name, float) = self.series.float.take()?;
                Some((name.into(), open_metrics_float(float)))
            }
        }
    }
}
