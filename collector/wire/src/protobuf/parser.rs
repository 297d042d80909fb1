//! The pass over a page's families.

use taffrail_core::Histogram;

use super::family::{Family, Kind, Metrics};
use super::histogram::{Bucket, Head, converted, exemplars, native};
use super::metric::{self, Metric};
use super::series::Series;
use crate::page::{
    Entry, Exemplar, Form, HistogramSample, Options, PageError, Place, Sample, Series as PageSeries, What,
};
use crate::proto::{Fields, read_varint};

/// What comes next of the present family.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Unit,
    Type,
    /// The next metric.
    Metric,
    /// Of the present metric: its native histogram, and then its classic series if they are wanted.
    Native {
        classic: bool,
    },
    /// Its count, sum, and buckets or quantiles, and then a native histogram made of them if that is wanted.
    Count {
        convert: bool,
    },
    Sum {
        convert: bool,
    },
    Each {
        convert: bool,
    },
    /// The native histogram made of the buckets.
    Converted,
}

/// Iterator over a page of families.
#[derive(Clone, Debug)]
pub(crate) struct Parser<'a> {
    page: &'a [u8],
    /// Where the next family begins.
    at: usize,
    /// Where the present one begins.
    start: usize,
    options: Options,
    ended: bool,
    left_out: u64,
    family: Option<Family<'a>>,
    stage: Stage,
    metrics: Metrics<'a>,
    /// The message of the present metric.
    message: &'a [u8],
    metric: Metric<'a>,
    head: Head,
    /// The buckets or quantiles that are left.
    each: Fields<'a>,
}

impl<'a> Parser<'a> {
    /// Over a page.
    pub(crate) fn new(page: &'a [u8], options: Options) -> Self {
        Parser {
            page,
            at: 0,
            start: 0,
            options,
            ended: false,
            left_out: 0,
            family: None,
            stage: Stage::Metric,
            metrics: Metrics::new(b""),
            message: b"",
            metric: Metric::default(),
            head: Head::default(),
            each: Fields::new(b""),
        }
    }

    /// The index at which the present family begins.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// How many exemplars were left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    fn step(&mut self) -> Result<Option<Entry<'a>>, What> {
        loop {
            let Some(family) = self.family else {
                if self.at == self.page.len() {
                    return Ok(None);
                }
                if let Some(help) = self.next_family()? {
                    return Ok(Some(help));
                }
                continue;
            };
            let entry = match self.stage {
                Stage::Unit => {
                    self.stage = Stage::Type;
                    (!family.unit.is_empty())
                        .then(|| Entry::Unit { family: family.name.into(), unit: family.unit.into() })
                }
                Stage::Type => {
                    self.stage = Stage::Metric;
                    Some(Entry::Type { family: family.name.into(), kind: family.kind.metric_kind() })
                }
                Stage::Metric => self.next_metric(&family)?,
                Stage::Native { classic } => {
                    self.stage = if classic { Stage::Count { convert: false } } else { Stage::Metric };
                    Some(self.native(&family)?)
                }
                Stage::Count { convert } => {
                    self.stage = Stage::Sum { convert };
                    Some(self.number(&family, "_count", None, self.head.count(), None))
                }
                Stage::Sum { convert } => {
                    self.stage = Stage::Each { convert };
                    self.each = Fields::new(self.metric.body);
                    Some(self.number(&family, "_sum", None, self.head.sum, None))
                }
                Stage::Each { convert } => self.next_bucket(&family, convert)?,
                Stage::Converted => {
                    self.stage = Stage::Metric;
                    let gauge = family.kind == Kind::GaugeHistogram;
                    let histogram = converted(self.metric.body, &self.head, gauge)?;
                    Some(self.histogram(&family, histogram)?)
                }
            };
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }

