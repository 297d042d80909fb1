//! Caches of disks on faster disks from `/sys/fs/bcache` (kernel document `admin-guide/bcache`).

use std::path::{Path, PathBuf};

use taffrail_core::{CollectError, Family, Out, Subject, metrics};

use crate::attribute::Buffer;
use crate::config::HostConfig;
use crate::folder::Folder;
use crate::number_file::NumberFile;
use crate::scan;

metrics! {
    /// Average length of what a key of the tree points at, in sectors.
    KEY_SIZE: Gauge = "node_bcache_average_key_size_sectors" ["uuid"];
    /// Bytes of memory that the tree's cache uses.
    BTREE_CACHE: Gauge = "node_bcache_btree_cache_size_bytes" ["uuid"];
    /// Percent of the cache device without dirty data.
    AVAILABLE: Gauge = "node_bcache_cache_available_percent" ["uuid"];
    /// How congested the cache device is.
    CONGESTED: Gauge = "node_bcache_congested" ["uuid"];
    /// Percent of the tree's root that is in use.
    ROOT_USAGE: Gauge = "node_bcache_root_usage_percent" ["uuid"];
    /// Depth of the tree.
    TREE_DEPTH: Gauge = "node_bcache_tree_depth" ["uuid"];
    /// Journal entries that are newer than the tree.
    JOURNAL: Gauge = "node_bcache_active_journal_entries" ["uuid"];
    /// Nodes of the tree.
    BTREE_NODES: Gauge = "node_bcache_btree_nodes" ["uuid"];
    /// Average seconds that reading a node of the tree takes.
    BTREE_READ: Gauge = "node_bcache_btree_read_average_duration_seconds" ["uuid"];
    /// Reads from the cache whose bucket was reused meanwhile.
    READ_RACES: Counter = "node_bcache_cache_read_races_total" ["uuid"];
    /// Bytes of the backing device that are only in the cache so far.
    DIRTY_DATA: Gauge = "node_bcache_dirty_data_bytes" ["uuid", "backing_device"];
    /// Bytes that may be only in the cache before they are written back faster.
    DIRTY_TARGET: Gauge = "node_bcache_dirty_target_bytes" ["uuid", "backing_device"];
    /// Bytes written back in a second.
    WRITEBACK_RATE: Gauge = "node_bcache_writeback_rate" ["uuid", "backing_device"];
    /// The proportional part of the rate of writing back.
    PROPORTIONAL: Gauge = "node_bcache_writeback_rate_proportional_term" ["uuid", "backing_device"];
    /// The integral part of the rate of writing back.
    INTEGRAL: Gauge = "node_bcache_writeback_rate_integral_term" ["uuid", "backing_device"];
    /// The last change of the rate of writing back.
    CHANGE: Gauge = "node_bcache_writeback_change" ["uuid", "backing_device"];
    /// Bytes read and written past the cache.
    BYPASSED: Counter = "node_bcache_bypassed_bytes_total" ["uuid", "backing_device"];
    /// Reads and writes that the cache had.
    HITS: Counter = "node_bcache_cache_hits_total" ["uuid", "backing_device"];
    /// Reads and writes that the cache did not have.
    MISSES: Counter = "node_bcache_cache_misses_total" ["uuid", "backing_device"];
    /// Reads and writes meant to go past the cache that it had.
    BYPASS_HITS: Counter = "node_bcache_cache_bypass_hits_total" ["uuid", "backing_device"];
    /// Reads and writes meant to go past the cache that it did not have.
    BYPASS_MISSES: Counter = "node_bcache_cache_bypass_misses_total" ["uuid", "backing_device"];
    /// Data to be cached after a miss that was there already.
    COLLISIONS: Counter = "node_bcache_cache_miss_collisions_total" ["uuid", "backing_device"];
    /// Reads ahead; old kernels only.
    READAHEADS: Counter = "node_bcache_cache_readaheads_total" ["uuid", "backing_device"];
    /// Errors of the cache device, fading away with time.
    IO_ERRORS: Gauge = "node_bcache_io_errors" ["uuid", "cache_device"];
    /// Bytes written to the cache device that are no data.
    METADATA_WRITTEN: Counter = "node_bcache_metadata_written_bytes_total" ["uuid", "cache_device"];
    /// Bytes written to the cache device.
    WRITTEN: Counter = "node_bcache_written_bytes_total" ["uuid", "cache_device"];
    /// Percent of the cache device that holds nothing.
    UNUSED: Gauge = "node_bcache_priority_stats_unused_percent" ["uuid", "cache_device"];
    /// Percent of the cache device that holds no data, but what is needed to find it.
    METADATA: Gauge = "node_bcache_priority_stats_metadata_percent" ["uuid", "cache_device"];
}

