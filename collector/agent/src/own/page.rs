//! The page `/metrics`: the own metrics, collected when asked, written by prometheus-client in OpenMetrics, and by the
//! writer of the other pull pages in the text format, which prometheus-client does not have.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use taffrail_core::text::{Format, Page};
use taffrail_core::{Kind, Out, SeriesDef};

use super::{Own, Process};
use crate::status::lock;

/// Renders `/metrics`.
#[derive(Debug)]
pub struct OwnPage {
    registry: Registry,
    metrics: Arc<OwnMetrics>,
}

impl OwnPage {
    /// A page of `own`.
    pub fn new(own: Own) -> Self {
        let metrics = Arc::new(OwnMetrics { own, process: Mutex::default() });
        let mut registry = Registry::default();
        registry.register_collector(Box::new(OwnCollector(metrics.clone())));
        OwnPage { registry, metrics }
    }

    /// The page now.
    ///
    /// # Errors
    /// When prometheus-client cannot write a value.
    pub fn render(&self, format: Format) -> Result<Vec<u8>, fmt::Error> {
        if format == Format::OpenMetrics {
            let mut page = String::new();
            text::encode(&mut page, &self.registry)?;
            return Ok(page.into_bytes());
        }
        let mut page = Page::new(format);
        for series in self.metrics.collect().values() {
            let Some((first, _)) = series.first() else { continue };
            page.family(&first.family);
            for (def, value) in series {
                page.sample(def, *value, None);
            }
        }
        Ok(page.finish())
    }
}

/// What is on the page.
#[derive(Debug)]
struct OwnMetrics {
    own: Own,
    process: Mutex<Process>,
}

/// Series with their values, by family.
type Families = BTreeMap<String, Vec<(SeriesDef, f64)>>;

impl OwnMetrics {
    fn collect(&self) -> Families {
        let mut out = Out::default();
        out.begin(0);
        self.own.collect(&mut lock(&self.process), &mut out);
        self.own.measures.collect(&mut out, self.own.clock.now_ms());
        let collected = out.finish();
        let values = collected.samples.iter().map(|sample| sample.value.to_f64());
        let mut families = Families::new();
        // In a first run every series is new, in the order of its samples.
        for ((_, def), value) in collected.new.iter().zip(values) {
            families.entry(def.family.name.clone()).or_default().push((def.clone(), value));
        }
        families
    }
}

#[derive(Debug)]
struct OwnCollector(Arc<OwnMetrics>);

impl Collector for OwnCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let families = self.0.collect();
        families.iter().try_for_each(|(name, series)| family(&mut encoder, name, series))
    }
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    series: &[(SeriesDef, f64)],
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
