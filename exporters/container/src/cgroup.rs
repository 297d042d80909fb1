//! One container's cgroup: its files, and what is remembered of it from run to run.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use taffrail_core::CollectError;
use taffrail_core::file::KernelFile;

use crate::inventory::Container;
use crate::layout::Layout;
use crate::network::{self, Interface};
use crate::process::{self, Processes};
use crate::source::{self, Source};
use crate::stats::Stats;
use crate::write::Labels;

/// A container's cgroup, or the host's.
pub struct Cgroup {
    /// The container's id; empty for the host.
    pub id: String,
    /// The uid of its pod.
    pub pod: Option<String>,
    /// The folder's inode: a container that was started again has another.
    pub inode: u64,
    /// The run in which it was seen first, and the one in which it was seen last.
    pub first: u64,
    /// The run in which it was seen last.
    pub last: u64,
    /// When its first process was started, in seconds since 1970.
    pub started: Option<f64>,
    /// Its labels, and the container they were made of.
    pub labels: Arc<Labels>,
    /// What the labels were made of.
    pub container: Option<Arc<Container>>,
    /// Its network in this run: the network's number, and its interfaces.
    pub network: Option<(u64, Vec<Interface>)>,
    /// Its processes in this run.
    pub processes: Processes,
    files: Vec<(KernelFile, &'static Source)>,
    procs: Procs,
}

/// Where its processes are.
enum Procs {
    /// In a folder that is not known yet.
    Unknown(std::path::PathBuf),
    /// In this file.
    Known(KernelFile),
}

/// What a reading of all files gives.
#[derive(Debug, Default)]
pub struct Reading {
    /// What they say.
    pub stats: Stats,
    /// The first that could not be read or understood.
    pub trouble: Option<CollectError>,
}

impl Cgroup {
    /// The cgroup at `path`, which is read with all details or only what dashboards ask for.
    pub fn new(layout: &Layout, path: &str, id: &str, inode: u64, full: bool) -> Self {
        let table = source::table(matches!(layout, Layout::V2(_))).iter();
        let files = table.filter(|source| full || !source.full).map(|source| {
            (KernelFile::new(layout.folder(source.controller, path).join(source.file)), source)
        });
        Cgroup {
            id: id.to_owned(),
            pod: crate::place::pod_uid(path),
            inode,
            first: 0,
            last: 0,
            started: None,
            labels: Arc::default(),
            container: None,
            network: None,
            processes: Processes::default(),
            files: files.collect(),
            procs: Procs::Unknown(layout.searched().join(path.trim_start_matches('/'))),
        }
    }

    /// Reads all files. None when the cgroup is gone.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Option<Reading> {
        let mut reading = Reading::default();
        let mut found = false;
        for (file, source) in &mut self.files {
            match file.read_into(buffer) {
                Ok(bytes) => {
                    found = true;
                    if let Err(error) = (source.read)(bytes, &mut reading.stats) {
                        reading.trouble.get_or_insert(file.malformed(error));
                    }
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    reading.trouble.get_or_insert(error);
                }
            }
        }
        (found || reading.trouble.is_some()).then_some(reading)
    }

    /// Looks for its processes, and through the first of them at its network.
    pub fn look_at_processes(&mut self, procfs: &Path, buffer: &mut Vec<u8>) {
        self.processes = self.find_processes(buffer).unwrap_or_default();
        // Where processes are not seen from the collector's own namespace, the engine knows the first one's number.
        let pid = self.processes.first.or_else(|| self.container.as_ref()?.pid);
        self.network = None;
        if let Some(pid) = pid {
            self.look_at(pid, procfs, buffer);
        }
    }

    /// Looks at the network of one of its processes.
    pub fn look_at(&mut self, pid: u32, procfs: &Path, buffer: &mut Vec<u8>) {
        self.processes.first = Some(pid);
        let number = network::read(procfs, pid, buffer).ok();
        self.network = number.and_then(|number| Some((number, network::parse(buffer).ok()?)));
    }

    fn find_processes(&mut self, buffer: &mut Vec<u8>) -> Option<Processes> {
        if let Procs::Known(file) = &mut self.procs {
            let read = file.read_into(buffer).ok().and_then(|bytes| process::parse(bytes).ok());
            if let Some(processes) = read.filter(|processes| processes.count > 0) {
                return Some(processes);
            }
            // They may have moved to another folder below.
            let folder = file.path().parent()?.to_path_buf();
            self.procs = Procs::Unknown(folder);
        }
        let Procs::Unknown(folder) = &self.procs else { return None };
        let mut file = process::folder_with_processes(folder)?;
        let processes = file.read_into(buffer).ok().and_then(|bytes| process::parse(bytes).ok());
        self.procs = Procs::Known(file);
        processes
    }
}

/// Whether an error only says that the cgroup, or this file of it, is not there: it was removed, or the kernel has
/// switched off what it is about.
fn is_gone(error: &CollectError) -> bool {
    match error {
        CollectError::Absent => true,
        CollectError::Read { source, .. } => {
            let gone = [Errno::NODEV, Errno::SRCH, Errno::OPNOTSUPP, Errno::NOTDIR];
            let known = source
                .raw_os_error()
                .is_some_and(|code| gone.iter().any(|errno| errno.raw_os_error() == code));
            known || source.kind() == io::ErrorKind::NotFound
        }
        _ => false,
    }
}
