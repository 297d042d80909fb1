//! What can be against a specification on a page that is read all the same.

use taffrail_core::HistogramError;
use thiserror::Error;

/// A fault. Names in it are cut where they are long.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Fault {
    #[error("{family} has a second # TYPE; a family has one, before its samples")]
    TypeTwice { family: String },
    #[error("{family} has a second # HELP; a family has one")]
    HelpTwice { family: String },
    #[error("{family}'s # TYPE stands behind its samples; it stands before them")]
    TypeLate { family: String },
    #[error("samples of {family} stand apart from each other; those of one family stand together")]
    Apart { family: String },
    #[error("the series {name} was on the page before, for the same time; only the first counts")]
    SeriesTwice { name: String },
    #[error("the time of {name} is before that of the sample above; times of one series rise")]
    TimeBack { name: String },
    #[error("{name} is a counter; in OpenMetrics its samples end in _total (or _created)")]
    CounterName { name: String },
    #[error("{name} stands below the # TYPE of a {kind}, whose samples end in {endings}")]
    Ending { name: String, kind: &'static str, endings: &'static str },
    #[error("{name} is {value}; a counter is 0 or more")]
    NegativeCounter { name: String, value: f64 },
    #[error("{name} is {value}; an info is always 1, the state of a stateset 0 or 1")]
    State { name: String, value: f64 },
    #[error("{name} has no label {label} that is a number")]
    NoNumber { name: String, label: &'static str },
    #[error("{name} has the quantile {quantile}; it is from 0 to 1")]
    Quantile { name: String, quantile: f64 },
    #[error("{name}: the label le falls from line to line; bounds of buckets rise")]
    BoundsFall { name: String },
    #[error(
        "{name}: a bucket holds fewer than the one with the smaller bound; each holds all that the smaller hold"
    )]
    NotCumulative { name: String },
    #[error("{name} has no bucket with le=\"+Inf\"; it holds all observations")]
    NoInf { name: String },
    #[error("{name}: the bucket with le=\"+Inf\" holds {inf}, _count is {count}; they are equal")]
    CountDiffers { name: String, inf: f64, count: f64 },
    #[error("{name}: {error}")]
    Histogram { name: String, error: HistogramError },
    #[error("an exemplar at {name}; only counters and buckets of histograms have them")]
    ExemplarPlace { name: String },
    #[error(
        "an exemplar has more than 128 characters in its labels, or belongs to a native histogram and has no time; it was left out"
    )]
    ExemplarLeftOut,
    #[error("the label {label} begins with __; such names are Prometheus' own")]
    Reserved { label: String },
    #[error("no blank between the series and its value; there is one")]
    NoBlank,
    #[error("blanks in front of the name; Prometheus 3 takes them for a part of it")]
    Indented,
    #[error("no comma between two labels")]
    NoComma,
    #[error("a line end inside a label's value; it is written \\n")]
    LineEnd,
    #[error("a backslash in a label's value that is none of \\\\, \\\" and \\n; it is written \\\\")]
    Escape,
    #[error(
        "the name behind # HELP ends at a character that no name has; what follows was taken for the text"
    )]
    HelpName,
    #[error("a zero byte at the beginning of a line; nothing behind it is read")]
    Zero,
    #[error("the last line has no line end; every line has one")]
    NoLineEnd,
}

/// How much of a name a message shows.
const SHOWN: usize = 100;

/// A name for a message.
pub(super) fn short(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
