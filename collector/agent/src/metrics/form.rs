//! A pull page's form: all of it but the values, which alone change from one request to the next.
//!
//! Names, labels and help texts are most of a page and of the work to write it. They are put together once, and again
//! when a series has come or gone.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use taffrail_core::text::{Format, Page, number};
use taffrail_core::{FamilyInfo, SeriesDef};

use super::scope::{Scope, Shape};

/// The form of one exporter's page in one format. It is empty until the page is asked for.
#[derive(Debug, Default)]
pub struct Form {
    /// What each scope showed when the form was made.
    shapes: Vec<Shape>,
    text: Vec<u8>,
    /// Where in the text a value belongs, and which.
    gaps: Vec<(usize, usize)>,
    /// The values of all scopes, one after the other.
    values: Vec<f64>,
}

/// The length of most values.
const VALUE_BYTES: usize = 12;

impl Form {
    /// The page of `scopes`, which are the same at every call.
    pub fn fill(&mut self, scopes: &[Arc<Scope>], format: Format, now_ms: i64) -> Vec<u8> {
        if !self.take_values(scopes, now_ms) {
            self.make(scopes, format, now_ms);
        }
        let mut page = Vec::with_capacity(self.text.len() + self.gaps.len() * VALUE_BYTES);
        let mut begin = 0;
        for &(end, value) in &self.gaps {
            page.extend_from_slice(&self.text[begin..end]);
            number(&mut page, self.values[value]);
            page.push(b'\n');
            begin = end;
        }
        page.extend_from_slice(&self.text[begin..]);
        page
    }

    /// Takes the present values, if they still fit.
    fn take_values(&mut self, scopes: &[Arc<Scope>], now_ms: i64) -> bool {
        self.values.clear();
        let mut pairs = scopes.iter().zip(&self.shapes);
        self.shapes.len() == scopes.len()
            && pairs.all(|(scope, shape)| scope.values(now_ms, *shape, &mut self.values))
    }

    fn make(&mut self, scopes: &[Arc<Scope>], format: Format, now_ms: i64) {
        self.values.clear();
        let mut lines = Lines::new(format);
        let shape = |scope: &Arc<Scope>| {
            scope.visit(now_ms, |def, value| {
                lines.add(def, scope.shown());
                self.values.push(value);
            })
        };
        self.shapes = scopes.iter().map(shape).collect();
        (self.text, self.gaps) = lines.by_family(format);
    }
}

/// The beginnings of a page's lines, in the order of their scopes.
struct Lines {
    heads: Page,
    /// Of each line its family, and where it is.
    lines: Vec<(usize, Range<usize>)>,
    families: Vec<Arc<FamilyInfo>>,
    /// Where a family is, by its address.
    places: HashMap<usize, usize>,
}

impl Lines {
    fn new(format: Format) -> Self {
        Lines { heads: Page::new(format), lines: Vec::new(), families: Vec::new(), places: HashMap::new() }
    }

    /// Adds a series; of `more` labels, those that it does not have itself.
    fn add(&mut self, def: &SeriesDef, more: &[(String, String)]) {
        let address = Arc::as_ptr(&def.family).addr();
        let place = *self.places.entry(address).or_insert_with(|| {
            self.families.push(def.family.clone());
            self.families.len() - 1
        });
        let begin = self.heads.len();
        self.heads.head(def, more);
        self.lines.push((place, begin..self.heads.len()));
    }

    /// The text, family by family, and where the value of each line belongs.
    fn by_family(self, format: Format) -> (Vec<u8>, Vec<(usize, usize)>) {
        let name = |place: usize| self.families[place].name.as_str();
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        // Stable: within a family the order of scopes stays.
        order.sort_by(|a, b| name(self.lines[*a].0).cmp(name(self.lines[*b].0)));
        let mut page = Page::new(format);
        let mut present = "";
        let gap = |line: usize| {
            let (place, head) = &self.lines[line];
            // Scopes that share a family have one of their own each, of the same name.
            if present != name(*place) {
                page.family(&self.families[*place]);
                present = name(*place);
            }
            page.append(&self.heads, head.clone());
            (page.len(), line)
        };
        let gaps = order.into_iter().map(gap).collect();
        let mut text = page.finish();
        text.shrink_to_fit();
        (text, gaps)
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
