//! One front for all formats.

use super::collate::Collator;
use super::negotiate::Format;
use super::table::Table;
use super::{Entry, PageError, Place};
use crate::{protobuf, text};

/// What is wanted of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Native histograms are read (`scrape_native_histograms`). Otherwise their classic buckets are, as far as they have
    /// any.
    pub native: bool,
    /// Classic buckets are read of a histogram that is native as well, or is made native
    /// (`always_scrape_classic_histograms`).
    pub classic_too: bool,
    /// Classic histograms are made native ones with custom buckets (`convert_classic_histograms_to_nhcb`).
    pub convert_classic: bool,
    /// Samples shall know when their series began. On OpenMetrics pages this costs a second look at the samples of
    /// metrics that say it.
    pub created: bool,
}

impl Default for Options {
    /// As Prometheus has it: classic histograms as they are, and no native ones.
    fn default() -> Self {
        Options { native: false, classic_too: false, convert_classic: false, created: false }
    }
}

/// A sample of the series that was expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known<V> {
    /// What the table has for the series.
    pub of: V,
    /// The value; any NaN is [`NAN`](super::NAN).
    pub value: f64,
    /// The time in milliseconds since 1970, if the page gives one.
    pub ts_ms: Option<i64>,
    /// The series was on this page before.
    pub again: bool,
}

/// Iterator over what a page says. It ends at the first error, as Prometheus does: what follows something broken cannot
/// be trusted.
#[derive(Clone, Debug)]
pub struct Parser<'a>(Inner<'a>);

#[derive(Clone, Debug)]
enum Inner<'a> {
    Text(text::Parser<'a>),
    Collated(Collator<'a>),
    Protobuf(protobuf::Parser<'a>),
}

impl<'a> Parser<'a> {
    /// Over a page in this format. An empty page has nothing wrong with it, as Prometheus has it.
    pub fn new(page: &'a [u8], format: Format, options: Options) -> Self {
        let dialect = match format {
            Format::Text => text::Parser::LENIENT,
            Format::OpenMetrics => text::Parser::STRICT,
            Format::Protobuf => return Parser(Inner::Protobuf(protobuf::Parser::new(page, options))),
        };
        let lines = text::Parser::new(page, dialect, options.created);
        Parser(match options.convert_classic {
            true => Inner::Collated(Collator::new(lines, options.classic_too)),
            false => Inner::Text(lines),
        })
    }

    /// The next line, if it is a plain sample of the series that followed last time. Otherwise nothing is taken, and the
    /// iterator has the next entry.
    #[inline]
    pub fn known<V: Copy>(&mut self, table: &mut Table<V>) -> Option<Known<V>> {
        match &mut self.0 {
            Inner::Text(parser) => parser.known(table),
            Inner::Collated(_) | Inner::Protobuf(_) => None,
        }
    }

    /// Where on the page what was yielded last begins: its line, or its family's message.
    pub fn offset(&self) -> usize {
        match &self.0 {
            Inner::Text(parser) => parser.start(),
            Inner::Collated(parser) => parser.lines().start(),
            Inner::Protobuf(parser) => parser.start(),
        }
    }

    /// The same as line and column. They are counted anew at each call.
    pub fn place(&self) -> Place {
        self.place_of(self.offset())
    }

    /// Where an index of the page is.
    pub(super) fn place_of(&self, at: usize) -> Place {
        match &self.0 {
            Inner::Text(parser) => parser.place(at),
            Inner::Collated(parser) => parser.lines().place(at),
            Inner::Protobuf(_) => Place::Byte(at),
        }
    }

    /// How many exemplars were left out so far: their labels were too long, or one of a native histogram had no time.
    pub fn exemplars_left_out(&self) -> u64 {
        match &self.0 {
            Inner::Text(parser) => parser.left_out(),
            Inner::Collated(parser) => parser.exemplars_left_out(),
            Inner::Protobuf(parser) => parser.left_out(),
        }
    }

    /// How many classic histograms were left out so far, which could not be made native ones: their values contradict
    /// each other.
    pub fn histograms_left_out(&self) -> u64 {
        match &self.0 {
            Inner::Collated(parser) => parser.histograms_left_out(),
            // On a protobuf page such a one is an error.
            Inner::Text(_) | Inner::Protobuf(_) => 0,
        }
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Entry<'a>, PageError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inner::Text(parser) => parser.next(),
            Inner::Collated(parser) => parser.next(),
            Inner::Protobuf(parser) => parser.next(),
        }
    }
}