/// Of a set of caches: file, metric, and one of the file's units in the metric's. The kernel gives the duration in
/// microseconds; node_exporter takes them for nanoseconds.
static SET: [(&str, &Family<1>, f64); 10] = [
    ("average_key_size", &KEY_SIZE, 1.0),
    ("btree_cache_size", &BTREE_CACHE, 1.0),
    ("cache_available_percent", &AVAILABLE, 1.0),
    ("congested", &CONGESTED, 1.0),
    ("root_usage_percent", &ROOT_USAGE, 1.0),
    ("tree_depth", &TREE_DEPTH, 1.0),
    ("internal/active_journal_entries", &JOURNAL, 1.0),
    ("internal/btree_nodes", &BTREE_NODES, 1.0),
    ("internal/btree_read_average_duration_us", &BTREE_READ, 1e-6),
    ("internal/cache_read_races", &READ_RACES, 1.0),
];

/// Of a backing device.
static BACKING: [(&str, &Family<2>); 8] = [
    ("dirty_data", &DIRTY_DATA),
    ("stats_total/bypassed", &BYPASSED),
    ("stats_total/cache_hits", &HITS),
    ("stats_total/cache_misses", &MISSES),
    ("stats_total/cache_bypass_hits", &BYPASS_HITS),
    ("stats_total/cache_bypass_misses", &BYPASS_MISSES),
    ("stats_total/cache_miss_collisions", &COLLISIONS),
    ("stats_total/cache_readaheads", &READAHEADS),
];

/// Lines of a backing device's `writeback_rate_debug`.
static WRITEBACK: [Line; 5] = [
    (b"target:", &DIRTY_TARGET),
    (b"rate:", &WRITEBACK_RATE),
    (b"proportional:", &PROPORTIONAL),
    (b"integral:", &INTEGRAL),
    (b"change:", &CHANGE),
];

/// Of a cache device.
static CACHE: [(&str, &Family<2>); 3] =
    [("io_errors", &IO_ERRORS), ("metadata_written", &METADATA_WRITTEN), ("written", &WRITTEN)];

/// Lines of a cache device's `priority_stats`.
static PRIORITY: [Line; 2] = [(b"Unused:", &UNUSED), (b"Metadata:", &METADATA)];

/// The subject `bcache`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut folder = Folder::new(config.sys("fs/bcache"));
    let priority = config.bcache.priority_stats;
    let mut sets: Vec<Set> = Vec::new();
    let mut buffer = Box::new([0; 4096]);
    Subject::blocking("bcache", METRICS, move |out| {
        if folder.is_new()? {
            // Files to register devices stand among the sets, which are named by their UUID.
            let names = folder.names().filter(|name| name.contains('-'));
            sets = names.map(|name| Set::new(name, folder.join(name), priority)).collect();
        }
        if sets.is_empty() {
            return Err(CollectError::Absent);
        }
        sets.iter_mut().for_each(|set| set.write(&mut buffer, out));
        Ok(())
    })
}

/// The first word of a line and its metric.
type Line = (&'static [u8], &'static Family<2>);

