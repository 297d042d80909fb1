//! What can be wrong with a page.

use std::fmt;

use taffrail_core::histogram::HistogramError;
use taffrail_core::histogram::classic::ClassicError;
use thiserror::Error;

use crate::proto::ProtoError;

/// Where on a page something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a text page.
    Line {
        /// The line's number, from 1.
        line: usize,
        /// The byte in the line, from 1.
        column: usize,
    },
    /// On a protobuf page: how many bytes come before the message of the family.
    Byte(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { line, column } => write!(f, "line {line}, column {column}"),
            Place::Byte(byte) => write!(f, "the family at byte {byte}"),
        }
    }
}

/// Why a page is refused. Prometheus refuses it as well.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{place}: {what}")]
pub struct PageError {
    /// Where.
    pub place: Place,
    /// What is wrong.
    #[source]
    pub what: What,
}

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum What {
    /// The line begins with no metric's name.
    #[error(
        "a metric's name was expected: letters, digits, _ and :, no digit first; others in quotes inside the braces"
    )]
    Name,
    /// Labels, but no metric's name before or among them.
    #[error("the series has no metric's name")]
    NoName,
    /// A metric's name before and among the labels.
    #[error("the series has a second metric's name, or an empty one")]
    TwoNames,
    /// Where a label's name should be, there is none.
    #[error("a label's name was expected: letters, digits and _, no digit first; others in quotes")]
    LabelName,
    /// The same label twice in one series.
    #[error("the label {0} stands twice in one series")]
    LabelTwice(String),
    /// No `=` behind a label's name.
    #[error("= was expected behind a label's name")]
    Equals,
    /// No comma or brace behind a label (OpenMetrics).
    #[error("a comma or }} was expected behind a label's value")]
    Comma,
    /// No string in double quotes where a label's value should be, or it does not end.
    #[error("a label's value was expected, in double quotes that are closed")]
    Quote,
    /// A label set that does not end.
    #[error("the labels are not closed with }}")]
    Brace,
    /// What should be a value is none.
    #[error("a value was expected: a number, NaN, +Inf or -Inf")]
    Value,
    /// What follows the value is no time.
    #[error(
        "a time was expected behind the value: in the text format whole milliseconds, in OpenMetrics seconds"
    )]
    Time,
    /// Something behind the time.
    #[error("nothing more was expected on this line")]
    More,
    /// A line that ends in CR LF.
    #[error("the line ends in CR LF; lines of a page end in LF alone")]
    CarriageReturn,
    /// No name behind `# TYPE` and the like.
    #[error("a metric's name was expected behind # HELP, # TYPE or # UNIT")]
    Family,
    /// An unknown word behind `# TYPE`.
    #[error("an unknown type; it is one of {0}, and nothing follows it")]
    Kind(&'static str),
    /// `# UNIT` with a unit that the name does not end in (OpenMetrics).
    #[error("the metric's name does not end in _ and the unit")]
    Unit,
    /// A comment that says none of what OpenMetrics has.
    #[error("OpenMetrics knows only # HELP, # TYPE, # UNIT and # EOF, with one blank behind # and the word")]
    Comment,
    /// A blank line (OpenMetrics).
    #[error("OpenMetrics has no blank lines")]
    Blank,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// OpenMetrics without `# EOF`: the page was cut short.
    #[error("the page does not end in # EOF: it was cut short")]
    NoEof,
    /// OpenMetrics with something behind `# EOF`.
    #[error("nothing was expected behind # EOF")]
    BehindEof,
    /// A message that is none.
    #[error(transparent)]
    Proto(#[from] ProtoError),
    /// A message longer than what is left of the page.
    #[error("the page ends inside a message: it was cut short")]
    CutShort,
    /// A family's type that does not exist.
    #[error("the family has the type {0}, which does not exist")]
    FamilyKind(u64),
    /// A native histogram that is none.
    #[error("native histogram: {0}")]
    Histogram(#[from] HistogramError),
    /// A classic histogram that cannot become a native one.
    #[error("classic histogram: {0}")]
    Classic(#[from] ClassicError),
}
