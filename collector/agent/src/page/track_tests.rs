use super::*;
use crate::page::charts::{CHARTS, Chart};

fn chart(id: &str) -> &'static Chart {
    CHARTS.iter().find(|c| c.id == id).unwrap()
}

/// Feeds one collection: (rule, group, value).
fn feed(track: &mut Track, ts_ms: i64, samples: &[(usize, &str, f64)]) {
    track.begin();
    for (rule, group, value) in samples {
        track.add(*rule, group, Some(1.0), *value);
    }
    track.finish(ts_ms);
}

fn values(track: &Track, name: &str) -> Vec<Option<f32>> {
    let view = track.view(0);
    view.series.into_iter().find(|s| s.name == name).map(|s| s.values).unwrap_or_default()
}

#[test]
fn a_rate_is_the_increase_a_second_and_a_reset_is_a_gap() {
    let mut track = Track::new(chart("disk_bytes"));
    for (t, v) in [(10, 100.0), (20, 300.0), (30, 50.0), (40, 80.0)] {
        feed(&mut track, t * 1000, &[(0, "sda", v)]);
    }
    assert_eq!(values(&track, "sda read"), [None, Some(20.0), None, Some(3.0)]);
}

#[test]
fn a_mean_is_no_rate_while_the_number_of_cpus_changes() {
    let mut track = Track::new(chart("cpu"));
    feed(&mut track, 10_000, &[(0, "user", 1.0), (0, "user", 1.0)]);
    feed(&mut track, 20_000, &[(0, "user", 6.0), (0, "user", 6.0)]);
    feed(&mut track, 30_000, &[(0, "user", 9.0), (0, "user", 9.0), (0, "user", 100.0)]);
    feed(&mut track, 40_000, &[(0, "user", 9.0), (0, "user", 9.0), (0, "user", 103.0)]);
    assert_eq!(values(&track, "user"), [None, Some(0.5), None, Some(0.1)]);
}

#[test]
fn a_line_that_stays_away_leaves_a_gap_and_its_first_rate_back_waits() {
    let mut track = Track::new(chart("disk_bytes"));
    feed(&mut track, 10_000, &[(0, "sda", 1.0), (0, "sdb", 1.0)]);
    feed(&mut track, 20_000, &[(0, "sda", 11.0), (0, "sdb", 11.0)]);
    feed(&mut track, 30_000, &[(0, "sda", 21.0)]);
    feed(&mut track, 40_000, &[(0, "sda", 31.0), (0, "sdb", 31.0)]);
    feed(&mut track, 50_000, &[(0, "sda", 41.0), (0, "sdb", 41.0)]);
    assert_eq!(values(&track, "sda read"), [None, Some(1.0), Some(1.0), Some(1.0), Some(1.0)]);
    assert_eq!(values(&track, "sdb read"), [None, Some(1.0), None, None, Some(1.0)]);
}

#[test]
fn collections_that_fail_to_come_are_an_empty_row() {
    let mut track = Track::new(chart("load"));
    for t in [10, 20, 30, 90, 100] {
        feed(&mut track, t * 1000, &[(0, "", t as f64)]);
    }
    let view = track.view(0);
    assert_eq!(view.step_ms, 10_000);
    assert_eq!(view.t, [10_000, 20_000, 30_000, 40_000, 90_000, 100_000]);
    assert_eq!(values(&track, "1 min")[2..5], [Some(30.0), None, Some(90.0)]);
    assert_eq!(track.view(30_000).t, [40_000, 90_000, 100_000], "only what is new");
    assert_eq!(track.view(30_000).series[0].values.len(), 3);
}

#[test]
fn a_counter_that_was_away_for_long_says_nothing_about_now() {
    let mut track = Track::new(chart("disk_bytes"));
    feed(&mut track, 10_000, &[(0, "sda", 1.0)]);
    feed(&mut track, 20_000, &[(0, "sda", 11.0)]);
    feed(&mut track, 20_000 + STALE_MS + 1, &[(0, "sda", 1e9)]);
    assert_eq!(values(&track, "sda read").last(), Some(&None));
}

