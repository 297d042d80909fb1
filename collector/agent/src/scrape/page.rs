//! Reading a target's page: which of its samples are kept, and whether it is good as a whole.

use std::borrow::Cow;

use taffrail_core::histogram::HistogramError;
use taffrail_wire::page::{
    Entry, Exemplar as Exposed, Format, HistogramSample, Key, Options, Parser, Series as Named,
};
use taffrail_wire::remote_write::MetricKind;

use super::fold::Fate;
use super::job::Job;
use super::sample_labels::of_sample;
use super::series::{Index, Line, Place, Series};
use super::taken::{More, Sample, Taken};
use super::target::Target;
use crate::metrics::Writer;
use crate::metrics::record::{Exemplar, Family};

/// A time further ahead than this is not taken.
const AHEAD_MS: i64 = 600_000;

/// What a page held.
#[derive(Debug, Default)]
pub struct Read {
    /// Samples on the page.
    pub scraped: u64,
    /// Those that relabelling left.
    pub kept: u64,
    /// Those whose lines were not known before.
    pub added: u64,
    /// Left out as the series has one of this time or a later one already.
    pub duplicates: u64,
    /// Left out as their time is more than ten minutes ahead.
    pub ahead: u64,
    /// Left out as their labels are too long, or as one of a native histogram has no time.
    pub exemplars_left_out: u64,
    /// Classic histograms whose buckets contradict each other, so that no native ones could be made of them.
    pub histograms_left_out: u64,
    /// What is wrong with the page as a whole: nothing of it is taken.
    pub error: Option<String>,
    /// How many count for `sample_limit`.
    limited: usize,
    /// Whether they are more than it.
    pub over_limit: bool,
}

/// What a page is read for.
pub struct Reader<'a> {
    /// Whose rules and limits hold.
    pub job: &'a Job,
    /// Whose labels are added.
    pub target: &'a Target,
    /// Gives new series their numbers.
    pub writer: &'a Writer,
    /// The time of samples that say none.
    pub now_ms: i64,
}

impl Reader<'_> {
    /// Reads `page` into `taken`, which is good only if there is no error.
    pub fn read(&self, page: &[u8], format: Format, series: &mut Series, taken: &mut Taken) -> Read {
        let tells = format == Format::OpenMetrics && !self.job.formats.convert_classic;
        let told = tells && series.starts_are_hidden();
        let mut reading = Reading { reader: self, series, taken, read: Read::default(), tells, told };
        reading.series.begin();
        reading.taken.begin(reading.series.count());
        let error = reading.lines(page, format);
        let (mut read, told) = (reading.read, reading.told);
        let limit = self.job.limits.samples;
        read.error = error;
        if read.error.is_none() && limit > 0 && read.limited > limit {
            read.over_limit = true;
            read.error =
                Some(format!("sample_limit ({limit}) exceeded: the page has {} samples", read.limited));
        }
        if told && read.error.is_none() {
            self.starts(page, format, series);
        }
        read
    }

    fn options(&self) -> Options {
        let formats = &self.job.formats;
        Options {
            native: formats.native,
            classic_too: formats.classic_too,
            convert_classic: formats.convert_classic,
            // Lines that are taken apart anyway can say it at once; others need a second look, seldom.
            created: formats.convert_classic,
        }
    }

    /// Learns from an OpenMetrics page when series began.
    fn starts(&self, page: &[u8], format: Format, series: &mut Series) {
        let options = Options { created: true, ..Options::default() };
        for entry in Parser::new(page, format, options) {
            let Ok(Entry::Sample(sample)) = entry else { continue };
            if let (Some(ms), Ok(line)) = (sample.created_ms, series.find(&sample.series))
                && let Some(index) = line.series()
            {
                series.begin_at(index, ms);
            }
        }
    }

    /// Takes apart a line that was not on the page before.
    fn learn(
        &self,
        key: Key,
        exposed: &Named<'_>,
        family: &Described<'_>,
        series: &mut Series,
    ) -> Result<Line, String> {
        let name = exposed.name();
        let pairs: Vec<_> = exposed.labels().collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
        let mut labels = of_sample(&pairs, &self.target.labels, self.job)?;
        let family = family.of(&name);
        if let Some(labels) = &mut labels
            && !self.job.fold.is_empty()
        {
            match series.folds().admit(&self.job.fold, family, &name, labels) {
                Fate::Kept => {}
                Fate::Folded => return Ok(series.insert_part(key, labels, family, self.writer)),
                Fate::LeftOut => return Ok(series.leave_out(key)),
            }
        }
        let index = series.insert(key, labels.as_ref(), family, self.writer);
        Ok(index.map_or(Line::DROPPED, Line::of))
    }
}

