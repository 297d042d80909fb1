//! The processes of a container: which one to look at, how many there are, since when the first one runs.

use std::fs;
use std::path::Path;

use taffrail_core::CollectError;
use taffrail_core::file::read_once;

use crate::folder::Folder;
use crate::scan::{self, Malformed};

/// Processes of one cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// The one with the smallest number, which is most often the first; none where the cgroup has none, or where they are
    /// not seen from the collector's own PID namespace (the kernel writes 0).
    pub first: Option<u32>,
    /// How many.
    pub count: usize,
}

/// Parses `cgroup.procs`: a number a line.
pub fn parse(bytes: &[u8]) -> Result<Processes, Malformed> {
    let mut processes = Processes::default();
    for line in scan::lines(bytes) {
        let pid = scan::integer(line).and_then(|pid| u32::try_from(pid).ok());
        let pid = pid.ok_or_else(|| Malformed::new("a process number a line", line))?;
        processes.count += 1;
        if pid > 0 && processes.first.is_none_or(|first| pid < first) {
            processes.first = Some(pid);
        }
    }
    Ok(processes)
}

/// How deep the processes of a container are looked for below its cgroup: Podman's and systemd's are one deeper.
const MAX_DEPTH: usize = 3;
/// The most folders looked into for the processes of one container.
const MAX_FOLDERS: usize = 64;

/// The processes of a folder; none where there are none.
pub fn read(folder: &mut Folder, buffer: &mut Vec<u8>) -> Option<Processes> {
    let len = folder.read("cgroup.procs", false, buffer).ok()?;
    parse(&buffer[..len]).ok().filter(|processes| processes.count > 0)
}

/// The first folder at or below `folder` that has processes, with them.
pub fn folder_with_processes(folder: &Path, buffer: &mut Vec<u8>) -> Option<(Folder, Processes)> {
    let mut open = vec![(folder.to_path_buf(), 0)];
    let mut looked = 0;
    while let Some((path, depth)) = open.pop() {
        let mut folder = Folder::new(&path);
        if let Some(processes) = read(&mut folder, buffer) {
            return Some((folder, processes));
        }
        looked += 1;
        if depth == MAX_DEPTH || looked == MAX_FOLDERS {
            continue;
        }
        let folders = fs::read_dir(&path).into_iter().flatten().flatten();
        let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        open.extend(folders.map(|entry| (entry.path(), depth + 1)));
    }
    None
}

/// When a process was started, in ticks of a hundredth of a second since the machine was: the 22nd field of
/// `/proc/<pid>/stat` (proc_pid_stat(5)). The second field is a name in brackets that may hold anything.
pub fn start_ticks(stat: &[u8]) -> Option<u64> {
    let behind = memchr::memrchr(b')', stat)?;
    scan::fields(&stat[behind + 1..]).nth(19).and_then(scan::integer)
}

/// When the machine was started, in seconds since 1970: `btime` of `/proc/stat`.
pub fn boot_time(stat: &[u8]) -> Option<u64> {
    scan::lines(stat).find_map(|line| scan::integer(line.strip_prefix(b"btime ")?.trim_ascii()))
}

/// When a process was started, in seconds since 1970.
pub fn started(procfs: &Path, pid: u32, boot_time: u64) -> Result<f64, CollectError> {
    let path = procfs.join(format!("{pid}/stat"));
    let ticks = start_ticks(&read_once(&path)?);
    let ticks = ticks.ok_or_else(|| CollectError::Parse { path, what: "expected 52 fields".into() })?;
    Ok(boot_time as f64 + ticks as f64 / TICKS)
}

/// `USER_HZ`, which is 100 wherever Linux runs.
pub const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_number_is_the_first() {
        assert_eq!(parse(b"30\n4\n5\n"), Ok(Processes { first: Some(4), count: 3 }));
        assert_eq!(parse(b"0\n0\n"), Ok(Processes { first: None, count: 2 }));
        assert_eq!(parse(b""), Ok(Processes::default()));
        assert!(parse(b"x\n").is_err() && parse(b"4294967296\n").is_err());
    }

    #[test]
    fn since_when() {
        let stat =
            b"7 (a) b) R) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 1 18446744073709551615\n";
        assert_eq!(start_ticks(stat), Some(12345));
        assert_eq!(start_ticks(b"7 (a"), None);
        assert_eq!(boot_time(b"cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
        let boot = boot_time(&fs::read("/proc/stat").unwrap()).unwrap();
        let since = started(Path::new("/proc"), std::process::id(), boot).unwrap();
        assert!(since > boot as f64);
    }
}
