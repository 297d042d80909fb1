//! The files of cgroup version 2 (kernel document `admin-guide/cgroup-v2`). Their numbers hold all cgroups below.

use crate::numa;
use crate::pressure;
use crate::scan::{self, Malformed};
use crate::source::{Pace, Source, read};
use crate::stats::{Stats, limited};

/// What is read of each container.
pub(crate) static SOURCES: &[Source] = &[
    read("", "cpu.stat", cpu_stat),
    read("", "cpu.max", cpu_max).at(Pace::Setting),
    read("", "cpu.weight", cpu_weight).full().at(Pace::Setting),
    read("", "cpu.pressure", |bytes, stats| pressure::parse(bytes).map(|p| stats.pressure.cpu = p)),
    read("", "memory.current", |bytes, stats| scan::single(bytes).map(|n| stats.memory.usage = Some(n))),
    read("", "memory.stat", memory_stat),
    read("", "memory.events", memory_events),
    read("", "memory.swap.current", |bytes, stats| scan::single(bytes).map(|n| stats.memory.swap = Some(n))),
    read("", "memory.max", |bytes, stats| scan::limit(bytes).map(|n| stats.limits.memory = limited(n)))
        .at(Pace::Setting),
    read("", "memory.low", reservation).at(Pace::Setting),
    read("", "memory.min", reservation).at(Pace::Setting),
    read("", "memory.pressure", |bytes, stats| pressure::parse(bytes).map(|p| stats.pressure.memory = p)),
    read("", "io.stat", io_stat),
    read("", "io.pressure", |bytes, stats| pressure::parse(bytes).map(|p| stats.pressure.io = p)),
    read("", "pids.current", |bytes, stats| scan::single(bytes).map(|n| stats.tasks.threads = Some(n))),
    read("", "pids.max", |bytes, stats| scan::limit(bytes).map(|n| stats.tasks.threads_max = limited(n)))
        .full(),
    read("", "memory.peak", |bytes, stats| scan::single(bytes).map(|n| stats.memory.peak = Some(n))).full(),
    read("", "memory.swap.max", |bytes, stats| scan::limit(bytes).map(|n| stats.limits.swap = limited(n)))
        .full()
        .at(Pace::Setting),
    read("", "memory.numa_stat", |bytes, stats| {
        numa::parse_v2(bytes, rustix::param::page_size()).map(|nodes| stats.nodes = nodes)
    })
    .full(),
];

fn cpu_stat(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    let cpu = &mut stats.cpu;
    scan::pairs(bytes, |name, number| match name {
        b"usage_usec" => cpu.usage = Some(number / 1e6),
        b"user_usec" => cpu.user = Some(number / 1e6),
        b"system_usec" => cpu.system = Some(number / 1e6),
        b"nr_periods" => cpu.periods = Some(number),
        b"nr_throttled" => cpu.throttled_periods = Some(number),
        b"throttled_usec" => cpu.throttled = Some(number / 1e6),
        b"nr_bursts" => cpu.burst_periods = Some(number),
        b"burst_usec" => cpu.burst = Some(number / 1e6),
        _ => {}
    })
}

/// `quota period`, in microseconds; the quota may be `max`.
fn cpu_max(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    let malformed = || Malformed::new("`quota period`", bytes);
    let mut fields = scan::fields(bytes.trim_ascii());
    let quota = scan::limit(fields.next().ok_or_else(malformed)?)?;
    let period = fields.next().and_then(scan::integer).ok_or_else(malformed)?;
    stats.limits.cpu_quota = quota.map(|quota| quota as f64);
    stats.limits.cpu_period = Some(period as f64);
    Ok(())
}

/// Weights go from 1 to 10,000, shares from 2 to 262,144: the engines convert one into the other by this line.
fn cpu_weight(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    let weight = scan::single(bytes)?.max(1.0);
    stats.limits.cpu_shares = Some(((weight - 1.0) * 262_142.0 / 9999.0).floor() + 2.0);
    Ok(())
}

/// Docker's reservation becomes `memory.low`, Kubernetes' request `memory.min`: the larger is what is kept.
fn reservation(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    // `max` keeps all there is, which is no number of bytes.
    let kept = limited(scan::limit(bytes)?).unwrap_or(0.0);
    stats.limits.reservation = Some(stats.limits.reservation.unwrap_or(0.0).max(kept));
    Ok(())
}

