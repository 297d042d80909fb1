//! Classic histograms on text pages, made native: the series of one histogram stand below each other, and are collected
//! until another series comes.
//!
//! As in Prometheus, a family's series are only taken if `# TYPE` says that it is a histogram, and values that do not
//! make one are lost with it: then nothing stands for them.

use std::borrow::Cow;
use std::collections::VecDeque;

use taffrail_core::histogram::classic::Classic;

use super::{Entry, Exemplar, Form, HistogramSample, PageError, Sample, Series};
use crate::remote_write::MetricKind;
use crate::text;

/// A name and a value.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// What part of a histogram a series is.
#[derive(Clone, Copy)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

/// A histogram that is being collected.
#[derive(Clone, Debug)]
struct Collecting<'a> {
    /// Sorted, the family's name among them and `le` not.
    labels: Vec<Pair<'a>>,
    ts_ms: Option<i64>,
    created_ms: Option<i64>,
    exemplars: Vec<Exemplar<'a>>,
}

/// Iterator over a text page whose classic histograms are native ones.
#[derive(Clone, Debug)]
pub(super) struct Collator<'a> {
    lines: text::Parser<'a>,
    /// The series that a histogram is made of are yielded as well.
    classic_too: bool,
    /// The family of the last `# TYPE`, if it is a histogram.
    family: Option<Cow<'a, str>>,
    classic: Classic,
    collecting: Option<Collecting<'a>>,
    exemplars_left_out: u64,
    histograms_left_out: u64,
    /// What comes next, before the next line.
    ready: VecDeque<Result<Entry<'a>, PageError>>,
}

impl<'a> Collator<'a> {
    pub(super) fn new(lines: text::Parser<'a>, classic_too: bool) -> Self {
        Collator {
            lines,
            classic_too,
            family: None,
            classic: Classic::default(),
            collecting: None,
            exemplars_left_out: 0,
            histograms_left_out: 0,
            ready: VecDeque::new(),
        }
    }

    /// The parser of the lines.
    pub(super) fn lines(&self) -> &text::Parser<'a> {
        &self.lines
    }

    pub(super) fn exemplars_left_out(&self) -> u64 {
        self.lines.left_out() + self.exemplars_left_out
    }

    pub(super) fn histograms_left_out(&self) -> u64 {
        self.histograms_left_out
    }

    /// Takes a sample in, if it is of a histogram. What has become ready stands in `ready`.
    fn sample(&mut self, sample: Sample<'a>) {
        let Some((part, labels)) = self.part(&sample) else {
            self.finish();
            self.ready.push_back(Ok(Entry::Sample(sample)));
            return;
        };
        if self.collecting.as_ref().is_none_or(|collecting| collecting.labels != labels) {
            self.finish();
            self.collecting = Some(Collecting {
                labels,
                ts_ms: None,
                created_ms: sample.created_ms,
                exemplars: Vec::new(),
            });
        }
        if let Some(collecting) = &mut self.collecting {
            collecting.ts_ms = sample.ts_ms;
            match sample.exemplar.as_deref() {
                Some(exemplar) if exemplar.ts_ms.is_some() => collecting.exemplars.push(exemplar.clone()),
                // One without a time is of no use to a native histogram.
                Some(_) => self.exemplars_left_out += 1,
                None => {}
            }
        }
        match part {
            Part::Bucket(bound) => self.classic.bucket(bound, sample.value),
            Part::Count => self.classic.count(sample.value),
            Part::Sum => self.classic.sum(sample.value),
        }
        if self.classic_too {
            self.ready.push_back(Ok(Entry::Sample(sample)));
        }
    }

    /// What part of the present family's histogram a series is, and the histogram's labels.
    fn part(&self, sample: &Sample<'a>) -> Option<(Part, Vec<Pair<'a>>)> {
        let family = self.family.as_ref()?;
        let mut labels: Vec<Pair<'a>> = sample.series.labels().collect();
        let name = labels.iter_mut().find(|(name, _)| name == "__name__")?;
        let suffix = name.1.strip_prefix(&**family)?;
        let part = match suffix {
            "_count" => Part::Count,
            "_sum" => Part::Sum,
            "_bucket" => Part::Bucket(f64::NAN),
            _ => return None,
        };
        name.1 = family.clone();
        let bound = labels.iter().position(|(name, _)| name == "le").map(|at| labels.remove(at).1);
        let part = match (part, bound) {
            (Part::Bucket(_), bound) => {
                Part::Bucket(text::value(bound?.as_bytes()).filter(|bound| !bound.is_nan())?)
            }
            (part, _) => part,
        };
        labels.sort_unstable();
        Some((part, labels))
    }

    /// Ends the histogram that is being collected, if there is one.
    fn finish(&mut self) {
        let Some(collecting) = self.collecting.take() else { return };
        let converted = self.classic.convert();
        self.classic.clear();
        let Ok(histogram) = converted else {
            self.histograms_left_out += 1;
            return;
        };
        self.ready.push_back(Ok(Entry::Histogram(Box::new(HistogramSample {
            series: Series(Form::Made(collecting.labels.into())),
            histogram,
            ts_ms: collecting.ts_ms,
            created_ms: collecting.created_ms,
            exemplars: collecting.exemplars,
        }))));
    }
}

impl<'a> Iterator for Collator<'a> {
    type Item = Result<Entry<'a>, PageError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            match self.lines.next() {
                Some(Ok(Entry::Sample(sample))) => self.sample(sample),
                Some(Ok(entry)) => {
                    self.finish();
                    if let Entry::Type { family, kind } = &entry {
                        self.family = (*kind == MetricKind::Histogram).then(|| family.clone());
                    }
                    self.ready.push_back(Ok(entry));
                }
                Some(Err(error)) => {
                    // The page is refused; half a histogram is none.
                    self.collecting = None;
                    self.ready.push_back(Err(error));
                }
                None => {
                    self.finish();
                    break;
                }
            }
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
#[path = "collate_tests.rs"]
mod tests;