#[test]
fn a_short_interval_writes_the_last_row_anew_and_keeps_the_hour() {
    let mut track = Track::new(chart("disk_bytes"));
    for t in 0..7200 {
        feed(&mut track, t * 1000, &[(0, "sda", t as f64 * 3.0)]);
    }
    let view = track.view(0);
    assert_eq!(view.t.last(), Some(&7_199_000), "the newest collection is there");
    assert!(view.t.len() <= ROWS, "{}", view.t.len());
    assert!(view.t[0] <= 7_199_000 - SPAN_MS + 2 * STEP_MS, "the hour is whole");
    assert!(view.series[0].values.iter().all(|v| *v == Some(3.0)), "merged rows keep the rate");
}

#[test]
fn a_reset_within_a_merged_row_spoils_that_row_only() {
    let mut track = Track::new(chart("disk_bytes"));
    for (t, v) in [
        (0, 10.0),
        (5, 20.0),
        (6, 1.0),
        (7, 500.0),
        (8, 501.0),
        (10, 503.0),
        (12, 505.0),
        (15, 508.0),
        (20, 513.0),
    ] {
        feed(&mut track, (100 + t) * 1000, &[(0, "sda", v)]);
    }
    let view = track.view(0);
    assert_eq!(view.t, [100_000, 105_000, 110_000, 115_000, 120_000]);
    assert_eq!(view.series[0].values, [None, Some(2.0), None, Some(1.0), Some(1.0)]);
}

#[test]
fn any_usual_interval_keeps_its_rows() {
    for (interval, jitter) in [(5_000, 200), (10_000, 0), (15_000, 900), (60_000, 100)] {
        let mut track = Track::new(chart("load"));
        for i in 0..1000 {
            let late = if i % 2 == 0 { jitter } else { 0 };
            feed(&mut track, i * interval + late, &[(0, "", 1.0)]);
        }
        let rows = track.view(0).t.len() as i64;
        assert!((rows - SPAN_MS / interval).abs() <= 2, "{interval}: {rows}");
    }
}

#[test]
fn a_clock_set_back_takes_the_future_away() {
    let mut track = Track::new(chart("load"));
    for t in [10_000, 20_000, 30_000, 15_000, 25_000] {
        feed(&mut track, t, &[(0, "", t as f64)]);
    }
    assert_eq!(track.view(0).t, [10_000, 15_000, 25_000]);
    assert_eq!(values(&track, "1 min"), [Some(10_000.0), Some(15_000.0), Some(25_000.0)]);
}

#[test]
fn numbers_that_are_none_are_gaps() {
    let mut track = Track::new(chart("load"));
    for (t, v) in [(10, 1.0), (20, f64::NAN), (30, f64::INFINITY), (40, 2.0)] {
        feed(&mut track, t * 1000, &[(0, "", v)]);
    }
    assert_eq!(values(&track, "1 min"), [Some(1.0), None, None, Some(2.0)]);
}

#[test]
fn memory_is_bounded_in_lines_and_rows() {
    let mut track = Track::new(chart("disk_bytes"));
    let names: Vec<String> = (0..100).map(|i| format!("{}{i}", "d".repeat(300))).collect();
    for t in 0..3000 {
        let samples: Vec<_> = names.iter().map(|n| (0, &n[280..], t as f64)).collect();
        feed(&mut track, t * 4_500, &samples);
    }
    let view = track.view(0);
    assert_eq!((view.series.len(), view.hidden), (LINES, 100 - LINES));
    assert!(view.t.len() <= ROWS);
    let most = ROWS * (size_of::<f32>() * LINES + size_of::<i64>());
    assert!(track.bytes() < most * 5 / 4, "{} of {most}", track.bytes());
}

#[test]
fn a_line_unseen_for_an_hour_makes_room() {
    let mut track = Track::new(chart("disk_bytes"));
    feed(&mut track, 1, &[(0, "old", 1.0), (0, "sda", 1.0)]);
    feed(&mut track, 10_000, &[(0, "old", 2.0), (0, "sda", 2.0)]);
    feed(&mut track, SPAN_MS, &[(0, "sda", 2.0)]);
    assert_eq!(values(&track, "old read").len(), 4, "still within the hour");
    feed(&mut track, SPAN_MS + 10_001, &[(0, "sda", 3.0)]);
    assert_eq!(track.lines.len(), 1);
}
