//! The process itself: CPU, memory, file descriptors. See `proc(5)`.

use std::fs;

use taffrail_core::Out;
use taffrail_core::file::KernelFile;

use super::{
    PROCESS_CPU, PROCESS_FDS, PROCESS_MAX_FDS, PROCESS_RESIDENT, PROCESS_START, PROCESS_THREADS,
    PROCESS_VIRTUAL,
};
use crate::status::{Board, lock};

/// Reads `/proc/self`.
#[derive(Debug)]
pub struct Process {
    stat: KernelFile,
    /// Seconds since 1970 at which the machine was started.
    boot_s: f64,
}

impl Default for Process {
    fn default() -> Self {
        let boot_s = fs::read_to_string("/proc/stat")
            .ok()
            .and_then(|text| text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok());
        Process { stat: KernelFile::new("/proc/self/stat"), boot_s: boot_s.unwrap_or(0.0) }
    }
}

/// The fields of `/proc/self/stat` that are used.
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Process {
    /// Writes the process' metrics and tells the board.
    pub fn collect(&mut self, board: &Board, out: &mut Out) {
        let Some(stat) = self.stat.read().ok().and_then(parse) else { return };
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let resident = stat.resident_pages * rustix::param::page_size() as f64;
        out.put(&PROCESS_CPU, [], stat.cpu_ticks / ticks);
        out.put(&PROCESS_RESIDENT, [], resident);
        out.put(&PROCESS_VIRTUAL, [], stat.virtual_bytes);
        out.put(&PROCESS_START, [], self.boot_s + stat.start_ticks / ticks);
        out.put(&PROCESS_THREADS, [], stat.threads);
        // The folder being listed is open itself.
        let fds = fs::read_dir("/proc/self/fd").map_or(0, |list| list.count().saturating_sub(1));
        out.put(&PROCESS_FDS, [], fds as f64);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        out.put(&PROCESS_MAX_FDS, [], limit.map_or(f64::INFINITY, |limit| limit as f64));
        let mut status = lock(&board.process);
        status.resident_bytes = resident as u64;
        status.cpu_s = stat.cpu_ticks / ticks;
    }
}

/// Fields are counted behind the name in parentheses, which may hold anything.
fn parse(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|b| *b == b')')?;
    let fields: Vec<f64> = std::str::from_utf8(text.get(end + 2..)?)
        .ok()?
        .split_ascii_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    Some(Stat {
        cpu_ticks: fields.get(11)? + fields.get(12)?,
        threads: *fields.get(17)?,
        start_ticks: *fields.get(19)?,
        virtual_bytes: *fields.get(20)?,
        resident_pages: *fields.get(21)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stat_with_an_odd_name() {
        let text =
            b"7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 9 0 1234 5000 60 18446744073709551615";
        let stat = parse(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.threads, stat.start_ticks), (42.0, 9.0, 1234.0));
        assert_eq!((stat.virtual_bytes, stat.resident_pages), (5000.0, 60.0));
        assert!(parse(b"7 (a) S 1").is_none());
    }
}
