//! A page of metrics, as a target answers a scrape: the text format 0.0.4 and 1.0.0, OpenMetrics 1.0, and protobuf.
//!
//! [`Parser`] walks a page; the verdict on it is Prometheus', strict where that is strict and lenient where it is
//! lenient, so that a target which works there works here. What the specifications say beyond it, [`check()`] says.
//!
//! Nearly all lines of a page are series that were there before, in the same order. For those there is a [`Table`]:
//! [`Parser::known`] compares a line with the series that followed last time, by a hash, and reads its value. What it
//! does not take, the iterator takes apart:
//!
//! ```
//! use taffrail_wire::page::{Entry, Format, Found, Options, Parser, Table};
//!
//! let mut table: Table<u32> = Table::new();
//! for page in [b"up 1\n", b"up 0\n"] {
//!     let mut parser = Parser::new(page, Format::Text, Options::default());
//!     table.begin();
//!     loop {
//!         if let Some(known) = parser.known(&mut table) {
//!             assert_eq!((known.of, known.value), (7, 0.0));
//!             continue;
//!         }
//!         let Some(entry) = parser.next() else { break };
//!         if let Entry::Sample(sample) = entry? {
//!             match table.find(&sample.series) {
//!                 Found::New(key) => table.insert(key, 7),
//!                 Found::Known { .. } => {}
//!             }
//!         }
//!     }
//!     table.sweep(|gone| panic!("{gone} was on both pages"));
//! }
//! # Ok::<(), taffrail_wire::page::PageError>(())
//! ```
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

mod check;
mod collate;
mod entry;
mod error;
mod float;
mod hash;
mod negotiate;
mod parser;
mod series;
mod table;
#[cfg(test)]
mod tests;

pub use check::{Fault, MOST_WARNINGS, Report, Warning, check};
pub use entry::{Entry, Exemplar, HistogramSample, LONGEST_EXEMPLAR, Sample};
pub use error::{PageError, Place, What};
pub use float::open_metrics_float;
pub use negotiate::{ContentTypeError, Escaping, Format, Protocol, accept, format_of};
pub use parser::{Known, Options, Parser};
pub use series::{Labels, Series};
pub use table::{Found, Key, Table};

pub(crate) use series::{FloatLabel, Form};

/// The value that every NaN on a text page becomes; others, the staleness marker among them, must not come from outside.
pub const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);
