//! By what a page names a series.

use std::borrow::Cow;

use super::float::open_metrics_float;
use super::hash::Hasher;
use crate::protobuf;
use crate::text;

/// A name and a value.
pub(crate) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The bytes by which a page names a series: on a text page `up` or `up{job="node"}` as they stand. Two ways to write the
/// same series are two values. Its labels are well formed.
#[derive(Clone, Debug, PartialEq)]
pub struct Series<'a>(pub(crate) Form<'a>);

/// Where the name and labels are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form<'a> {
    Text(text::Series<'a>),
    Proto(protobuf::Series<'a>),
    /// Of a series that no line names: a histogram made of several. Sorted, the name among them.
    Made(Box<[Pair<'a>]>),
}

impl<'a> Series<'a> {
    /// The labels in the page's order, the metric's name among them as `__name__`. An empty value is the same as no
    /// label. Numbers in `le` and `quantile` are written as [`open_metrics_float`] has them, if the family's type says
    /// that they are numbers.
    pub fn labels(&self) -> Labels<'a> {
        Labels(match &self.0 {
            Form::Text(series) => Inner::Text(series.labels()),
            Form::Proto(series) => Inner::Proto(series.labels()),
            Form::Made(pairs) => Inner::Made(pairs.clone().into_iter()),
        })
    }

    /// The metric's name.
    pub fn name(&self) -> Cow<'a, str> {
        self.labels().find(|(name, _)| name == "__name__").map_or(Cow::Borrowed(""), |(_, value)| value)
    }

    /// The hash, and of a text the length.
    #[inline]
    pub(super) fn hash(&self, hasher: &Hasher) -> ([u64; 2], usize) {
        match &self.0 {
            Form::Text(series) => (hasher.one(series.bytes), series.bytes.len()),
            Form::Proto(series) => (hasher.parts(|take| series.parts(take)), 0),
            Form::Made(pairs) => {
                let hash = hasher.parts(|take| {
                    for (name, value) in pairs {
                        take(name.as_bytes());
                        take(value.as_bytes());
                    }
                });
                (hash, 0)
            }
        }
    }
}

/// Iterator over the labels of a series.
#[derive(Clone, Debug)]
pub struct Labels<'a>(Inner<'a>);

#[derive(Clone, Debug)]
enum Inner<'a> {
    Text(text::Labels<'a>),
    Proto(protobuf::Labels<'a>),
    Made(std::vec::IntoIter<Pair<'a>>),
}

impl<'a> Iterator for Labels<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        match &mut self.0 {
            Inner::Text(labels) => labels.next(),
            Inner::Proto(labels) => labels.next(),
            Inner::Made(labels) => labels.next(),
        }
    }
}

/// Which label of a family's series holds a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FloatLabel {
    #[default]
    None,
    /// `le`, of classic histograms.
    Bound,
    /// `quantile`, of summaries.
    Quantile,
}

impl FloatLabel {
    /// The label's value, in its one way to be written if it is that label and a number.
    pub(crate) fn normal<'a>(self, name: &str, value: Cow<'a, str>) -> Cow<'a, str> {
        let is_number = match self {
            FloatLabel::None => false,
            FloatLabel::Bound => name == "le",
            FloatLabel::Quantile => name == "quantile",
        };
        match text::value(value.as_bytes()) {
            Some(number) if is_number => {
                let normal = open_metrics_float(number);
                if normal == value { value } else { normal }
            }
            _ => value,
        }
    }
}
