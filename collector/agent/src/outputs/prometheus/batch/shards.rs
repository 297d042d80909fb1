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
