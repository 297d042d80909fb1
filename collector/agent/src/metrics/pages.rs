//! The pull pages: `/metrics/<exporter>`, the last values of its scopes, never waiting for a collection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use taffrail_core::text::Format;

use super::form::Form;
use super::scope::Scope;
use crate::status::lock;

/// The page of every exporter.
#[derive(Debug, Default)]
pub struct Pages {
    exporters: Mutex<BTreeMap<String, Arc<Exporter>>>,
}

/// One exporter's page.
#[derive(Debug)]
struct Exporter {
    scopes: Vec<Arc<Scope>>,
    prometheus: Mutex<Form>,
    open_metrics: Mutex<Form>,
}

impl Pages {
    /// Puts the scopes of `exporter` on its page, in the place of what was there.
    pub fn set(&self, exporter: &str, scopes: Vec<Arc<Scope>>) {
        let page = Exporter { scopes, prometheus: Mutex::default(), open_metrics: Mutex::default() };
        lock(&self.exporters).insert(exporter.to_owned(), Arc::new(page));
    }

    /// Takes the page away.
    pub fn remove(&self, exporter: &str) {
        lock(&self.exporters).remove(exporter);
    }

    /// The exporters that have a page.
    pub fn names(&self) -> Vec<String> {
        lock(&self.exporters).keys().cloned().collect()
    }

    /// The page of `exporter`, if there is such an exporter.
    pub fn render(&self, exporter: &str, format: Format, now_ms: i64) -> Option<Vec<u8>> {
        let exporter = lock(&self.exporters).get(exporter)?.clone();
        let form = match format {
            Format::Prometheus => &exporter.prometheus,
            Format::OpenMetrics => &exporter.open_metrics,
        };
        Some(lock(form).fill(&exporter.scopes, format, now_ms))
    }
}
