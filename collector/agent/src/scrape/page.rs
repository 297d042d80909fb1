//! Reading a target's page: which of its samples are kept, and whether it is good as a whole.

use std::borrow::Cow;

use taffrail_wire::page::{Entry, Format, Key, Options, Parser, Sample as Exposed};
use taffrail_wire::remote_write::MetricKind;

use super::job::Job;
use super::sample_labels::of_sample;
use super::series::{Index, Place, Sample, Series};
use super::target::Target;
use crate::metrics::Writer;
use crate::metrics::record::Family;

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
    /// Reads `page` into `samples`, which are good only if there is no error.
    pub fn read(&self, page: &[u8], format: Format, series: &mut Series, samples: &mut Vec<Sample>) -> Read {
        let mut read = Read::default();
        series.begin();
        samples.clear();
        let mut family = Described::default();
        let mut entries = Parser::new(page, format, Options::default());
        loop {
            if let Some(known) = entries.known(series.lines()) {
                read.scraped += 1;
                let exposed = (known.value, known.ts_ms);
                self.keep((Series::index(known.of), false), exposed, series, samples, &mut read);
                continue;
            }
            match entries.next() {
                None => break,
                Some(Ok(Entry::Sample(sample))) => {
                    read.scraped += 1;
                    let taken = self.take(&sample, &family, series, samples, &mut read);
                    if let Err(error) = taken {
                        read.error = Some(format!("{}: {error}", entries.place()));
                        break;
                    }
                }
                Some(Ok(entry)) => family.hear(entry),
                Some(Err(error)) => {
                    read.error = Some(error.to_string());
                    break;
                }
            }
        }
        let limit = self.job.limits.samples;
        if read.error.is_none() && limit > 0 && read.limited > limit {
            read.over_limit = true;
            read.error =
                Some(format!("sample_limit ({limit}) exceeded: the page has {} samples", read.limited));
        }
        read
    }

    fn take(
        &self,
        exposed: &Exposed<'_>,
        family: &Described<'_>,
        series: &mut Series,
        samples: &mut Vec<Sample>,
        read: &mut Read,
    ) -> Result<(), String> {
        let found = match series.find(&exposed.series) {
            Ok(found) => (found, false),
            Err(key) => (self.learn(key, exposed, family, series)?, true),
        };
        self.keep(found, (exposed.value, exposed.ts_ms), series, samples, read);
        Ok(())
    }

    /// Keeps a sample, its value and time, of a series that may be new, unless relabelling drops it.
    #[inline]
    fn keep(
        &self,
        (found, new): (Option<Index>, bool),
        (value, exposed_ms): (f64, Option<i64>),
        series: &mut Series,
        samples: &mut Vec<Sample>,
        read: &mut Read,
    ) {
        let Some(index) = found else { return };
        // What is left out below counts as well: it is on the page, and no rule drops it.
        read.kept += 1;
        let own = exposed_ms.filter(|_| self.job.honor_timestamps);
        let ts_ms = own.unwrap_or(self.now_ms);
        let place = series.place(index, ts_ms, own.is_some());
        if place == Place::Late {
            read.duplicates += 1;
            return;
        }
        read.limited += 1;
        let limit = self.job.limits.samples;
        if limit > 0 && read.limited > limit {
            // The page is bad now, and read to its end, so that it can be said how much is too much.
            return;
        }
        if ts_ms > self.now_ms.saturating_add(AHEAD_MS) {
            read.ahead += 1;
            return;
        }
        read.added += u64::from(new);
        series.see(index, ts_ms);
        if place == Place::New {
            let tracked = own.is_none() || self.job.track_timestamps_staleness;
            samples.push(Sample { series: index, ts_ms, value, tracked });
        }
    }

    /// Takes apart a line that was not on the page before.
    fn learn(
        &self,
        key: Key,
        exposed: &Exposed<'_>,
        family: &Described<'_>,
        series: &mut Series,
    ) -> Result<Option<Index>, String> {
        let name = exposed.series.name();
        let pairs: Vec<_> = exposed.series.labels().collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
        let labels = of_sample(&pairs, &self.target.labels, self.job)?;
        Ok(series.insert(key, labels.as_ref(), family.of(&name), self.writer))
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
            // Native histograms are not asked for.
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
