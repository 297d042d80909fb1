//! Space and inodes of mounted file systems: mounts from `<procfs>/1/mountinfo` (proc_pid_mountinfo(5)), numbers from
//! statfs(2) below `rootfs`, in bytes. A mount that does not answer in four fifths of the subject's budget has
//! `node_filesystem_device_error` 1 and no other numbers until it does.

use std::collections::{BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};
use taffrail_core::file::{KernelFile, read_once};
use taffrail_core::note::Level;
use taffrail_core::{CollectError, Note, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::mounts::{self, Mount};
use crate::statfs::{Answer, Ask, Asker, Target, Usage, ask_kernel};
use crate::view::{self, Reach};

metrics! {
    /// Bytes of the file system.
    SIZE: Gauge = "node_filesystem_size_bytes" ["device", "mountpoint", "fstype", "device_error"];
    /// Bytes free.
    FREE: Gauge = "node_filesystem_free_bytes" ["device", "mountpoint", "fstype", "device_error"];
    /// Bytes free for those who are not root.
    AVAIL: Gauge = "node_filesystem_avail_bytes" ["device", "mountpoint", "fstype", "device_error"];
    /// Inodes of the file system.
    FILES: Gauge = "node_filesystem_files" ["device", "mountpoint", "fstype", "device_error"];
    /// Inodes free.
    FILES_FREE: Gauge = "node_filesystem_files_free" ["device", "mountpoint", "fstype", "device_error"];
    /// Whether the mount is read-only (1) or not (0).
    READ_ONLY: Gauge = "node_filesystem_readonly" ["device", "mountpoint", "fstype", "device_error"];
    /// Whether the file system failed to say how full it is (1) or not (0).
    DEVICE_ERROR: Gauge = "node_filesystem_device_error" ["device", "mountpoint", "fstype", "device_error"];
    /// The numbers of the mount's device. Always 1.
    MOUNT_INFO: Gauge = "node_filesystem_mount_info" ["device", "major", "minor", "mountpoint"];
}

/// The subject `filesystem`.
pub fn subject(config: &HostConfig) -> Subject {
    asking(config, ask_kernel)
}

/// The subject with another call in the place of statfs(2): a fixture's mounts do not exist.
pub fn asking(config: &HostConfig, ask: Ask) -> Subject {
    // The frame gives up on a run at its budget; before that all that is known must have been written.
    let limit = config.schedule("filesystem").budget * 4 / 5;
    let mut mounted = Mounted::new(config);
    let mut asker = Asker::new(ask);
    let mut hanging = BTreeSet::new();
    Subject::blocking("filesystem", METRICS, move |out| {
        mounted.refresh()?;
        let now = write(&mounted, &mut asker, limit, out)?;
        tell(&hanging, &now, out);
        hanging = now;
        Ok(())
    })
}

/// Whether the host's mounts can be reached; the error says what to mount or set.
pub(crate) fn check(config: &HostConfig) -> Result<(), CollectError> {
    Mounted::new(config).refresh()
}

/// Writes what the mounts answer, and returns those that do not.
fn write(
    mounted: &Mounted,
    asker: &mut Asker,
    limit: Duration,
    out: &mut Out,
) -> Result<BTreeSet<String>, CollectError> {
    let mut hanging = BTreeSet::new();
    let answers = asker.run(&mounted.targets, limit);
    let answers = answers.map_err(|e| CollectError::Other(format!("no thread for statfs: {e}")))?;
    for (shown, answer) in mounted.shown.iter().zip(answers) {
        match answer {
            Answer::Usage(usage) => shown.write(&usage, out),
            Answer::Failed(error) => shown.write_error(&reason(&error), out),
            Answer::Late => {
                shown.write_error("mountpoint timeout", out);
                hanging.insert(shown.point.clone());
            }
            Answer::NotAsked => shown.write_error("not asked, too many mountpoints time out", out),
        }
    }
    Ok(hanging)
}

/// Notes for mounts that have begun to hang, or answer again.
fn tell(before: &BTreeSet<String>, now: &BTreeSet<String>, out: &mut Out) {
    let mut note = |level, event, text: &str, point: &String| {
        out.note(Note { level, event, text: text.to_owned(), facts: vec![("mountpoint", point.clone())] });
    };
    for point in now.difference(before) {
        let text = "the file system does not answer; it is not asked again until it does, the others are";
        note(Level::Warn, "mount_hangs", text, point);
    }
    for point in before.difference(now) {
        note(Level::Info, "mount_hangs_no_more", "the file system answers again, or is gone", point);
    }
}

/// The kernel's word for an error, as node_exporter has it in the label: lower case, without the number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Runs between two readings of the kernel's list, where the kernel says that no mount came, went or was changed. A file
/// system that turns read-only after an error is the one change that it does not tell of.
const EVERY: u32 = 4;

/// The mounts that are collected. They are worked out anew only when the kernel's list is another than before.
struct Mounted {
    config: HostConfig,
    file: KernelFile,
    list: Vec<u8>,
    /// Runs since the list was read.
    age: u32,
    shown: Vec<Shown>,
    targets: Arc<[Target]>,
}

impl Mounted {
    fn new(config: &HostConfig) -> Self {
        Mounted {
            config: config.clone(),
            file: KernelFile::new(config.proc("1/mountinfo")),
            list: Vec::new(),
            age: 0,
            shown: Vec::new(),
            targets: Arc::default(),
        }
    }

    fn refresh(&mut self) -> Result<(), CollectError> {
        self.age += 1;
        if !self.list.is_empty() && self.age < EVERY && !may_have_changed(&self.file) {
            return Ok(());
        }
        self.age = 0;
        let list = match self.file.read() {
            Ok(list) => list,
            // The first process is hidden (hidepid), or there is none: our own mounts are the next best.
            Err(error) => {
                let own = self.config.proc("self/mountinfo");
                if self.file.path() == own {
                    return Err(error);
                }
                self.file = KernelFile::new(own);
                self.file.read()?
            }
        };
        if list == self.list && !list.is_empty() {
            return Ok(());
        }
        let list = list.to_vec();
        let mounts = mounts::parse(&list).map_err(|e| self.file.malformed(e))?;
        self.list.clear();
        self.take_over(mounts::visible(mounts))?;
        self.list = list;
        Ok(())
    }

    fn take_over(&mut self, mounts: Vec<Mount>) -> Result<(), CollectError> {
        let path: PathBuf = self.config.proc("self/mountinfo");
        let own = mounts::parse(&read_once(&path)?)
            .map_err(|e| CollectError::Parse { path, what: e.to_string() })?;
        let own = mounts::visible(own);
        let reach = view::reach(&self.config.procfs, &self.config.rootfs, &mounts, &own);
        let reach = reach.map_err(CollectError::Other)?;
        let slow = slow(&mounts);
        let shown = mounts.into_iter().filter_map(|mount| self.show(mount, reach, &slow));
        let (shown, targets): (Vec<_>, Vec<_>) = shown.unzip();
        self.shown = shown;
        self.targets = targets.into();
        Ok(())
    }

    /// What is published of a mount, and where it is reached; `None` when it is not collected.
    fn show(&self, mut mount: Mount, reach: Reach, slow: &HashSet<Vec<u8>>) -> Option<(Shown, Target)> {
        let root = prefix(self.config.rootfs.as_os_str().as_bytes());
        // With another root than ours, what the path leads through is not looked into.
        let prompt = root.is_empty() && !mounts::directories(&mount.point).any(|point| slow.contains(point));
        if reach == Reach::Own {
            if !mounts::contains(root, &mount.point) {
                return None;
            }
            mount.point.drain(..root.len());
            if mount.point.is_empty() {
                mount.point.push(b'/');
            }
        }
        let config = &self.config.filesystem;
        if !config.mount_points.keeps(&mount.point) || !config.fs_types.keeps(&mount.fs_type) {
            return None;
        }
        let target = Target { id: mount.id, path: [root, &mount.point].concat(), prompt };
        Some((Shown::new(&mount), target))
    }
}

/// Types of file systems whose statfs(2) reads nothing but memory, and takes no lock that waits for a disk: those in
/// memory or of the kernel's own, and those that keep their counts in the superblock. XFS is none of them: from Linux 5.14
/// to 5.18 its statfs waits until all inodes that are being freed are, which on a slow disk takes minutes.
const PROMPT: [&[u8]; 10] =
    [b"ext2", b"ext3", b"ext4", b"tmpfs", b"ramfs", b"devtmpfs", b"sysfs", b"proc", b"cgroup", b"cgroup2"];

/// Where file systems are mounted that are none of those, as [`mounts::directories`] has it.
fn slow(mounts: &[Mount]) -> HashSet<Vec<u8>> {
    let slow = mounts.iter().filter(|mount| !PROMPT.contains(&&*mount.fs_type));
    slow.map(|mount| mounts::directory(&mount.point).to_vec()).collect()
}

/// Whether mounts may have come, gone or changed since this was asked last, or the list was opened: poll(2) says so
/// (proc_pid_mountinfo(5)). Always true of a list that is not the kernel's own.
fn may_have_changed(list: &KernelFile) -> bool {
    let Some(file) = list.open_file() else { return true };
    if !fstatfs(file).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC) {
        return true;
    }
    let mut asked = [PollFd::new(file, PollFlags::PRI)];
    match poll(&mut asked, Some(&Timespec::default())) {
        Ok(_) => !asked[0].revents().is_empty(),
        Err(_) => true,
    }
}

