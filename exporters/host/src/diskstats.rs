//! Block devices from `/proc/diskstats` (kernel document `admin-guide/iostats`): counts, bytes (a sector is 512 bytes
//! whatever the device's is) and seconds; what they are from udev and sysfs.

use std::path::PathBuf;

use taffrail_core::file::KernelFile;
use taffrail_core::{Family, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::disk_facts::{Facts, Freshness};
use crate::scan::{self, Malformed};
use taffrail_core::pattern::Decisions;

metrics! {
    /// Reads completed.
    READS: Counter = "node_disk_reads_completed_total" ["device"];
    /// Reads merged with a neighbour before they were issued.
    READS_MERGED: Counter = "node_disk_reads_merged_total" ["device"];
    /// Bytes read.
    READ_BYTES: Counter = "node_disk_read_bytes_total" ["device"];
    /// Seconds spent by all reads.
    READ_SECONDS: Counter = "node_disk_read_time_seconds_total" ["device"];
    /// Writes completed.
    WRITES: Counter = "node_disk_writes_completed_total" ["device"];
    /// Writes merged with a neighbour before they were issued.
    WRITES_MERGED: Counter = "node_disk_writes_merged_total" ["device"];
    /// Bytes written.
    WRITTEN_BYTES: Counter = "node_disk_written_bytes_total" ["device"];
    /// Seconds spent by all writes.
    WRITE_SECONDS: Counter = "node_disk_write_time_seconds_total" ["device"];
    /// Requests under way.
    IO_NOW: Gauge = "node_disk_io_now" ["device"];
    /// Seconds in which the device had requests under way.
    IO_SECONDS: Counter = "node_disk_io_time_seconds_total" ["device"];
    /// Seconds in which the device had requests under way, times their number.
    IO_WEIGHTED_SECONDS: Counter = "node_disk_io_time_weighted_seconds_total" ["device"];
    /// Discards completed.
    DISCARDS: Counter = "node_disk_discards_completed_total" ["device"];
    /// Discards merged with a neighbour before they were issued.
    DISCARDS_MERGED: Counter = "node_disk_discards_merged_total" ["device"];
    /// Sectors of 512 bytes discarded.
    DISCARDED_SECTORS: Counter = "node_disk_discarded_sectors_total" ["device"];
    /// Seconds spent by all discards.
    DISCARD_SECONDS: Counter = "node_disk_discard_time_seconds_total" ["device"];
    /// Flushes completed.
    FLUSHES: Counter = "node_disk_flush_requests_total" ["device"];
    /// Seconds spent by all flushes.
    FLUSH_SECONDS: Counter = "node_disk_flush_requests_time_seconds_total" ["device"];
    /// What udev and sysfs know of the device. Always 1.
    pub(crate) INFO: Gauge = "node_disk_info" [
        "device", "major", "minor", "path", "wwn", "model", "serial", "revision", "rotational"
    ];
    /// The file system on the device. Always 1.
    pub(crate) FILESYSTEM_INFO: Gauge = "node_disk_filesystem_info" ["device", "type", "usage", "uuid", "version"];
    /// The device mapper's names of the device. Always 1.
    pub(crate) MAPPER_INFO: Gauge = "node_disk_device_mapper_info" [
        "device", "name", "uuid", "vg_name", "lv_name", "lv_layer"
    ];
    /// Whether the ATA disk has a write cache (1) or not (0).
    pub(crate) ATA_WRITE_CACHE: Gauge = "node_disk_ata_write_cache" ["device"];
    /// Whether the ATA disk's write cache is on (1) or off (0).
    pub(crate) ATA_WRITE_CACHE_ENABLED: Gauge = "node_disk_ata_write_cache_enabled" ["device"];
    /// Rotations of the ATA disk in a minute, 0 for one that has none.
    pub(crate) ATA_ROTATION_RATE: Gauge = "node_disk_ata_rotation_rate_rpm" ["device"];
}

/// The file's columns behind the name, and what one of each is in the metric's unit.
static COLUMNS: [(&Family<1>, Unit); 17] = [
    (&READS, Unit::One),
    (&READS_MERGED, Unit::One),
    (&READ_BYTES, Unit::Sector),
    (&READ_SECONDS, Unit::Millisecond),
    (&WRITES, Unit::One),
    (&WRITES_MERGED, Unit::One),
    (&WRITTEN_BYTES, Unit::Sector),
    (&WRITE_SECONDS, Unit::Millisecond),
    (&IO_NOW, Unit::One),
    (&IO_SECONDS, Unit::Millisecond),
    (&IO_WEIGHTED_SECONDS, Unit::Millisecond),
    (&DISCARDS, Unit::One),
    (&DISCARDS_MERGED, Unit::One),
    (&DISCARDED_SECTORS, Unit::One),
    (&DISCARD_SECONDS, Unit::Millisecond),
    (&FLUSHES, Unit::One),
    (&FLUSH_SECONDS, Unit::Millisecond),
];

#[derive(Clone, Copy)]
enum Unit {
    One,
    Sector,
    Millisecond,
}

impl Unit {
    fn scale(self, value: f64) -> f64 {
        match self {
            Unit::One => value,
            Unit::Sector => value * 512.0,
            Unit::Millisecond => value / 1000.0,
        }
    }
}

/// The subject `diskstats`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("diskstats"));
    let mut disks = Disks {
        wanted: Decisions::new(&config.diskstats),
        freshness: Freshness::default(),
        facts: Vec::new(),
        udev: config.udev.clone(),
        sysfs: config.sysfs.clone(),
    };
    Subject::blocking("diskstats", METRICS, move |out| {
        let written = disks.write(file.read()?, out);
        written.map_err(|e| file.malformed(e))
    })
}

