//! The last hour of what the page draws.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::Serialize;
use taffrail_core::{FamilyInfo, SeriesDef};

use super::charts::{CHARTS, Rule};
use super::facts::{self, Facts};
use super::track::{ChartView, Track};
use crate::status::lock;

/// Keeps the last hour of the series that the page's charts need. Bounded in series and points.
#[derive(Debug)]
pub struct Live {
    uses: HashMap<&'static str, Vec<Use>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tracks: Vec<Track>,
    facts: Facts,
}

/// What a family is needed for.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// A line: the chart, its rule, and the factor (none for the divisor).
    Line { chart: usize, rule: usize, factor: Option<f64> },
    /// The header.
    Fact,
}

/// What the API gives: facts of the host, and charts that have something to show.
#[derive(Debug, Serialize)]
pub struct LiveView {
    /// The host.
    pub host: Facts,
    /// Its charts.
    pub charts: Vec<ChartView>,
}

impl Default for Live {
    fn default() -> Self {
        let mut uses: HashMap<&'static str, Vec<Use>> = HashMap::new();
        for (chart, rule, spec) in rules() {
            for &(family, factor) in spec.terms {
                uses.entry(family).or_default().push(Use::Line { chart, rule, factor: Some(factor) });
            }
            if let Some(family) = spec.over {
                uses.entry(family).or_default().push(Use::Line { chart, rule, factor: None });
            }
        }
        for family in facts::FAMILIES {
            uses.entry(family).or_default().push(Use::Fact);
        }
        let tracks = CHARTS.iter().map(Track::new).collect();
        Live { uses, state: Mutex::new(State { tracks, facts: Facts::default() }) }
    }
}

fn rules() -> impl Iterator<Item = (usize, usize, &'static Rule)> {
    let of = |(i, chart): (usize, &'static super::charts::Chart)| {
        chart.rules.iter().enumerate().map(move |(j, rule)| (i, j, rule))
    };
    CHARTS.iter().enumerate().flat_map(of)
}

impl Live {
    /// Whether series of the family are drawn or shown; others need not be recorded.
    pub fn draws(&self, family: &str) -> bool {
        self.uses.contains_key(family)
    }

    /// Takes what one run of a subject of `exporter` gave at `ts_ms`. The samples of one family come in one call.
    pub fn record(&self, exporter: &str, ts_ms: i64, samples: &mut dyn Iterator<Item = (&SeriesDef, f64)>) {
        let mut state = lock(&self.state);
        let State { tracks, facts } = &mut *state;
        let mut begun = [false; CHARTS.len()];
        // The samples of a family follow each other, so it is looked up once.
        let mut present: Option<(&FamilyInfo, &[Use])> = None;
        facts.begin();
        for (def, value) in samples {
            let uses = match present {
                Some((family, uses)) if std::ptr::eq(family, &*def.family) => uses,
                _ => self.uses.get(def.family.name.as_str()).map_or(&[][..], Vec::as_slice),
            };
            present = Some((&def.family, uses));
            for used in uses {
                match *used {
                    Use::Fact => facts.take(def, value),
                    Use::Line { chart, rule, factor } if CHARTS[chart].exporter == exporter => {
                        if !std::mem::replace(&mut begun[chart], true) {
                            tracks[chart].begin();
                        }
                        if let Some(group) = group(&CHARTS[chart].rules[rule], def) {
                            tracks[chart].add(rule, group, factor, value);
                        }
                    }
                    Use::Line { .. } => {}
                }
            }
        }
        facts.finish();
        for track in tracks {
            track.finish(ts_ms);
        }
    }

    /// What is known, with the rows after `since_ms` (Unix milliseconds; 0 for all).
    pub fn view(&self, since_ms: i64) -> LiveView {
        let state = lock(&self.state);
        let charts = state.tracks.iter().map(|track| track.view(since_ms)).filter(|v| !v.series.is_empty());
        LiveView { host: state.facts.clone(), charts: charts.collect() }
    }

    /// Bytes of memory held, as far as it grows with the machine and with time.
    pub fn bytes(&self) -> usize {
        lock(&self.state).tracks.iter().map(Track::bytes).sum()
    }
}

/// The group that a series belongs to under `rule`; none if the rule leaves the series out.
fn group<'a>(rule: &Rule, def: &'a SeriesDef) -> Option<&'a str> {
    if let Some(without) = rule.without
        && let Some(value) = facts::label(def, without.label)
        && (without.values.contains(&value) || without.prefixes.iter().any(|p| value.starts_with(p)))
    {
        return None;
    }
    match rule.by {
        Some(name) => facts::label(def, name),
        None => Some(""),
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
