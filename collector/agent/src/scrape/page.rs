//! Reading a target's page: which of its samples are kept, and whether it is good as a whole.

use std::borrow::Cow;

use taffrail_wire::remote_write::MetricKind;
use taffrail_wire::text::{Format, Item, Sample as Exposed, parse};

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
        let mut items = parse(page, format);
        loop {
            match items.next() {
                None => break,
                Some(Ok(Item::Sample(sample))) => {
                    read.scraped += 1;
                    let taken = self.take(&sample, &family, series, samples, &mut read);
                    if let Err(error) = taken {
                        read.error = Some(format!("line {}: {error}", items.line()));
                        break;
                    }
                }
                Some(Ok(item)) => family.hear(item),
                Some(Err(error)) => {
                    read.error = Some(error.to_string());
                    break;
                }
            }
        }
        let limit = self.job.limits.samples;
        if read.error.is_none() && limit > 0 && read.limited > limit {
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
        let bytes = exposed.series.bytes();
        let (found, new) = match series.find(bytes) {
            Some(found) => (found, false),
            None => (self.learn(exposed, family, series)?, true),
        };
        let Some(index) = found else { return Ok(()) };
        // What is left out below counts as well: it is on the page, and no rule drops it.
        read.kept += 1;
        let own = exposed.ts_ms.filter(|_| self.job.honor_timestamps);
        let ts_ms = own.unwrap_or(self.now_ms);
        let place = series.place(index, ts_ms, own.is_some());
        if place == Place::Late {
            read.duplicates += 1;
            return Ok(());
        }
        read.limited += 1;
        let limit = self.job.limits.samples;
        if limit > 0 && read.limited > limit {
            // The page is bad now, and read to its end, so that it can be said how much is too much.
            return Ok(());
        }
        if ts_ms > self.now_ms.saturating_add(AHEAD_MS) {
            read.ahead += 1;
            return Ok(());
        }
        read.added += u64::from(new);
        series.see(index, ts_ms);
        if place == Place::New {
            let tracked = own.is_none() || self.job.track_timestamps_staleness;
            samples.push(Sample { series: index, ts_ms, value: exposed.value, tracked });
        }
        Ok(())
    }

    /// Takes apart a line that was not on the page before.
    fn learn(
        &self,
        exposed: &Exposed<'_>,
        family: &Described<'_>,
        series: &mut Series,
    ) -> Result<Option<Index>, String> {
        let name = exposed.series.name().map_err(|what| what.to_string())?;
        let pairs: Result<Vec<_>, _> = exposed.series.labels().collect();
        let pairs = pairs.map_err(|what| what.to_string())?;
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
        if let Some((twice, _)) = first_twice(&pairs) {
            return Err(format!("the label `{twice}` is given twice"));
        }
        let labels = of_sample(&pairs, &self.target.labels, self.job)?;
        Ok(series.insert(exposed.series.bytes(), labels.as_ref(), family.of(&name), self.writer))
    }
}

fn first_twice<'a>(pairs: &[(&'a str, &'a str)]) -> Option<(&'a str, &'a str)> {
    let mut names: Vec<_> = pairs.to_vec();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0])
}

/// The format of a page by its `Content-Type` header, or else `fallback`: what is none of the formats is not guessed at,
/// so that a page for people (a login, an error) is not taken for metrics.
///
/// # Errors
/// When the header says none, and there is no fallback.
pub fn format_of(content_type: &str, fallback: Option<Format>) -> Result<Format, String> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is = |known: &str| media_type.eq_ignore_ascii_case(known);
    if is("text/plain") {
        return Ok(Format::Prometheus);
    }
    if is("application/openmetrics-text") {
        return Ok(Format::OpenMetrics);
    }
    let shown: String = content_type.chars().take(100).collect();
    let what = match shown.is_empty() {
        true => "the target says no Content-Type".to_owned(),
        false => format!("the page is `{shown}`, which is no format of metrics: is `metrics_path` right?"),
    };
    let mend = "if it is metrics, say of which format by `fallback_scrape_protocol`";
    fallback.ok_or_else(|| format!("{what}; {mend}"))
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
    fn hear(&mut self, item: Item<'a>) {
        match item {
            Item::Type(name, kind) => {
                self.begin(name);
                self.kind = kind;
            }
            Item::Help(name, help) => {
                self.begin(name);
                self.help = help;
            }
            Item::Unit(name, unit) => {
                self.begin(name);
                self.unit = unit;
            }
            Item::Sample(_) => {}
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
