//! Processes and threads by state from `/proc/<pid>/stat` (proc_pid_stat(5)), and how many there may be.
//!
//! A process costs one file, about four microseconds, and a thread of a process with several as much again. With very
//! many threads their states are left out; the states of processes never are.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::io::{Errno, read};
use taffrail_core::cost;
use taffrail_core::{CollectError, Family, Out, Subject, metrics};

use crate::attribute::Buffer;
use crate::config::HostConfig;
use crate::number_file::NumberFile;
use crate::scan;

metrics! {
    /// Processes.
    PIDS: Gauge = "node_processes_pids" [];
    /// Threads of all processes.
    THREADS: Gauge = "node_processes_threads" [];
    /// How high the kernel lets the numbers of processes and threads become.
    MAX_PROCESSES: Gauge = "node_processes_max_processes" [];
    /// How many threads the kernel allows on the whole machine.
    MAX_THREADS: Gauge = "node_processes_max_threads" [];
    /// Processes in each state, by the kernel's letter: R runs, S sleeps, D waits for a disk, Z is dead and not yet
    /// buried.
    STATE: Gauge = "node_processes_state" ["state"];
    /// Threads in each state; left out where processes have more than 5,000 threads beside their first.
    THREADS_STATE: Gauge = "node_processes_threads_state" ["thread_state"];
}

/// The most threads, beside the first of each process, that are looked at one by one: 20 milliseconds of work.
const MOST_THREADS: u64 = 5000;

/// The subject `processes`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut counter = Counter {
        procfs: config.procfs.clone(),
        dir: None,
        several: Vec::new(),
        path: Vec::new(),
        buffer: Box::new([0; 4096]),
    };
    let mut limits = [("sys/kernel/pid_max", &MAX_PROCESSES), ("sys/kernel/threads-max", &MAX_THREADS)]
        .map(|(path, family)| (NumberFile::new(config.proc(path)), family));
    Subject::blocking("processes", METRICS, move |out| {
        counter.write(out)?;
        for (file, family) in &mut limits {
            if let Some(value) = file.read(&mut counter.buffer) {
                out.put(family, [], value);
            }
        }
        Ok(())
    })
}

/// How many are in which state, by the ASCII letter.
struct States([u64; 128]);

impl States {
    fn add(&mut self, state: u8) {
        if let Some(count) = self.0.get_mut(usize::from(state)) {
            *count += 1;
        }
    }

    fn write(&self, family: &'static Family<1>, out: &mut Out) {
        for (letter, count) in (0u8..).zip(self.0).filter(|(_, count)| *count > 0) {
            let letter = [letter];
            if let Ok(letter) = std::str::from_utf8(&letter) {
                out.put(family, [letter], count as f64);
            }
        }
    }
}

struct Counter {
    procfs: PathBuf,
    dir: Option<Dir>,
    /// Processes with several threads.
    several: Vec<Vec<u8>>,
    path: Vec<u8>,
    buffer: Box<Buffer>,
}

impl Counter {
    fn write(&mut self, out: &mut Out) -> Result<(), CollectError> {
        let failed =
            |path: &Path, source: Errno| CollectError::Read { path: path.into(), source: source.into() };
        let dir = match &mut self.dir {
            Some(dir) => dir,
            None => self.dir.insert(open_dir(CWD, &self.procfs).map_err(|e| failed(&self.procfs, e))?),
        };
        let (mut pids, mut threads, mut is_whole) = (0u64, 0u64, false);
        let (mut states, mut thread_states) = (States([0; 128]), States([0; 128]));
        self.several.clear();
        dir.rewind();
        while let Some(entry) = dir.read() {
            let entry = entry.map_err(|e| failed(&self.procfs, e))?;
            let name = entry.file_name().to_bytes();
            if !name.first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            let Ok(fd) = dir.fd() else { continue };
            // One that ended since it was listed is not there any more.
            let Some(stat) = read_stat(fd, name, &mut self.path, &mut self.buffer) else { continue };
            pids += 1;
            is_whole |= name == b"1";
            threads += stat.threads;
            states.add(stat.state);
            thread_states.add(stat.state);
            if stat.threads > 1 {
                self.several.push(name.to_vec());
            }
        }
        if pids == 0 {
            return Err(CollectError::Absent);
        }
        if !is_whole {
            return Err(CollectError::Other(format!(
                "{} shows some processes only, and not the first: run this as root, or mount procfs without hidepid",
                self.procfs.display()
            )));
        }
        out.put(&PIDS, [], pids as f64);
        out.put(&THREADS, [], threads as f64);
        states.write(&STATE, out);
        if threads.saturating_sub(pids) <= MOST_THREADS {
            self.count_threads(&mut thread_states);
            thread_states.write(&THREADS_STATE, out);
        }
        Ok(())
    }

