//! How pages of a scrape job are asked for and read.

use taffrail_core::histogram::{FINEST, schema_of_factor};
use taffrail_wire::page::{self, accept};
use taffrail_wire::relabel::Names;

use super::Checker;
use crate::config::field::Field;
use crate::config::written::scrape::{Escaping, Global, Job, Protocol};
use crate::scrape::job::Formats;

impl Checker<'_> {
    /// The formats of a job, in which names of this kind are valid.
    pub(super) fn formats(&mut self, job: &Job, global: &Global, names: Names) -> Formats {
        let set = |own: &Field<bool>, all: &Field<bool>| own.get().or(all.get()).copied().unwrap_or(false);
        let native = set(&job.scrape_native_histograms, &global.scrape_native_histograms);
        let protocols = self.protocols(&job.scrape_protocols);
        let of_all = self.protocols(&global.scrape_protocols);
        let protocols = protocols.or(of_all).unwrap_or_else(|| match native {
            true => page::Protocol::DEFAULT_NATIVE.to_vec(),
            false => page::Protocol::DEFAULT.to_vec(),
        });
        let written = [&job.metric_name_escaping_scheme, &global.metric_name_escaping_scheme];
        let escaping = written.into_iter().find_map(Field::good);
        let escaping = match (escaping, names) {
            (Some((at, Escaping::AllowUtf8)), Names::Legacy) => {
                let what = "names of any characters are asked for, and only `legacy` ones are valid";
                self.fault(at, what, "write underscores, dots or values, or take the key away");
                page::Escaping::Underscores
            }
            (Some((_, written)), _) => escaping_of(*written),
            (None, Names::Legacy) => page::Escaping::Underscores,
            (None, Names::Utf8) => page::Escaping::AllowUtf8,
        };
        let classic = &job.always_scrape_classic_histograms;
        if let (Some(_), Some(at)) = (classic.span(), job.scrape_classic_histograms.span()) {
            self.fault(at, "the same key by two names", "keep `always_scrape_classic_histograms`");
        }
        let classic = if classic.get().is_some() { classic } else { &job.scrape_classic_histograms };
        Formats {
            names,
            fallback: job.fallback_scrape_protocol.get().map(|written| protocol_of(*written).format()),
            accept: accept(&protocols, escaping),
            native,
            classic_too: set(classic, &global.always_scrape_classic_histograms),
            convert_classic: set(
                &job.convert_classic_histograms_to_nhcb,
                &global.convert_classic_histograms_to_nhcb,
            ),
            bucket_limit: job.native_histogram_bucket_limit.get().copied().unwrap_or(0) as usize,
            finest: match job.native_histogram_min_bucket_factor.get() {
                Some(factor) if *factor > 0.0 => schema_of_factor(*factor),
                _ => FINEST,
            },
        }
    }

    fn protocols(&mut self, written: &Field<Vec<Field<Protocol>>>) -> Option<Vec<page::Protocol>> {
        let (at, list) = written.good()?;
        if list.is_empty() {
            self.fault(at, "`scrape_protocols` is empty", "name a format, or take the key away");
        }
        let mut protocols = Vec::new();
        for (at, protocol) in list.iter().filter_map(Field::good) {
            let protocol = protocol_of(*protocol);
            if protocols.contains(&protocol) {
                self.fault(at, format!("{} stands there twice", protocol.name()), "name each format once");
            }
            protocols.push(protocol);
        }
        Some(protocols)
    }
}

fn escaping_of(written: Escaping) -> page::Escaping {
    match written {
        Escaping::AllowUtf8 => page::Escaping::AllowUtf8,
        Escaping::Underscores => page::Escaping::Underscores,
        Escaping::Dots => page::Escaping::Dots,
        Escaping::Values => page::Escaping::Values,
    }
}

fn protocol_of(written: Protocol) -> page::Protocol {
    match written {
        Protocol::Proto => page::Protocol::PrometheusProto,
        Protocol::Text004 => page::Protocol::PrometheusText0_0_4,
        Protocol::Text100 => page::Protocol::PrometheusText1_0_0,
        Protocol::OpenMetrics001 => page::Protocol::OpenMetricsText0_0_1,
        Protocol::OpenMetrics100 => page::Protocol::OpenMetricsText1_0_0,
    }
}
