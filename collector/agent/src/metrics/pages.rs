//! The pull pages: `/metrics/<exporter>`, the last values of its scopes, never waiting for a collection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use taffrail_core::text::{Format, Page};
use taffrail_core::{FamilyInfo, SeriesDef};

use super::scope::Scope;
use crate::status::lock;

/// The scopes of every exporter.
#[derive(Debug, Default)]
pub struct Pages {
    exporters: Mutex<BTreeMap<String, Vec<Arc<Scope>>>>,
}

/// A family on a page, with its series in the order of their scopes.
type Families = BTreeMap<String, (Arc<FamilyInfo>, Vec<(SeriesDef, f64)>)>;

impl Pages {
    /// Puts the scopes of `exporter` on its page, in the place of what was there.
    pub fn set(&self, exporter: &str, scopes: Vec<Arc<Scope>>) {
        lock(&self.exporters).insert(exporter.to_owned(), scopes);
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
        let scopes = lock(&self.exporters).get(exporter)?.clone();
        let mut families = Families::new();
        for scope in scopes {
            scope.visit(now_ms, |def, value| {
                let family = families.entry(def.family.name.clone());
                family.or_insert_with(|| (def.family.clone(), Vec::new())).1.push((def.clone(), value));
            });
        }
        let mut page = Page::new(format);
        for (family, series) in families.values() {
            page.family(family);
            for (def, value) in series {
                page.sample(family, def.labels.iter().map(|(n, v)| (&**n, &**v)), *value, None);
            }
        }
        Some(page.finish())
    }
}