/// `rootfs` to be put before an absolute path: nothing for `/`.
fn prefix(rootfs: &[u8]) -> &[u8] {
    rootfs.strip_suffix(b"/").unwrap_or(rootfs)
}

/// A mount's labels.
struct Shown {
    device: String,
    point: String,
    fs_type: String,
    major: String,
    minor: String,
    read_only: bool,
}

impl Shown {
    fn new(mount: &Mount) -> Self {
        let text = |bytes: &[u8]| label::value(bytes).into_owned();
        Shown {
            device: text(&mount.source),
            point: text(&mount.point),
            fs_type: text(&mount.fs_type),
            major: mount.major.to_string(),
            minor: mount.minor.to_string(),
            read_only: mount.read_only,
        }
    }

    fn write(&self, usage: &Usage, out: &mut Out) {
        let labels = self.write_state("", out);
        out.put(&SIZE, labels, usage.size as f64);
        out.put(&FREE, labels, usage.free as f64);
        out.put(&AVAIL, labels, usage.available as f64);
        out.put(&FILES, labels, usage.files as f64);
        out.put(&FILES_FREE, labels, usage.files_free as f64);
        out.put(&MOUNT_INFO, [&self.device, &self.major, &self.minor, &self.point], 1.0);
    }

    fn write_error(&self, error: &str, out: &mut Out) {
        self.write_state(error, out);
    }

