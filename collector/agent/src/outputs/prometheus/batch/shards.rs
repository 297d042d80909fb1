//! Batches by shard: a series always has the same one, whatever segment of the log it stands in.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::super::super::deliver::Ready;
use super::{Batch, MAX_SAMPLES, Table};
use crate::status::lock;

/// The samples of `batches` in batches of `shards` shards, each in the order it had.
pub(in super::super) fn spread(batches: Vec<Ready<Batch>>, shards: usize) -> Vec<(usize, Batch)> {
    let mut spread = Vec::new();
    let mut parts: Vec<Batch> = Vec::new();
    for Ready { batch, .. } in batches {
        // A request speaks in the symbols of one segment.
        if !parts.first().is_some_and(|part| Arc::ptr_eq(&part.table, &batch.table)) {
            spread.extend(parts.drain(..).enumerate().filter(|(_, part)| part.len() > 0));
            parts.resize_with(shards, || Batch { table: batch.table.clone(), ..Batch::default() });
        }
        let table = lock(&batch.table);
        let mut more = batch.more.into_iter().peekable();
        for (at, point) in batch.points.into_iter().enumerate() {
            let shard = shard_of(&table, point.series, shards);
            let part = &mut parts[shard];
            if part.len() == MAX_SAMPLES {
                let next = Batch { table: part.table.clone(), ..Batch::default() };
                spread.push((shard, std::mem::replace(part, next)));
            }
            while let Some((_, more)) = more.next_if(|(of, _)| *of as usize == at) {
                part.more.push((part.points.len() as u32, more));
            }
            part.points.push(point);
        }
    }
    spread.extend(parts.into_iter().enumerate().filter(|(_, part)| part.len() > 0));
    spread
}

fn shard_of(table: &Table, series: u32, shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    for pair in table.series(series).iter().flat_map(|series| series.pairs(table.symbols())) {
        pair.hash(&mut hasher);
    }
    (hasher.finish() % shards as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use taffrail_wire::remote_write::MetricKind;

    use super::super::{More, Point};
    use super::*;

    /// A segment of the log with series `s0`, `s1`, … of which the first has the number `first`, and one batch of it.
    fn batch(first: u32, points: impl Iterator<Item = (u32, i64)>) -> Ready<Batch> {
        let mut table = Table::default();
        let name = table.add_text("__name__").unwrap();
        for series in 0..200 {
            let value = table.add_text(&format!("s{}", (series + 200 - first) % 200)).unwrap();
            table.add_series(MetricKind::Gauge, 0, 0, &[name, value]).unwrap();
        }
        let points: Vec<Point> = points
            .map(|(s, ts_ms)| Point { series: (s + first) % 200, value: f64::from(s), ts_ms })
            .collect();
        let more = (0..points.len() as u32).filter(|at| at % 7 == 0);
        let more = more.map(|at| (at, More::Start(points[at as usize].ts_ms))).collect();
        Ready { batch: Batch { table: Arc::new(Mutex::new(table)), points, more }, upto: None }
    }

    #[test]
    fn a_series_has_one_shard_in_every_segment_and_its_samples_keep_their_order() {
        let points = |from: i64| (from..from + 50).flat_map(|ts| (0..200).map(move |series| (series, ts)));
        let all = vec![batch(0, points(0)), batch(0, points(50)), batch(17, points(100))];
        let wanted: usize = all.iter().map(|ready| ready.batch.len()).sum();
        let mut of: BTreeMap<u64, (usize, Vec<i64>)> = BTreeMap::new();
        let mut shards = [0; 8];
        let (mut seen, mut starts) = (0, 0);
        for (shard, batch) in spread(all, 8) {
            assert!(batch.len() <= MAX_SAMPLES);
            shards[shard] += batch.len();
            seen += batch.len();
            for (at, more) in &batch.more {
                let More::Start(start) = more else { panic!() };
                assert_eq!(*start, batch.points[*at as usize].ts_ms, "it went with its point");
                starts += 1;
            }
            let table = lock(&batch.table);
            for point in &batch.points {
                let labels: Vec<_> = table.series(point.series).unwrap().pairs(table.symbols()).collect();
                assert_eq!(labels[0].1, format!("s{}", point.value));
                let (known, times) = of.entry(point.value as u64).or_insert((shard, Vec::new()));
                assert_eq!(*known, shard, "{labels:?}");
                times.push(point.ts_ms);
            }
        }
        assert_eq!((seen, of.len(), starts), (wanted, 200, 3 * 10_000_usize.div_ceil(7)));
        assert!(of.values().all(|(_, times)| times.is_sorted() && times.len() == 150));
        assert!(shards.iter().all(|len| *len > wanted / 32), "all have something to do: {shards:?}");
    }
}
