//! What is remembered of a target's pages, and for how long.

use std::sync::Arc;

use taffrail_core::Clock;
use taffrail_spool::{Log, MemoryLog, MemoryOptions};
use taffrail_wire::remote_write::MetricKind;

use super::super::families::SPARE as SPARE_FAMILIES;
use super::*;

fn writer() -> Writer {
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(MemoryOptions::default(), Clock::default()));
    Writer::new(log)
}

fn family(name: &str) -> Family<'_> {
    Family { name, kind: MetricKind::Gauge, help: "", unit: "" }
}

/// Takes a page with these lines, each a series of its own; gives the indices.
fn page(series: &mut Series, lines: &[&str], help: &str, good: bool, writer: &Writer) -> Vec<Index> {
    series.begin();
    let mut taken = Taken::default();
    for line in lines {
        let labels: Labels = [("__name__", *line)].into_iter().collect();
        let family = Family { help, ..family(line) };
        let index = series
            .find_name(line)
            .unwrap_or_else(|key| series.insert(key, Some(&labels), family, writer))
            .unwrap();
        series.see(index, 1000, 1.0);
        taken.samples.push(Sample { series: index, ts_ms: 1000, value: 1.0, tracked: true, own: false });
    }
    if good {
        series.accept(&taken, 1000, writer);
    } else {
        series.reject(1000, writer);
    }
    taken.samples.iter().map(|sample| sample.series).collect()
}

#[test]
fn bad_pages_that_change_do_not_add_up() {
    let (mut series, writer) = (Series::default(), writer());
    page(&mut series, &["a", "b"], "", true, &writer);
    for turn in 0..50 {
        let lines: Vec<String> = (0..100).map(|line| format!("bad_{turn}_{line}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        page(&mut series, &lines, "", false, &writer);
        assert!(series.count() <= SPARE_LINES + 104, "{}", series.count());
    }
    page(&mut series, &["a", "b"], "", true, &writer);
    assert_eq!(series.count(), 2);
}

#[test]
fn one_bad_page_does_not_make_the_next_one_new() {
    let (mut series, writer) = (Series::default(), writer());
    let before = page(&mut series, &["a", "b"], "", true, &writer);
    page(&mut series, &["a"], "", false, &writer);
    assert!(series.find_name("b").is_ok());
    assert_eq!(page(&mut series, &["a", "b"], "", true, &writer), before);
}

#[test]
fn families_that_change_do_not_add_up() {
    let (mut series, writer) = (Series::default(), writer());
    for turn in 0..500 {
        // A new line each time, or the series would keep its first family.
        let line = format!("a_{turn}");
        page(&mut series, &["b", &line], &format!("Help {turn}."), true, &writer);
    }
    assert!(series.families.len() <= SPARE_FAMILIES + 8, "{}", series.families.len());
    let index = series.find_name("b").expect("it is known");
    let known = series.known[index.unwrap() as usize].as_ref().unwrap();
    assert_eq!(series.families.get(known.family).help, "Help 0.", "it keeps its own");
}

#[test]
fn other_rules_keep_the_series_that_they_make_again() {
    let (mut series, writer) = (Series::default(), writer());
    let before = page(&mut series, &["a", "b"], "", true, &writer);
    series.forget_lines();
    assert!(series.find_name("a").is_err());
    let after = page(&mut series, &["b"], "", true, &writer);
    assert_eq!(after, [before[1]]);
    assert_eq!(series.count(), 1, "the other is gone");
}

#[test]
fn a_sample_has_its_place_by_time() {
    let (mut series, writer) = (Series::default(), writer());
    let index = page(&mut series, &["a"], "", true, &writer)[0];
    series.begin();
    for (ts_ms, own, place) in [
        (1000, true, Place::Again),
        (999, true, Place::Late),
        (1001, true, Place::New),
        (999, false, Place::New),
    ] {
        assert_eq!(series.place(index, ts_ms, own), place, "{ts_ms} {own}");
    }
    series.see(index, 1001, 1.0);
    for (ts_ms, place) in [(1001, Place::Late), (1000, Place::Late), (1002, Place::New)] {
        assert_eq!(series.place(index, ts_ms, true), place, "{ts_ms} on the same page");
    }
}
