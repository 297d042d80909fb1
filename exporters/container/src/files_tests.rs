//! When the files of a cgroup are read.

use std::fs;

use super::*;
use crate::layout::Layout;

/// A container with a limit, on a machine with cgroups of version 1, in a folder of its own.
struct Bed {
    temp: tempfile::TempDir,
    files: Files,
}

impl Bed {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        for controller in ["memory", "blkio", "cpu"] {
            fs::create_dir_all(temp.path().join("fs/cgroup").join(controller).join("docker/a")).unwrap();
        }
        let layout = Layout::find(temp.path()).unwrap();
        let bed = Bed { files: Files::new(&layout, "/docker/a", &Detail::Default), temp };
        bed.write("memory", "memory.limit_in_bytes", "4096\n");
        bed.write("memory", "memory.usage_in_bytes", "7\n");
        bed
    }

    fn write(&self, controller: &str, file: &str, text: &str) {
        let folder = self.temp.path().join("fs/cgroup").join(controller).join("docker/a");
        fs::write(folder.join(file), text).unwrap();
    }

    fn read(&mut self, settings: bool) -> Stats {
        self.files.read(settings, &mut Vec::new()).unwrap().stats
    }
}

#[test]
fn settings_are_read_when_they_are_asked_for() {
    let mut bed = Bed::new();
    assert_eq!(bed.read(false).limits.memory, Some(4096.0));
    bed.write("memory", "memory.limit_in_bytes", "8192\n");
    bed.write("memory", "memory.usage_in_bytes", "8\n");
    let stats = bed.read(false);
    assert_eq!((stats.limits.memory, stats.memory.usage), (Some(4096.0), Some(8.0)));
    assert_eq!(bed.read(true).limits.memory, Some(8192.0));
    assert_eq!(bed.read(false).limits.memory, Some(8192.0));
}

#[test]
fn settings_are_read_again_after_trouble() {
    let mut bed = Bed::new();
    bed.write("memory", "memory.limit_in_bytes", "x\n");
    let reading = bed.files.read(false, &mut Vec::new()).unwrap();
    assert!(reading.trouble.is_some() && reading.stats.limits.memory.is_none());
    bed.write("memory", "memory.limit_in_bytes", "8192\n");
    assert_eq!(bed.read(false).limits.memory, Some(8192.0));
}

#[test]
fn devices_are_looked_for_seldom_until_there_is_one() {
    let mut bed = Bed::new();
    let file = "blkio.throttle.io_service_bytes_recursive";
    bed.write("blkio", file, "Total 0\n");
    assert!(bed.read(false).devices.is_empty());
    bed.write("blkio", file, "8:0 Read 5\n8:0 Write 6\nTotal 11\n");
    for _ in 0..REST {
        assert!(bed.read(false).devices.is_empty());
    }
    assert_eq!(bed.read(false).devices[0].read_bytes, Some(5.0));
    bed.write("blkio", file, "8:0 Read 9\nTotal 9\n");
    assert_eq!(bed.read(false).devices[0].read_bytes, Some(9.0));
}

#[test]
fn throttling_is_read_where_there_is_a_quota() {
    let mut bed = Bed::new();
    let counted = |bed: &mut Bed, periods: u32, settings| {
        bed.write("cpu", "cpu.stat", &format!("nr_periods {periods}\nnr_throttled 0\nthrottled_time 0\n"));
        bed.read(settings).cpu.periods
    };
    bed.write("cpu", "cpu.cfs_quota_us", "-1\n");
    assert_eq!((counted(&mut bed, 0, false), counted(&mut bed, 0, false)), (Some(0.0), None));
    bed.write("cpu", "cpu.cfs_quota_us", "50000\n");
    assert_eq!((counted(&mut bed, 1, true), counted(&mut bed, 2, false)), (Some(1.0), Some(2.0)));
}
