//! The files of cgroup version 1 (kernel document `admin-guide/cgroup-v1`), and pressure from the tree of version 2
//! beside it. Where a file has its own numbers and those with all cgroups below, the latter are meant.

use crate::numa;
use crate::pressure;
use crate::process;
use crate::scan::{self, Malformed};
use crate::source::{Pace, Source, read};
use crate::stats::{Device, Stats, limited};
use crate::v2::device_number;

/// What is read of each container.
pub(crate) static SOURCES: &[Source] = &[
    read("cpuacct", "cpuacct.usage", |bytes, stats| {
        scan::single(bytes).map(|ns| stats.cpu.usage = Some(ns / 1e9))
    }),
    read("cpuacct", "cpuacct.stat", cpuacct_stat),
    read("cpu", "cpu.stat", cpu_stat).at(Pace::Quota),
    read("cpu", "cpu.cfs_quota_us", |bytes, stats| {
        scan::limit(bytes).map(|quota| stats.limits.cpu_quota = quota.map(|quota| quota as f64))
    })
    .at(Pace::Setting),
    read("cpu", "cpu.cfs_period_us", |bytes, stats| {
        scan::single(bytes).map(|period| stats.limits.cpu_period = Some(period))
    })
    .at(Pace::Setting),
    read("cpu", "cpu.shares", |bytes, stats| {
        scan::single(bytes).map(|shares| stats.limits.cpu_shares = Some(shares))
    })
    .full()
    .at(Pace::Setting),
    read("memory", "memory.usage_in_bytes", |bytes, stats| {
        scan::single(bytes).map(|n| stats.memory.usage = Some(n))
    }),
    read("memory", "memory.stat", memory_stat),
    read("memory", "memory.oom_control", oom_control),
    read("memory", "memory.limit_in_bytes", |bytes, stats| {
        scan::limit(bytes).map(|n| stats.limits.memory = limited(n))
    })
    .at(Pace::Setting),
    read("memory", "memory.soft_limit_in_bytes", |bytes, stats| {
        scan::limit(bytes).map(|n| stats.limits.reservation = limited(n))
    })
    .at(Pace::Setting),
    read("blkio", "blkio.bfq.io_service_bytes_recursive", |bytes, stats| blkio(bytes, stats, service_bytes))
        .at(Pace::Devices),
    read("blkio", "blkio.bfq.io_serviced_recursive", |bytes, stats| blkio(bytes, stats, serviced))
        .at(Pace::Devices),
    read("blkio", "blkio.throttle.io_service_bytes_recursive", |bytes, stats| {
        blkio(bytes, stats, service_bytes)
    })
    .at(Pace::Devices),
    read("blkio", "blkio.throttle.io_serviced_recursive", |bytes, stats| blkio(bytes, stats, serviced))
        .at(Pace::Devices),
    read("pids", "pids.current", |bytes, stats| scan::single(bytes).map(|n| stats.tasks.threads = Some(n))),
    read("pids", "pids.max", |bytes, stats| scan::limit(bytes).map(|n| stats.tasks.threads_max = limited(n)))
        .full(),
    read("unified", "cpu.pressure", |bytes, stats| pressure::parse(bytes).map(|p| stats.pressure.cpu = p)),
    read("unified", "memory.pressure", |bytes, stats| {
        pressure::parse(bytes).map(|p| stats.pressure.memory = p)
    }),
    read("unified", "io.pressure", |bytes, stats| pressure::parse(bytes).map(|p| stats.pressure.io = p)),
    read("memory", "memory.max_usage_in_bytes", |bytes, stats| {
        scan::single(bytes).map(|n| stats.memory.peak = Some(n))
    })
    .full(),
    read("memory", "memory.failcnt", |bytes, stats| {
        scan::single(bytes).map(|n| stats.memory.failures = Some(n))
    })
    .full(),
    read("memory", "memory.kmem.usage_in_bytes", |bytes, stats| {
        scan::single(bytes).map(|n| stats.memory.kernel = Some(n))
    })
    .full(),
    read("memory", "memory.memsw.limit_in_bytes", |bytes, stats| {
        scan::limit(bytes).map(|n| stats.limits.swap = limited(n))
    })
    .full()
    .at(Pace::Setting),
    read("memory", "memory.numa_stat", |bytes, stats| numa::parse_v1(bytes).map(|nodes| stats.nodes = nodes))
        .full(),
    read("cpuset", "cpuset.memory_migrate", |bytes, stats| {
        scan::single(bytes).map(|n| stats.memory.migrate = Some(n))
    })
    .full(),
];

/// In ticks. Where `cpuacct.usage_user` and its like count whole ticks of the kernel, this divides what was measured.
fn cpuacct_stat(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    scan::pairs(bytes, |name, ticks| match name {
        b"user" => stats.cpu.user = Some(ticks / process::TICKS),
        b"system" => stats.cpu.system = Some(ticks / process::TICKS),
        _ => {}
    })
}

fn cpu_stat(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    let cpu = &mut stats.cpu;
    scan::pairs(bytes, |name, number| match name {
        b"nr_periods" => cpu.periods = Some(number),
        b"nr_throttled" => cpu.throttled_periods = Some(number),
        b"throttled_time" => cpu.throttled = Some(number / 1e9),
        b"nr_bursts" => cpu.burst_periods = Some(number),
        b"burst_time" => cpu.burst = Some(number / 1e9),
        _ => {}
    })
}

