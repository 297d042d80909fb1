//! The Prometheus text format 0.0.4 and 1.0.0, and OpenMetrics 1.0, read in one pass without copying.
//!
//! Prometheus reads the text format leniently and OpenMetrics strictly, each with a lexer of its own, and so do we:
//! `prometheus.rs` and `openmetrics.rs` have what is different, the other files what is the same.

mod created;
mod lex;
mod number;
mod openmetrics;
mod parser;
mod prometheus;
mod series;
#[cfg(test)]
mod tests;

pub(crate) use number::value;
pub(crate) use parser::Parser;
pub(crate) use series::{Labels, Series, looseness};