    /// Adds all threads of the processes that have several, but for the first of each.
    fn count_threads(&mut self, states: &mut States) {
        let Some(procfs) = self.dir.as_ref().and_then(|dir| dir.fd().ok()) else { return };
        for process in &self.several {
            self.path.clear();
            self.path.extend_from_slice(process);
            self.path.extend_from_slice(b"/task");
            let Ok(mut tasks) = open_dir(procfs, &*self.path) else { continue };
            while let Some(Ok(entry)) = tasks.read() {
                let name = entry.file_name().to_bytes();
                if !name.first().is_some_and(u8::is_ascii_digit) || name == process {
                    continue;
                }
                let Ok(fd) = tasks.fd() else { continue };
                if let Some(stat) = read_stat(fd, name, &mut self.path, &mut self.buffer) {
                    states.add(stat.state);
                }
            }
        }
    }
}

fn open_dir(at: impl std::os::fd::AsFd, path: impl rustix::path::Arg) -> Result<Dir, Errno> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).and_then(Dir::new)
}

/// Reads `<name>/stat` below a folder; `None` if it is gone, or not to be seen.
fn read_stat(
    at: impl std::os::fd::AsFd,
    name: &[u8],
    path: &mut Vec<u8>,
    buffer: &mut Buffer,
) -> Option<Stat> {
    path.clear();
    path.extend_from_slice(name);
    path.extend_from_slice(b"/stat");
    let file = openat(at, &**path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let len = read(&file, &mut buffer[..]).ok()?;
    cost::read(len);
    parse(&buffer[..len])
}

/// What is needed of one process or thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The kernel's letter.
    pub state: u8,
    /// Threads of the process.
    pub threads: u64,
}

/// Parses the file. The process' name is in brackets and may hold any byte, brackets and line feeds too; behind the last
/// bracket are letters and numbers only.
pub fn parse(bytes: &[u8]) -> Option<Stat> {
    let behind = &bytes[memchr::memrchr(b')', bytes)? + 1..];
    let mut fields = scan::fields(scan::trim(behind));
    let state = *fields.next()?.first()?;
    let threads = scan::integer(fields.nth(16)?)?;
    state.is_ascii_alphabetic().then_some(Stat { state, threads })
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::Run;

    #[test]
    fn a_part_of_the_processes_is_no_number_of_processes() {
        let root = tempfile::tempdir().unwrap();
        let config = HostConfig { procfs: root.path().into(), ..HostConfig::default() };
        let Run::Blocking(mut run) = subject(&config).run else { panic!("it blocks") };
        let mut collect = || {
            let mut out = Out::default();
            out.begin(0);
            run(&mut out).map(|()| out.finish().samples.len())
        };
        let add = |pid: &str| {
            std::fs::create_dir(root.path().join(pid)).unwrap();
            let stat = format!("{pid} (x) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 88 9 10\n");
            std::fs::write(root.path().join(pid).join("stat"), stat).unwrap();
        };
        assert!(matches!(collect(), Err(CollectError::Absent)));
        add("77");
        assert!(collect().unwrap_err().to_string().contains("without hidepid"));
        add("1");
        assert_eq!(collect().unwrap(), 4);
    }

    #[test]
    fn names_may_be_anything() {
        let rest = "S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 12 0 88 9 10";
        for name in ["init", "a b", ") Z 1 (", "x)\n", ""] {
            let text = format!("7 ({name}) {rest}\n");
            assert_eq!(parse(text.as_bytes()), Some(Stat { state: b'S', threads: 12 }), "{name:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_no_process() {
        for bad in ["", "7 (x", "7 (x)", "7 (x) S 1", "7 (x) S 1 1 1 0 -1 4 1 2 3 4 5 6 7 8 20 0 x 0", ") 1"]
        {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