    fn next_family(&mut self) -> Result<Option<Entry<'a>>, What> {
        self.start = self.at;
        let (len, rest) = read_varint(&self.page[self.at..])?;
        let len = usize::try_from(len).map_err(|_| What::CutShort)?;
        let message = rest.get(..len).ok_or(What::CutShort)?;
        self.at = self.page.len() - rest.len() + len;
        self.family = Family::read(message)?;
        (self.stage, self.metrics) = (Stage::Unit, Metrics::new(message));
        Ok(self.family.map(|family| Entry::Help { family: family.name.into(), text: family.help.into() }))
    }

    fn next_metric(&mut self, family: &Family<'a>) -> Result<Option<Entry<'a>>, What> {
        let Some(message) = self.metrics.next() else {
            self.family = None;
            return Ok(None);
        };
        self.message = message?;
        self.metric = Metric::read(self.message, family.kind)?;
        self.head = Head::default();
        match family.kind {
            Kind::Gauge | Kind::Untyped => {
                let value = metric::number(self.metric.body)?;
                return Ok(Some(self.number(family, "", None, value, None)));
            }
            Kind::Counter => {
                let (value, exemplar, created_ms) = metric::counter(self.metric.body)?;
                self.head.created_ms = created_ms;
                return Ok(Some(self.number(family, "", None, value, exemplar)));
            }
            Kind::Summary => {
                self.head = Head::of_summary(self.metric.body)?;
                self.stage = Stage::Count { convert: false };
            }
            Kind::Histogram | Kind::GaugeHistogram => {
                self.head = Head::of_histogram(self.metric.body)?;
                let Options { native, classic_too, convert_classic, .. } = self.options;
                self.stage = if native && self.head.native {
                    Stage::Native { classic: classic_too && self.head.classic }
                } else if convert_classic && !classic_too {
                    Stage::Converted
                } else {
                    Stage::Count { convert: convert_classic }
                };
            }
        }
        Ok(None)
    }

    /// The next bucket of a classic histogram, or quantile of a summary.
    fn next_bucket(&mut self, family: &Family<'a>, convert: bool) -> Result<Option<Entry<'a>>, What> {
        let last = if convert { Stage::Converted } else { Stage::Metric };
        for field in self.each.by_ref() {
            let field = field?;
            if field.number != 3 {
                continue;
            }
            if family.kind == Kind::Summary {
                let quantile = Bucket::quantile(field.bytes()?)?;
                let float = Some(("quantile", quantile.bound));
                return Ok(Some(self.number(family, "", float, quantile.count, None)));
            }
            let bucket = Bucket::read(field.bytes()?)?;
            if bucket.bound == f64::INFINITY {
                self.stage = last;
            }
            let float = Some(("le", bucket.bound));
            return Ok(Some(self.number(family, "_bucket", float, bucket.count, bucket.exemplar)));
        }
        self.stage = last;
        // The bucket that holds all is optional.
        let all = || Some(("le", f64::INFINITY));
        Ok((family.kind != Kind::Summary)
            .then(|| self.number(family, "_bucket", all(), self.head.count(), None)))
    }

    fn native(&mut self, family: &Family<'a>) -> Result<Entry<'a>, What> {
        let histogram = native(self.metric.body, &self.head, family.kind == Kind::GaugeHistogram)?;
        self.histogram(family, histogram)
    }

    fn histogram(&mut self, family: &Family<'a>, histogram: Histogram) -> Result<Entry<'a>, What> {
        let (exemplars, left_out) = exemplars(self.metric.body, &self.head)?;
        self.left_out += left_out;
        Ok(Entry::Histogram(Box::new(HistogramSample {
            series: self.series(family, "", None),
            histogram,
            ts_ms: self.metric.ts_ms,
            created_ms: self.head.created_ms,
            exemplars,
        })))
    }

    fn number(
        &mut self,
        family: &Family<'a>,
        suffix: &'static str,
        float: Option<(&'static str, f64)>,
        value: f64,
        exemplar: Option<Exemplar<'a>>,
    ) -> Entry<'a> {
        let too_long = exemplar.as_ref().is_some_and(Exemplar::is_too_long);
        self.left_out += u64::from(too_long);
        Entry::Sample(Sample {
            series: self.series(family, suffix, float),
            value,
            ts_ms: self.metric.ts_ms,
            created_ms: self.head.created_ms,
            exemplar: exemplar.filter(|_| !too_long).map(Box::new),
        })
    }

    fn series(
        &self,
        family: &Family<'a>,
        suffix: &'static str,
        float: Option<(&'static str, f64)>,
    ) -> PageSeries<'a> {
        PageSeries(Form::Proto(Series { family: family.name, suffix, metric: self.message, float }))
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Entry<'a>, PageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended = !matches!(step, Ok(Some(_)));
        step.map_err(|what| PageError { place: Place::Byte(self.start), what }).transpose()
    }
}