/// One set of caches with the devices behind it.
struct Set {
    uuid: String,
    folder: Folder,
    priority: bool,
    numbers: Vec<(NumberFile, &'static Family<1>, f64)>,
    devices: Vec<Device>,
}

/// A backing device (`bdev0`) or a cache device (`cache0`).
struct Device {
    name: String,
    numbers: Vec<(NumberFile, &'static Family<2>)>,
    /// A file of several lines, and which of them are published.
    lines: Option<(NumberFile, &'static [Line])>,
}

impl Set {
    fn new(uuid: &str, path: PathBuf, priority: bool) -> Self {
        let numbers =
            SET.iter().map(|(name, family, unit)| (NumberFile::new(path.join(name)), *family, *unit));
        let numbers = numbers.collect();
        Set { uuid: uuid.to_owned(), folder: Folder::new(path), priority, numbers, devices: Vec::new() }
    }

    fn write(&mut self, buffer: &mut Buffer, out: &mut Out) {
        match self.folder.is_new() {
            Ok(true) => {
                let names = self.folder.names();
                self.devices = names
                    .filter_map(|name| Device::new(name, &self.folder.join(name), self.priority))
                    .collect();
            }
            Ok(false) => {}
            // Stopped since the folder above was listed.
            Err(_) => return,
        }
        for (file, family, unit) in &mut self.numbers {
            if let Some(value) = file.read_text(buffer).and_then(number) {
                out.put(family, [&self.uuid], value * *unit);
            }
        }
        for device in &mut self.devices {
            device.write(&self.uuid, buffer, out);
        }
    }
}

impl Device {
    fn new(name: &str, path: &Path, priority: bool) -> Option<Self> {
        let is = |kind| {
            let number = name.strip_prefix(kind);
            number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        };
        let file = |name: &str| NumberFile::new(path.join(name));
        let numbers = |files: &'static [(&str, &Family<2>)]| {
            files.iter().map(|(name, family)| (file(name), *family)).collect()
        };
        if is("bdev") {
            let lines = Some((file("writeback_rate_debug"), WRITEBACK.as_slice()));
            Some(Device { name: name.to_owned(), numbers: numbers(&BACKING), lines })
        } else if is("cache") {
            // The kernel sorts all buckets to answer this.
            let lines = priority.then(|| (file("priority_stats"), PRIORITY.as_slice()));
            Some(Device { name: name.to_owned(), numbers: numbers(&CACHE), lines })
        } else {
            None
        }
    }

    fn write(&mut self, uuid: &str, buffer: &mut Buffer, out: &mut Out) {
        for (file, family) in &mut self.numbers {
            let value = file.read_text(buffer).and_then(number);
            // Kernels that read nothing ahead any more say 0 for ever.
            let silent = std::ptr::eq(*family, &READAHEADS) && value == Some(0.0);
            if let Some(value) = value.filter(|_| !silent) {
                out.put(family, [uuid, &self.name], value);
            }
        }
        let Some((file, known)) = &mut self.lines else { return };
        for line in scan::lines(file.read_text(buffer).unwrap_or_default()) {
            let first = scan::fields(line).next();
            let Some((_, family)) = known.iter().find(|(name, _)| first == Some(*name)) else { continue };
            if let Some(value) = scan::fields(line).skip(1).last().and_then(number) {
                out.put(family, [uuid, &self.name], value);
            }
        }
    }
}

/// A number as the kernel's `bch_hprint` writes it: `1.5k`, `-20`, `4.0G`; behind it may stand `%` or `/sec`.
///
/// The digit behind the point counts hundreds of 1024ths, and can be 10: so it was when the exporters learnt to read it.
pub fn number(text: &[u8]) -> Option<f64> {
    let text = text.strip_suffix(b"/sec").or_else(|| text.strip_suffix(b"%")).unwrap_or(text);
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    const UNITS: &[u8] = b"kMGTPEZY";
    let power = text.last().and_then(|last| UNITS.iter().position(|unit| unit == last));
    let value = match power {
        None => scan::number(text).filter(|value| *value >= 0.0)?,
        Some(power) => {
            let digits = &text[..text.len() - 1];
            let (whole, hundreds) = match memchr::memchr(b'.', digits) {
                Some(at) => (&digits[..at], scan::integer(&digits[at + 1..])? as f64),
                None => (digits, 0.0),
            };
            let mantissa = scan::integer(whole)? as f64 + hundreds / 10.24;
            (mantissa * 1024f64.powi(power as i32 + 1)).trunc()
        }
    };
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (text, value) in [
            ("0", 0.0),
            ("1546", 1546.0),
            ("1.1k", 1124.0),
            ("-20.0M", -20971520.0),
            ("4.10G", 5343543296.0),
            ("0.0k/sec", 0.0),
            ("99%", 99.0),
            ("-1.0k/sec", -1024.0),
        ] {
            assert_eq!(number(text.as_bytes()), Some(value), "{text}");
        }
        for bad in ["", "k", "-", "--1", "1.k", ".5k", "1x", "1.5.5k"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }
}