/// A page while it is read.
struct Reading<'a> {
    reader: &'a Reader<'a>,
    series: &'a mut Series,
    taken: &'a mut Taken,
    read: Read,
    /// Lines of the page may say when others began.
    tells: bool,
    /// They do, and not as before.
    told: bool,
}

/// A sample as a page has it, without what it is of.
#[derive(Clone, Copy)]
struct Value {
    number: f64,
    ts_ms: Option<i64>,
    created_ms: Option<i64>,
}

impl Reading<'_> {
    /// Reads to the end, or to what is wrong with the page.
    fn lines(&mut self, page: &[u8], format: Format) -> Option<String> {
        let mut family = Described::default();
        let mut entries = Parser::new(page, format, self.reader.options());
        let error = loop {
            if let Some(known) = entries.known(self.series.lines()) {
                self.read.scraped += 1;
                let value = Value { number: known.value, ts_ms: known.ts_ms, created_ms: None };
                self.keep(known.of, false, value);
                continue;
            }
            let taken = match entries.next() {
                None => break None,
                Some(Err(error)) => break Some(error.to_string()),
                Some(Ok(Entry::Sample(sample))) => {
                    let value =
                        Value { number: sample.value, ts_ms: sample.ts_ms, created_ms: sample.created_ms };
                    let exemplars = sample.exemplar.as_deref().map(std::slice::from_ref).unwrap_or_default();
                    self.take(&sample.series, value, exemplars, &family)
                }
                Some(Ok(Entry::Histogram(sample))) => self.histogram(*sample, &family),
                Some(Ok(entry)) => {
                    family.hear(entry);
                    Ok(())
                }
            };
            if let Err(error) = taken {
                break Some(format!("{}: {error}", entries.place()));
            }
        };
        self.read.exemplars_left_out = entries.exemplars_left_out();
        self.read.histograms_left_out = entries.histograms_left_out();
        error
    }

    fn take(
        &mut self,
        exposed: &Named<'_>,
        value: Value,
        exemplars: &[Exposed<'_>],
        family: &Described<'_>,
    ) -> Result<(), String> {
        let (index, kept) = self.sample(exposed, value, family)?;
        if let (Some(index), true) = (index, kept) {
            self.exemplars(index, exemplars, value);
        }
        Ok(())
    }

    fn histogram(&mut self, sample: HistogramSample<'_>, family: &Described<'_>) -> Result<(), String> {
        let mut histogram = sample.histogram;
        let formats = &self.reader.job.formats;
        let most = if formats.bucket_limit == 0 { usize::MAX } else { formats.bucket_limit };
        histogram.limit(formats.finest, most).and_then(|()| histogram.validate()).map_err(|error| {
            let of = sample.series.name();
            match error {
                HistogramError::TooManyBuckets { .. } => {
                    format!("native_histogram_bucket_limit: {of}: {error}")
                }
                error => format!("the native histogram {of}: {error}"),
            }
        })?;
        let value = Value { number: 0.0, ts_ms: sample.ts_ms, created_ms: sample.created_ms };
        let (index, kept) = self.sample(&sample.series, value, family)?;
        if let (Some(index), true) = (index, kept) {
            self.taken.add(More::Histogram(Box::new(histogram)));
            self.exemplars(index, &sample.exemplars, value);
        }
        Ok(())
    }

    /// The series of a sample, none if relabelling drops it, and whether the sample was kept.
    fn sample(
        &mut self,
        exposed: &Named<'_>,
        value: Value,
        family: &Described<'_>,
    ) -> Result<(Option<Index>, bool), String> {
        self.read.scraped += 1;
        let (found, new) = match self.series.find(exposed) {
            Ok(found) => (found, false),
            Err(key) => {
                let found = self.reader.learn(key, exposed, family, self.series)?;
                if self.tells && found != Line::LEFT_OUT && exposed.name().ends_with("_created") {
                    self.series.tells_start(found.series());
                    self.told = true;
                }
                (found, true)
            }
        };
        Ok((found.series(), self.keep(found, new, value)))
    }

    /// Keeps a sample of a series that may be new, unless relabelling drops it. Whether it is among what was taken.
    #[inline]
    fn keep(&mut self, found: Line, new: bool, value: Value) -> bool {
        let Some(index) = found.series() else {
            self.fold(found, value);
            return false;
        };
        // What is left out below counts as well: it is on the page, and no rule drops it.
        self.read.kept += 1;
        let job = self.reader.job;
        let own = value.ts_ms.filter(|_| job.honor_timestamps);
        let ts_ms = own.unwrap_or(self.reader.now_ms);
        let place = self.series.place(index, ts_ms, own.is_some());
        if place == Place::Late {
            self.read.duplicates += 1;
            return false;
        }
        self.read.limited += 1;
        let limit = job.limits.samples;
        if limit > 0 && self.read.limited > limit {
            // The page is bad now, and read to its end, so that it can be said how much is too much.
            return false;
        }
        if ts_ms > self.reader.now_ms.saturating_add(AHEAD_MS) {
            self.read.ahead += 1;
            return false;
        }
        self.read.added += u64::from(new);
        self.told |= self.series.see(index, ts_ms, value.number);
        if let Some(ms) = value.created_ms {
            self.series.begin_at(index, ms);
        }
        if place == Place::Again {
            self.taken.again.push((self.taken.samples.len() as u32, index));
            return false;
        }
        let tracked = own.is_none() || job.track_timestamps_staleness;
        let own = own.is_some();
        self.taken.samples.push(Sample { series: index, ts_ms, value: value.number, tracked, own });
        true
    }

    /// Notes the value of a line that is part of a folded series, if it is one. It counts as any other.
    fn fold(&mut self, line: Line, value: Value) {
        let Some(member) = line.member() else { return };
        self.read.kept += 1;
        if self.series.see_part(member, value.number) {
            self.read.limited += 1;
        } else {
            self.read.duplicates += 1;
        }
    }

    /// Adds the exemplars of the sample that was kept last, those that are new.
    fn exemplars(&mut self, index: Index, exemplars: &[Exposed<'_>], value: Value) {
        for exposed in exemplars {
            let mut labels: Vec<(Box<str>, Box<str>)> =
                exposed.labels.iter().map(|(name, value)| ((&**name).into(), (&**value).into())).collect();
            labels.sort_unstable();
            let ts_ms = exposed.ts_ms.or(value.ts_ms).unwrap_or(self.reader.now_ms);
            let exemplar = Exemplar { labels: labels.into(), value: exposed.value, ts_ms };
            if self.series.is_new(index, &exemplar, exposed.ts_ms.is_some()) {
                self.taken.add(More::Exemplar(Box::new(exemplar)));
            }
        }
    }
}

/// What the lines above a sample say of its family.
#[derive(Default)]
struct Described<'a> {
    name: Cow<'a, str>,
    kind: MetricKind,
    help: Cow<'a, str>,
    unit: Cow<'a, str>,
}

