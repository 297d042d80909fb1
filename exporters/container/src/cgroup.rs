//! One container's cgroup: its files, and what is remembered of it from run to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::files::{Detail, Files, Reading};
use crate::folder::Folder;
use crate::inventory::Container;
use crate::layout::Layout;
use crate::network::{self, Interface};
use crate::process::{self, Processes};
use crate::write::Labels;

/// How long settings (limits) are believed where no engine tells of their change.
const SETTINGS_EVERY: Duration = Duration::from_secs(60);

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
    /// When its settings were read; none where they have to be read anew.
    pub settings_at: Option<Duration>,
    files: Files,
    /// Its folder in the tree in which it was found.
    folder: PathBuf,
    procs: Procs,
}

/// Where its processes are.
enum Procs {
    /// Not known yet.
    Unknown,
    /// In its own folder, which is at this place among those of its files.
    Own(usize),
    /// In one below.
    Below(Folder),
}

impl Cgroup {
    /// The cgroup at `path`.
    pub fn new(layout: &Layout, path: &str, id: &str, inode: u64, detail: &Detail) -> Self {
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
            settings_at: None,
            files: Files::new(layout, path, detail),
            folder: layout.searched().join(path.trim_start_matches('/')),
            procs: Procs::Unknown,
        }
    }

    /// Reads its files; settings when it is time to, or when the engine has told of a change. None when it is gone.
    pub fn read(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Reading> {
        let due = self.settings_at.is_none_or(|at| now >= at + SETTINGS_EVERY);
        if due {
            self.settings_at = Some(now);
        }
        self.files.read(due, buffer)
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
        let read = match &mut self.procs {
            Procs::Unknown => None,
            Procs::Own(place) => self.files.folder(*place).and_then(|folder| process::read(folder, buffer)),
            Procs::Below(folder) => process::read(folder, buffer),
        };
        if read.is_some() {
            return read;
        }
        // They may have moved to another folder below.
        let (folder, processes) = process::folder_with_processes(&self.folder, buffer)?;
        self.procs = self.files.place(folder.path()).map_or(Procs::Below(folder), Procs::Own);
        Some(processes)
    }
}