/// What is kept from run to run.
struct Disks {
    wanted: Decisions,
    freshness: Freshness,
    /// Of the devices that are collected, in the file's order.
    facts: Vec<Facts>,
    udev: PathBuf,
    sysfs: PathBuf,
}

impl Disks {
    fn write(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Malformed> {
        if self.freshness.is_over(&self.udev) {
            self.facts.clear();
        }
        let mut at = 0;
        for (line_at, line) in scan::lines(bytes).enumerate() {
            let disk = parse(line)?;
            if !self.wanted.keeps(line_at, disk.name) {
                continue;
            }
            let name = label::value(disk.name);
            self.facts(at, &disk).write(&name, out);
            at += 1;
            for ((family, unit), field) in COLUMNS.iter().zip(disk.columns()) {
                out.put(family, [&name], unit.scale(scan::expect_number(Some(field), line)?));
            }
        }
        self.facts.truncate(at);
        Ok(())
    }

    /// The facts of the device that stands at place `at`, looked up if another stood there before.
    fn facts(&mut self, at: usize, disk: &Disk<'_>) -> &Facts {
        let (major, minor) = (disk.major, disk.minor);
        let known = self.facts.get(at).is_some_and(|facts| facts.is_of(disk.name, major, minor));
        if !known {
            let facts = Facts::look_up(&self.udev, &self.sysfs, disk.name, major, minor);
            if at < self.facts.len() {
                self.facts[at] = facts;
            } else {
                self.facts.push(facts);
            }
        }
        &self.facts[at.min(self.facts.len() - 1)]
    }
}

/// One line of the file.
#[derive(Debug, PartialEq)]
pub struct Disk<'a> {
    /// The device's major number.
    pub major: u32,
    /// The device's minor number.
    pub minor: u32,
    /// Its name.
    pub name: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Disk<'a> {
    /// The columns behind the name; how many there are depends on the kernel.
    pub fn columns(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        scan::fields(self.rest)
    }
}

/// Parses one line: major, minor, name and at least eleven columns.
pub fn parse(line: &[u8]) -> Result<Disk<'_>, Malformed> {
    let wrong = || Malformed::new("`major minor name` and at least eleven numbers", line);
    let mut fields = scan::fields(line);
    let mut number = || u32::try_from(scan::integer(fields.next()?)?).ok();
    let (Some(major), Some(minor)) = (number(), number()) else { return Err(wrong()) };
    let name = fields.next().ok_or_else(wrong)?;
    // The name is a part of the line, so its place in it is known.
    let end = name.as_ptr().addr() - line.as_ptr().addr() + name.len();
    let disk = Disk { major, minor, name, rest: &line[end..] };
    if disk.columns().count() < 11 { Err(wrong()) } else { Ok(disk) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_old_and_new_kernels() {
        let disk = parse(b" 254       0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19").unwrap();
        assert_eq!((disk.major, disk.minor, disk.name), (254, 0, b"vda".as_slice()));
        assert_eq!(disk.columns().count(), 19);
        assert_eq!(parse(b"8 0 sda 1 2 3 4 5 6 7 8 9 10 11").unwrap().columns().count(), 11);
        assert_eq!(parse(b"104 0 cciss/c0d0 1 2 3 4 5 6 7 8 9 10 11").unwrap().name, b"cciss/c0d0");
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"8 0", b"8 0 sda 1 2 3", b"x 0 sda 1 2 3 4 5 6 7 8 9 10 11", b"\xff"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        let mut disks = Disks {
            wanted: Decisions::new(&taffrail_core::pattern::Filter::default()),
            freshness: Freshness::default(),
            facts: Vec::new(),
            udev: "/none".into(),
            sysfs: "/none".into(),
        };
        let mut out = Out::default();
        out.begin(0);
        assert!(disks.write(b"8 0 sda 1 2 3 4 5 6 7 8 9 10 x\n", &mut out).is_err());
        assert!(disks.write(b"8 0 sda 1 2 3 4 5 6 7 8 -1 10 11\n", &mut out).is_ok());
    }
}