fn memory_stat(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    let memory = &mut stats.memory;
    scan::pairs(bytes, |name, number| {
        let place = match name {
            b"total_cache" => &mut memory.cache,
            b"total_rss" => &mut memory.rss,
            b"total_swap" => &mut memory.swap,
            b"total_mapped_file" => &mut memory.mapped,
            b"total_dirty" => &mut memory.dirty,
            b"total_writeback" => &mut memory.writeback,
            b"total_inactive_file" => &mut memory.inactive_file,
            b"total_active_file" => &mut memory.active_file,
            b"total_workingset_refault_anon" => &mut memory.refault_anon,
            b"total_workingset_refault_file" => &mut memory.refault_file,
            b"total_pgfault" => &mut memory.faults[0],
            b"total_pgmajfault" => &mut memory.faults[1],
            b"pgfault" => &mut memory.own_faults[0],
            b"pgmajfault" => &mut memory.own_faults[1],
            _ => return,
        };
        *place = Some(number);
    })
}

/// `oom_kill` is among settings; before Linux 4.13 it is not.
fn oom_control(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    scan::pairs(bytes, |name, number| {
        if name == b"oom_kill" {
            stats.memory.oom_kills = Some(number);
        }
    })
}

/// Where the reads and where the writes of a kind go.
type Places = fn(&mut Device) -> [&mut Option<f64>; 2];

fn service_bytes(device: &mut Device) -> [&mut Option<f64>; 2] {
    [&mut device.read_bytes, &mut device.write_bytes]
}

fn serviced(device: &mut Device) -> [&mut Option<f64>; 2] {
    [&mut device.reads, &mut device.writes]
}

/// Lines of `major:minor operation number`, and a total without a device. Two policies write such files, and only one of
/// them counts a device: the first that tells of it is believed.
fn blkio(bytes: &[u8], stats: &mut Stats, places: Places) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let mut fields = scan::fields(line);
        let (first, operation, number) = (fields.next(), fields.next(), fields.next());
        if first == Some(b"Total") {
            continue;
        }
        let number = number.and_then(scan::integer);
        let (Some(device), Some(number)) = (first.and_then(device_number), number) else {
            return Err(Malformed::new("`major:minor operation number`", line));
        };
        let place = match operation {
            Some(b"Read") => 0,
            Some(b"Write") => 1,
            _ => continue,
        };
        let [read, write] = places(stats.device(device));
        [read, write][place].get_or_insert(number as f64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(file: &str, bytes: &[u8]) -> Result<Stats, Malformed> {
        let mut stats = Stats::default();
        let source = SOURCES.iter().find(|source| source.file == file).unwrap();
        (source.read)(bytes, &mut stats).map(|()| stats)
    }

    #[test]
    fn numbers() {
        assert_eq!(read_one("cpuacct.usage", b"1500000000\n").unwrap().cpu.usage, Some(1.5));
        let stats = read_one("cpuacct.stat", b"user 123\nsystem 4\n").unwrap();
        assert_eq!((stats.cpu.user, stats.cpu.system), (Some(1.23), Some(0.04)));
        let stats =
            read_one("cpu.stat", b"nr_periods 5\nnr_throttled 2\nthrottled_time 500000000\n").unwrap();
        assert_eq!((stats.cpu.throttled_periods, stats.cpu.throttled), (Some(2.0), Some(0.5)));
        assert_eq!(read_one("cpu.cfs_quota_us", b"-1\n").unwrap().limits.cpu_quota, None);
        let unlimited = read_one("memory.limit_in_bytes", b"9223372036854771712\n").unwrap();
        assert_eq!(unlimited.limits.memory, Some(0.0));
        let oom = read_one("memory.oom_control", b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n").unwrap();
        assert_eq!(oom.memory.oom_kills, Some(3.0));
    }

    #[test]
    fn the_first_policy_that_tells_of_a_device_is_believed() {
        let mut stats = Stats::default();
        let lines = b"254:0 Read 10\n254:0 Write 20\n254:0 Sync 1\n254:0 Total 30\nTotal 30\n";
        blkio(lines, &mut stats, service_bytes).unwrap();
        blkio(b"254:0 Read 99\nTotal 99\n", &mut stats, service_bytes).unwrap();
        blkio(b"254:0 Read 3\n", &mut stats, serviced).unwrap();
        let device = &stats.devices[0];
        assert_eq!((device.read_bytes, device.write_bytes), (Some(10.0), Some(20.0)));
        assert_eq!((device.reads, device.writes), (Some(3.0), None));
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for (file, bytes) in [
            ("cpuacct.usage", b"x\n".as_slice()),
            ("cpu.stat", b"nr_periods\n"),
            ("memory.stat", b"total_rss -1\n"),
            ("memory.limit_in_bytes", b"\n"),
            ("blkio.throttle.io_serviced_recursive", b"254:0 Read\n"),
            ("blkio.throttle.io_serviced_recursive", b"sda Read 1\n"),
        ] {
            assert!(read_one(file, bytes).is_err(), "{file}");
        }
    }
}