fn memory_stat(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    let memory = &mut stats.memory;
    scan::pairs(bytes, |name, number| {
        let place = match name {
            b"anon" => &mut memory.rss,
            b"file" => &mut memory.cache,
            b"kernel" => &mut memory.kernel,
            b"file_mapped" => &mut memory.mapped,
            b"file_dirty" => &mut memory.dirty,
            b"file_writeback" => &mut memory.writeback,
            b"inactive_file" => &mut memory.inactive_file,
            b"active_file" => &mut memory.active_file,
            b"workingset_refault_anon" => &mut memory.refault_anon,
            b"workingset_refault_file" => &mut memory.refault_file,
            b"pgscan" => &mut memory.scanned,
            b"pgsteal" => &mut memory.stolen,
            b"pgfault" => &mut memory.faults[0],
            b"pgmajfault" => &mut memory.faults[1],
            _ => return,
        };
        *place = Some(number);
    })
}

fn memory_events(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    let memory = &mut stats.memory;
    scan::pairs(bytes, |name, number| match name {
        b"high" => memory.high = Some(number),
        // An attempt that failed at the limit is what version 1 counts as a failure.
        b"max" => (memory.max, memory.failures) = (Some(number), Some(number)),
        b"oom_kill" => memory.oom_kills = Some(number),
        _ => {}
    })
}

/// Lines of `major:minor name=number…`; a device that had no I/O may stand alone.
fn io_stat(bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let malformed = || Malformed::new("`major:minor name=number…`", line);
        let mut fields = scan::fields(line);
        let number = fields.next().and_then(device_number).ok_or_else(malformed)?;
        for field in fields {
            let at = memchr::memchr(b'=', field).ok_or_else(malformed)?;
            // Some of the cost model's fields are no whole numbers, and none of ours.
            let Some(value) = scan::integer(&field[at + 1..]).map(|value| value as f64) else { continue };
            let device = stats.device(number);
            match &field[..at] {
                b"rbytes" => device.read_bytes = Some(value),
                b"wbytes" => device.write_bytes = Some(value),
                b"rios" => device.reads = Some(value),
                b"wios" => device.writes = Some(value),
                b"cost.usage" => device.cost[0] = Some(value / 1e6),
                b"cost.wait" => device.cost[1] = Some(value / 1e6),
                b"cost.indebt" => device.cost[2] = Some(value / 1e6),
                b"cost.indelay" => device.cost[3] = Some(value / 1e6),
                _ => {}
            }
        }
    }
    Ok(())
}

/// `major:minor`.
pub(crate) fn device_number(field: &[u8]) -> Option<(u32, u32)> {
    let at = memchr::memchr(b':', field)?;
    let part = |digits: &[u8]| scan::integer(digits).and_then(|number| u32::try_from(number).ok());
    Some((part(&field[..at])?, part(&field[at + 1..])?))
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
    fn limits() {
        let stats = read_one("cpu.max", b"50000 100000\n").unwrap();
        assert_eq!((stats.limits.cpu_quota, stats.limits.cpu_period), (Some(50000.0), Some(100000.0)));
        let stats = read_one("cpu.max", b"max 100000\n").unwrap();
        assert_eq!((stats.limits.cpu_quota, stats.limits.cpu_period), (None, Some(100000.0)));
        assert_eq!(read_one("memory.max", b"max\n").unwrap().limits.memory, Some(0.0));
        assert_eq!(read_one("memory.max", b"1048576\n").unwrap().limits.memory, Some(1048576.0));
        assert_eq!(read_one("cpu.weight", b"39\n").unwrap().limits.cpu_shares, Some(998.0));
        assert_eq!(read_one("cpu.weight", b"1\n").unwrap().limits.cpu_shares, Some(2.0));
        assert_eq!(read_one("cpu.weight", b"10000\n").unwrap().limits.cpu_shares, Some(262144.0));
        let mut stats = read_one("memory.low", b"7\n").unwrap();
        reservation(b"max\n", &mut stats).unwrap();
        assert_eq!(stats.limits.reservation, Some(7.0));
    }

    #[test]
    fn devices() {
        let stats = read_one(
            "io.stat",
            b"254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0 cost.vrate=100.00 cost.usage=5000000\n7:1 \n",
        )
        .unwrap();
        let device = &stats.devices[0];
        assert_eq!(device.number, (254, 0));
        assert_eq!((device.read_bytes, device.writes, device.cost[0]), (Some(1.0), Some(4.0), Some(5.0)));
        assert_eq!(stats.devices.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for (file, bytes) in [
            ("cpu.stat", b"usage_usec\n".as_slice()),
            ("cpu.max", b"max\n"),
            ("cpu.max", b"\n"),
            ("cpu.max", b"x 1\n"),
            ("memory.current", b"max\n"),
            ("memory.stat", b"anon 1\nfile x\n"),
            ("memory.events", b"\xff 1 2\n"),
            ("io.stat", b"254 rbytes=1\n"),
            ("io.stat", b"254:0 rbytes\n"),
            ("io.stat", b"254:99999999999 rbytes=1\n"),
            ("pids.current", b""),
        ] {
            assert!(read_one(file, bytes).is_err(), "{file}");
        }
    }
}