/// What may stand behind a family's name in the name of one of its series.
const SUFFIXES: [&str; 9] =
    ["", "_total", "_bucket", "_count", "_sum", "_created", "_info", "_gcount", "_gsum"];

impl<'a> Described<'a> {
    fn hear(&mut self, entry: Entry<'a>) {
        match entry {
            Entry::Type { family, kind } => {
                self.begin(family);
                self.kind = kind;
            }
            Entry::Help { family, text } => {
                self.begin(family);
                self.help = text;
            }
            Entry::Unit { family, unit } => {
                self.begin(family);
                self.unit = unit;
            }
            Entry::Sample(_) | Entry::Histogram(_) | Entry::Comment(_) | Entry::Eof => {}
        }
    }

    fn begin(&mut self, name: Cow<'a, str>) {
        if self.name != name {
            *self = Described { name, ..Described::default() };
        }
    }

    /// The family of a series called `name`: this one, if the name fits, else one of which nothing is known.
    fn of<'s>(&'s self, name: &'s str) -> Family<'s> {
        match name.strip_prefix(&*self.name) {
            Some(suffix) if SUFFIXES.contains(&suffix) => {
                Family { name: &self.name, kind: self.kind, help: &self.help, unit: &self.unit }
            }
            _ => Family { name, kind: MetricKind::Unknown, help: "", unit: "" },
        }
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
