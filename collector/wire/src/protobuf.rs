//! Prometheus' protobuf exposition: messages `io.prometheus.client.MetricFamily`, each behind its length.
//!
//! <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>. The only format that
//! carries native histograms. A family is read metric by metric and a classic histogram bucket by bucket, as if they
//! were lines of text, so that a page needs no memory of its own size.

mod family;
mod histogram;
mod metric;
mod parser;
mod series;
#[cfg(test)]
mod tests;

pub(crate) use parser::Parser;
pub(crate) use series::{Labels, Series};
