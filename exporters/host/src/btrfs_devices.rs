//! Devices of a btrfs as the file system itself tells of them, at any of its mount points.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use taffrail_core::file::read_once;
use taffrail_core::sys::{BtrfsDevice, btrfs_devices};
use taffrail_core::{Out, label};

use crate::btrfs::{DEVICE_ERRORS, DEVICE_SIZE, DEVICE_UNUSED};
use crate::config::HostConfig;
use crate::mounts;

/// Kinds of errors, in the kernel's order.
const ERRORS: [&str; 5] = ["write", "read", "flush", "corruption", "generation"];

/// The question to what is mounted at a path: its id and its devices. `None` if it is no btrfs that answers.
pub type Ask = fn(&Path) -> Option<([u8; 16], Vec<BtrfsDevice>)>;

/// Where the file systems are mounted. Mount points are opened for each question: an open one could not be unmounted.
pub(crate) struct Devices {
    ask: Ask,
    procfs: PathBuf,
    rootfs: PathBuf,
    /// A mount point that was seen to be of a file system, by the file system's id without dashes.
    known: Vec<(String, PathBuf)>,
    mounts: Vec<PathBuf>,
    runs: u32,
}

impl Devices {
    /// The list of mounts is read anew every fourth run: at the usual interval within a minute.
    const RUNS: u32 = 4;

    pub(crate) fn new(config: &HostConfig, ask: Ask) -> Self {
        let (procfs, rootfs) = (config.procfs.clone(), config.rootfs.clone());
        Devices { ask, procfs, rootfs, known: Vec::new(), mounts: Vec::new(), runs: 0 }
    }

    /// Begins a run.
    pub(crate) fn refresh(&mut self) {
        if self.runs.is_multiple_of(Self::RUNS) {
            self.known.clear();
            self.mounts = mount_points(&self.procfs, &self.rootfs);
        }
        self.runs = self.runs.wrapping_add(1);
    }

    /// Writes what the file system `id` tells of its devices. False if it cannot be asked: its mount points are out of
    /// reach, or may not be opened.
    pub(crate) fn write(&mut self, id: &str, uuid: &str, out: &mut Out) -> bool {
        let id = id.replace('-', "");
        let known = self.known.iter().position(|(known, _)| *known == id);
        let ask = |path: &Path| (self.ask)(path).map(|(fsid, devices)| (hex(&fsid), devices));
        if let Some(at) = known {
            if let Some((_, devices)) = ask(&self.known[at].1).filter(|(fsid, _)| *fsid == id) {
                devices.iter().for_each(|device| write(device, uuid, out));
                return true;
            }
            // Something else is mounted there now.
            self.known.swap_remove(at);
            self.runs = 0;
            return false;
        }
        while let Some(point) = self.mounts.pop() {
            let Some((fsid, devices)) = ask(&point) else { continue };
            let found = fsid == id;
            if !self.known.iter().any(|(known, _)| *known == fsid) {
                self.known.push((fsid, point));
            }
            if found {
                devices.iter().for_each(|device| write(device, uuid, out));
                return true;
            }
        }
        false
    }
}

/// Where the host has btrfs mounted, as it is reached from here.
fn mount_points(procfs: &Path, rootfs: &Path) -> Vec<PathBuf> {
    let bytes = read_once(&procfs.join("1/mountinfo")).or_else(|_| read_once(&procfs.join("self/mountinfo")));
    let mounts = mounts::parse(&bytes.unwrap_or_default()).unwrap_or_default();
    let points = mounts::visible(mounts).into_iter().filter(|mount| mount.fs_type == b"btrfs");
    let path = |point: &[u8]| rootfs.join(OsStr::from_bytes(point.strip_prefix(b"/").unwrap_or(point)));
    points.map(|mount| path(&mount.point)).collect()
}

/// Asks the kernel.
pub(crate) fn ask_kernel(point: &Path) -> Option<([u8; 16], Vec<BtrfsDevice>)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = openat(CWD, point, flags, Mode::empty()).ok()?;
    btrfs_devices(dir.as_fd()).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A UUID with its dashes.
fn uuid_text(bytes: &[u8; 16]) -> String {
    let text = hex(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn write(device: &BtrfsDevice, uuid: &str, out: &mut Out) {
    // `/dev/sda`, or with a rootfs before it: the name is what sysfs has.
    let name = device.path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let (name, own) = (label::value(name), uuid_text(&device.uuid));
    out.put(&DEVICE_SIZE, [uuid, &name, &own], device.total as f64);
    out.put(&DEVICE_UNUSED, [uuid, &name, &own], device.total.saturating_sub(device.used) as f64);
    for (kind, count) in ERRORS.iter().zip(device.errors) {
        out.put(&DEVICE_ERRORS, [uuid, kind, &name, &own], count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_its_name_and_uuid() {
        let uuid = [0xab, 0x01, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let device =
            BtrfsDevice { path: b"/dev/sdb1".to_vec(), uuid, used: 1, total: 10, errors: [0, 1, 2, 3, 4] };
        let mut out = Out::default();
        out.begin(0);
        write(&device, "u", &mut out);
        let collected = out.finish();
        let labels: Vec<_> = collected.new[6].1.labels.iter().map(|(_, value)| &**value).collect();
        assert_eq!(labels, ["u", "generation", "sdb1", "ab010203-0405-0607-0809-0a0b0c0d0e0f"]);
        let values: Vec<_> = collected.samples.iter().map(|s| s.value.to_f64()).collect();
        assert_eq!(values, [10.0, 9.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn what_is_no_btrfs_does_not_answer() {
        assert_eq!(ask_kernel(Path::new("/proc")), None);
        assert_eq!(ask_kernel(Path::new("/none")), None);
    }
}
