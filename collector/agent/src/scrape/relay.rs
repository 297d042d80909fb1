//! The relay: what the last pages of targets held, on one page, for who prefers to pull.
//!
//! Only jobs with `relay: true` are on it. A target's series leave it when they are gone from the target's page, when
//! that could not be had or was bad, and when nothing was heard of the target for two of its intervals.

mod page;
mod shown;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::text::Format;

use self::page::Page;
use self::shown::Shown;
use super::series::Series;
use super::taken::Taken;
use crate::status::lock;

/// All targets that are relayed.
#[derive(Debug, Default)]
pub struct Relay {
    on: AtomicBool,
    next: AtomicU64,
    targets: Mutex<BTreeMap<u64, Arc<Mutex<Relayed>>>>,
}

/// One target's place on the page; it leaves the page with it.
#[derive(Debug)]
pub struct Place {
    relay: Arc<Relay>,
    number: u64,
    target: Arc<Mutex<Relayed>>,
}

/// What is shown of one target.
#[derive(Debug, Default)]
struct Relayed {
    /// When it was last heard of, and how long that holds.
    heard_ms: i64,
    lifetime_ms: i64,
    page: Shown,
    /// What is known of its scrapes: `up` and the like.
    reports: Shown,
}

impl Relay {
    /// Whether there is a page at all: whether any job is relayed.
    pub fn turn(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// A place for one more target.
    pub fn place(self: &Arc<Self>) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let target = Arc::<Mutex<Relayed>>::default();
        lock(&self.targets).insert(number, target.clone());
        Place { relay: self.clone(), number, target }
    }

    /// The page now, if any job is relayed. `utf8` says that names of any characters are understood.
    pub fn render(&self, format: Format, utf8: bool, now_ms: i64) -> Option<Vec<u8>> {
        if !self.on.load(Ordering::Relaxed) {
            return None;
        }
        let targets: Vec<_> = lock(&self.targets).values().cloned().collect();
        let mut page = Page::new(format, utf8);
        for target in targets {
            let target = lock(&target);
            if now_ms.saturating_sub(target.heard_ms) < target.lifetime_ms {
                target.page.visit(|line| page.add(line));
                target.reports.visit(|line| page.add(line));
            }
        }
        Some(page.finish())
    }
}

impl Place {
    /// A page was read at this time; `taken` is what it holds, nothing if it was bad.
    pub fn show_page(&self, taken: Option<&Taken>, series: &Series, now_ms: i64, interval: Duration) {
        let mut target = lock(&self.target);
        target.heard_ms = now_ms;
        target.lifetime_ms = 2 * interval.as_millis() as i64;
        match taken {
            Some(taken) => target.page.show(taken, series),
            None => target.page.hide(series),
        }
    }

    /// What is known of that scrape.
    pub fn show_reports(&self, taken: &Taken, series: &Series) {
        lock(&self.target).reports.show(taken, series);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.relay.targets).remove(&self.number);
    }
}