    /// Writes what is known with and without an answer, and returns the labels.
    fn write_state<'a>(&'a self, error: &'a str, out: &mut Out) -> [&'a str; 4] {
        let labels = [&*self.device, &*self.point, &*self.fs_type, error];
        out.put(&DEVICE_ERROR, labels, if error.is_empty() { 0.0 } else { 1.0 });
        out.put(&READ_ONLY, labels, if self.read_only { 1.0 } else { 0.0 });
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_said_in_lower_case_without_a_number() {
        let text = |code| reason(&std::io::Error::from_raw_os_error(code));
        assert_eq!(text(13), "permission denied");
        assert_eq!(text(107), "transport endpoint is not connected");
    }

    #[test]
    fn what_may_wait_for_a_disk_or_a_server_is_asked_by_a_thread() {
        let list = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 /x /data rw - xfs /dev/sdb rw\n\
            3 1 0:5 / /run rw - tmpfs t rw\n4 1 0:6 / /nas rw - nfs4 s:/ rw\n5 4 0:7 / /nas/tmp rw - tmpfs t rw\n";
        let config = HostConfig::default();
        let mounts = mounts::parse(list).unwrap();
        let mounted = Mounted::new(&config);
        let slow = slow(&mounts);
        let prompt =
            mounts.into_iter().map(|mount| mounted.show(mount, Reach::Hosts, &slow).unwrap().1.prompt);
        assert_eq!(prompt.collect::<Vec<_>>(), [true, false, true, false, false]);
    }

    #[test]
    fn the_root_before_a_path() {
        assert_eq!(prefix(b"/"), b"");
        assert_eq!(prefix(b"/host"), b"/host");
        assert_eq!(prefix(b"/host/"), b"/host");
    }
}
