//! What is taken of a page, before it is known whether the page is good.

use taffrail_core::Histogram;

use super::series::Index;
use crate::metrics::record::Exemplar;

/// A sample of a page.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Whose.
    pub series: Index,
    /// Milliseconds since 1970.
    pub ts_ms: i64,
    /// The value; of a histogram, nothing.
    pub value: f64,
    /// Whether the series ends when it is gone from the page.
    pub tracked: bool,
    /// Whether the page says the time itself.
    pub own: bool,
}

/// What a sample may have besides.
#[derive(Clone, Debug, PartialEq)]
pub enum More {
    /// The native histogram that is there in the place of a number.
    Histogram(Box<Histogram>),
    /// An example.
    Exemplar(Box<Exemplar>),
}

/// The samples of a page.
#[derive(Debug, Default)]
pub struct Taken {
    /// In the page's order.
    pub samples: Vec<Sample>,
    /// What some have besides, in that order too, each with the index of its sample.
    pub more: Vec<(u32, More)>,
    /// Series whose samples were taken from the page before already, each with how many samples stand before it.
    pub again: Vec<(u32, Index)>,
}

/// The most samples for which room is kept until the next page.
const ROOM: usize = 4096;

impl Taken {
    /// Begins a page of about as many samples as the last one had.
    pub fn begin(&mut self, expected: usize) {
        self.clear();
        self.samples.reserve(expected);
    }

    /// Adds something to the last sample.
    pub fn add(&mut self, more: More) {
        if let Some(at) = self.samples.len().checked_sub(1) {
            self.more.push((at as u32, more));
        }
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.samples.shrink_to(ROOM);
        self.more = Vec::new();
        self.again = Vec::new();
    }
}
