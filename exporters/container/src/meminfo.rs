//! The host's memory, from `/proc/meminfo` (proc_meminfo(5)).

use std::path::Path;

use taffrail_core::file::read_once;

use crate::scan;

/// Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// All of it.
    pub total: f64,
    /// Not used for anything.
    pub free: f64,
    /// Room for what is swapped out.
    pub swap: f64,
}

impl Memory {
    /// In use, cached files included.
    pub fn used(&self) -> f64 {
        self.total - self.free
    }
}

/// Parses `/proc/meminfo`: lines of `Name: number kB`.
pub fn parse(bytes: &[u8]) -> Option<Memory> {
    let field = |name: &[u8]| {
        let line = scan::lines(bytes).find_map(|line| line.strip_prefix(name))?;
        scan::fields(line).next().and_then(scan::integer).map(|kib| kib as f64 * 1024.0)
    };
    Some(Memory { total: field(b"MemTotal:")?, free: field(b"MemFree:")?, swap: field(b"SwapTotal:")? })
}

/// The host's memory now.
pub fn read(procfs: &Path) -> Option<Memory> {
    parse(&read_once(&procfs.join("meminfo")).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_fields() {
        let text = b"MemTotal:  16 kB\nMemFree:   4 kB\nMemAvailable: 5 kB\nSwapTotal: 2 kB\n";
        assert_eq!(parse(text), Some(Memory { total: 16384.0, free: 4096.0, swap: 2048.0 }));
        assert_eq!(parse(text).map(|memory| memory.used()), Some(12288.0));
        assert_eq!(parse(b"MemTotal: x kB\n"), None);
    }
}
