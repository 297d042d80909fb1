//! The page `/metrics`: the own metrics, collected when asked, written by prometheus-client.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use taffrail_core::{Kind, Out, SeriesDef};

use super::{Own, Process};
use crate::status::lock;

/// Renders `/metrics`.
#[derive(Debug)]
pub struct OwnPage {
    registry: Registry,
}

impl OwnPage {
    /// The content type of [`OwnPage::render`].
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// A page of `own`.
    pub fn new(own: Own) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(OwnCollector { own, process: Mutex::default() }));
        OwnPage { registry }
    }

    /// The page now, in OpenMetrics 1.0.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

#[derive(Debug)]
struct OwnCollector {
    own: Own,
    process: Mutex<Process>,
}

impl Collector for OwnCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut out = Out::default();
        out.begin(0);
        self.own.collect(&mut lock(&self.process), &mut out);
        self.own.measures.collect(&mut out);
        let collected = out.finish();
        let values: Vec<f64> = collected.samples.iter().map(|sample| sample.value.to_f64()).collect();
        let mut families: BTreeMap<&str, Vec<(&SeriesDef, f64)>> = BTreeMap::new();
        // In a first run every series is new, in the order of its samples.
        for ((_, def), value) in collected.new.iter().zip(values) {
            families.entry(&def.family.name).or_default().push((def, value));
        }
        families.into_iter().try_for_each(|(name, series)| family(&mut encoder, name, &series))
    }
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    series: &[(&SeriesDef, f64)],
) -> Result<(), fmt::Error> {
    let Some((first, _)) = series.first() else { return Ok(()) };
    let counter = first.family.kind == Kind::Counter;
    let kind = if counter { ConstCounter::<f64>::TYPE } else { ConstGauge::<f64>::TYPE };
    debug_assert!(matches!(kind, MetricType::Counter | MetricType::Gauge));
    // prometheus-client adds `_total` itself.
    let name = if counter { name.strip_suffix("_total").unwrap_or(name) } else { name };
    let help = first.family.help.trim_end_matches('.');
    let mut encoder = encoder.encode_descriptor(name, help, None, kind)?;
    for (def, value) in series {
        let labels: Vec<(String, String)> =
            def.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let encoder = encoder.encode_family(&labels)?;
        if counter {
            ConstCounter::new(*value).encode(encoder)?;
        } else {
            ConstGauge::new(*value).encode(encoder)?;
        }
    }
    Ok(())
}
