//! The pull pages: `/metrics/<exporter>`, the last values of its scopes, never waiting for a collection.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
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

/// The families of a page. Lines are written once, in the order of their scopes, and put together by family at the end.
struct Families {
    lines: Page,
    families: Vec<Arc<FamilyInfo>>,
    /// Which family a stretch of lines is of, and where it ends; it begins where the one before ends.
    stretches: Vec<(usize, usize)>,
    /// Where a family is, by its address.
    places: HashMap<usize, usize>,
}

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
        let mut families = Families::new(format);
        for scope in scopes {
            scope.visit(now_ms, |def, value| families.add(def, scope.shown(), value));
        }
        Some(families.finish(format))
    }
}

impl Families {
    fn new(format: Format) -> Self {
        let lines = Page::new(format);
        Families { lines, families: Vec::new(), stretches: Vec::new(), places: HashMap::new() }
    }

    /// Adds a value; of `more` labels, those that the series does not have itself.
    fn add(&mut self, def: &SeriesDef, more: &[(String, String)], value: f64) {
        let address = Arc::as_ptr(&def.family).addr();
        let place = *self.places.entry(address).or_insert_with(|| {
            self.families.push(def.family.clone());
            self.families.len() - 1
        });
        self.lines.sample_with(def, more, value, None);
        let end = self.lines.len();
        match self.stretches.last_mut() {
            Some((last, upto)) if *last == place => *upto = end,
            _ => self.stretches.push((place, end)),
        }
    }

    fn finish(mut self, format: Format) -> Vec<u8> {
        let mut begin = 0;
        let mut pieces: Vec<(usize, Range<usize>)> = Vec::with_capacity(self.stretches.len());
        for (place, end) in self.stretches.drain(..) {
            pieces.push((place, begin..end));
            begin = end;
        }
        let name = |place: usize| self.families[place].name.as_str();
        // Stable: within a family the order of scopes stays.
        pieces.sort_by(|(a, _), (b, _)| name(*a).cmp(name(*b)));
        let mut page = Page::new(format);
        let mut present = "";
        for (place, range) in pieces {
            // Scopes that share a family have one of their own each, of the same name.
            if present != name(place) {
                page.family(&self.families[place]);
                present = name(place);
            }
            page.append(&self.lines, range);
        }
        page.finish()
    }
}
