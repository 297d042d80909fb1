//! Containers as the kernel shows them: trees of files on a file system in memory, as many as are asked for, or real
//! cgroups of this machine with a process in each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use taffrail_container::ContainerConfig;

/// The container that all others are copies of, as it was captured; and what is around it.
const CAPTURED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../exporters/container/fixtures/v2");
/// The number of the first container's first process, in a tree of files.
const FIRST_PID: usize = 10_000;

/// The id of a container.
fn id(number: usize) -> String {
    format!("{number:064x}")
}

/// A tree of files with containers, removed when this is dropped. Cgroups are of version 2.
pub struct Tree {
    root: PathBuf,
    captured: Vec<(PathBuf, Vec<u8>)>,
}

impl Tree {
    /// The tree of a machine without containers.
    pub fn new() -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let root = folder.join(format!("taffrail-bench-containers-{}", std::process::id()));
        // What a run that was killed has left.
        let _ = fs::remove_dir_all(&root);
        let captured = Path::new(CAPTURED);
        for (from, to) in [("sys/fs/cgroup", "sys/fs/cgroup"), ("proc", "proc"), ("proc/1/net", "proc/1/net")]
        {
            files(&captured.join(from))?
                .iter()
                .try_for_each(|(name, text)| write(&root.join(to).join(name), text))?;
        }
        let slice = captured.join("sys/fs/cgroup/system.slice");
        let folders = fs::read_dir(&slice).with_context(|| format!("{}", slice.display()))?;
        let mut folders = folders.flatten().map(|entry| entry.path());
        let container = folders.find(|path| path.to_string_lossy().contains("docker-a1b2"));
        let container = container.context("the captured tree has no container docker-a1b2…")?;
        let mut tree = Tree { root, captured: files(&container)? };
        tree.captured.retain(|(name, _)| name != Path::new("cgroup.procs"));
        Ok(tree)
    }

    /// The settings with which it is read.
    pub fn config(&self) -> ContainerConfig {
        ContainerConfig {
            procfs: self.root.join("proc"),
            sysfs: self.root.join("sys"),
            rootfs: self.root.join("root"),
            ..ContainerConfig::default()
        }
    }

    /// Starts a container.
    pub fn start(&self, number: usize) -> Result<()> {
        let pid = FIRST_PID + number;
        let captured = Path::new(CAPTURED).join("proc/4242");
        for file in ["stat", "net/dev"] {
            write(&self.root.join(format!("proc/{pid}/{file}")), &fs::read(captured.join(file))?)?;
        }
        let cgroup = self.cgroup(number);
        self.captured.iter().try_for_each(|(name, text)| write(&cgroup.join(name), text))?;
        write(&cgroup.join("cgroup.procs"), format!("{pid}\n").as_bytes())?;
        Ok(())
    }

    /// Ends it.
    pub fn end(&self, number: usize) -> Result<()> {
        fs::remove_dir_all(self.cgroup(number))?;
        fs::remove_dir_all(self.root.join(format!("proc/{}", FIRST_PID + number)))?;
        Ok(())
    }

    fn cgroup(&self, number: usize) -> PathBuf {
        self.root.join(format!("sys/fs/cgroup/system.slice/docker-{}.scope", id(number)))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // It lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The files of a folder, without those of folders in it.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?.flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.map(|entry| Ok((PathBuf::from(entry.file_name()), fs::read(entry.path())?))).collect()
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

/// Cgroups of this machine's kernel, each with a process that does nothing. They go when this is dropped.
pub struct Real {
    folders: Vec<PathBuf>,
    processes: Vec<Child>,
}

/// The folder of all of them, in each tree.
const PARENT: &str = "taffrail-bench-containers";
/// Controllers of version 1, each with a tree of its own.
const CONTROLLERS: [&str; 6] = ["blkio", "cpu", "cpuacct", "memory", "pids", "unified"];

impl Real {
    /// So many containers. Wants root.
    pub fn new(count: usize) -> Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let trees: Vec<PathBuf> = match root.join("cgroup.controllers").exists() {
            true => vec![root.to_path_buf()],
            false => CONTROLLERS.iter().map(|name| root.join(name)).filter(|path| path.is_dir()).collect(),
        };
        let mut real = Real { folders: Vec::new(), processes: Vec::new() };
        for tree in &trees {
            // What a run that was killed has left.
            for old in fs::read_dir(tree.join(PARENT)).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(old.path());
            }
            let _ = fs::remove_dir(tree.join(PARENT));
            real.make(tree.join(PARENT))?;
            // In version 2 a parent hands its controllers on; where one is not there, its files are not either.
            for controller in ["cpu", "memory", "io", "pids"] {
                let _ = fs::write(tree.join("cgroup.subtree_control"), format!("+{controller}"));
                let _ = fs::write(tree.join(PARENT).join("cgroup.subtree_control"), format!("+{controller}"));
            }
        }
        for number in 0..count {
            let process = resting()?;
            let pid = process.id();
            real.processes.push(process);
            for tree in &trees {
                let folder = tree.join(PARENT).join(id(number));
                real.make(folder.clone())?;
                fs::write(folder.join("cgroup.procs"), pid.to_string())?;
            }
        }
        Ok(real)
    }

    fn make(&mut self, folder: PathBuf) -> Result<()> {
        fs::create_dir(&folder).with_context(|| format!("{}: wants root and cgroups", folder.display()))?;
        self.folders.push(folder);
        Ok(())
    }
}

/// A process that waits until its input ends.
#[expect(clippy::disallowed_methods, reason = "a benchmark starts what it measures")]
fn resting() -> Result<Child> {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("cat cannot be started")
}

impl Drop for Real {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Ended already is as good.
            let _ = process.kill();
            let _ = process.wait();
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}
