//! Each mounted btrfs from `/sys/fs/btrfs` (kernel source `fs/btrfs/sysfs.c`), and its devices from the file system
//! itself.

use std::path::{Path, PathBuf};

use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::attribute::Buffer;
pub use crate::btrfs_devices::Ask;
use crate::btrfs_devices::{self, Devices};
use crate::config::HostConfig;
use crate::folder::Folder;
use crate::number_file::NumberFile;
use crate::scan;

metrics! {
    /// The file system's label. Always 1.
    INFO: Gauge = "node_btrfs_info" ["uuid", "label"];
    /// Bytes kept for the file system's own needs.
    GLOBAL_RESERVE: Gauge = "node_btrfs_global_rsv_size_bytes" ["uuid"];
    /// Commits made.
    COMMITS: Counter = "node_btrfs_commits_total" ["uuid"];
    /// Seconds that the last commit took.
    LAST_COMMIT: Gauge = "node_btrfs_last_commit_seconds" ["uuid"];
    /// Seconds that the longest commit took.
    MAX_COMMIT: Gauge = "node_btrfs_max_commit_seconds" ["uuid"];
    /// Seconds that all commits took.
    COMMIT_SECONDS: Counter = "node_btrfs_commit_seconds_total" ["uuid"];
    /// Bytes reserved for a kind of data.
    RESERVED: Gauge = "node_btrfs_reserved_bytes" ["uuid", "block_group_type"];
    /// Bytes used by a kind of data in a layout.
    USED: Gauge = "node_btrfs_used_bytes" ["uuid", "block_group_type", "mode"];
    /// Bytes allocated to a kind of data in a layout.
    SIZE: Gauge = "node_btrfs_size_bytes" ["uuid", "block_group_type", "mode"];
    /// Bytes of disk that a byte takes in a layout.
    RATIO: Gauge = "node_btrfs_allocation_ratio" ["uuid", "block_group_type", "mode"];
    /// Bytes of a device; its UUID is empty where the file system cannot be asked.
    pub(crate) DEVICE_SIZE: Gauge = "node_btrfs_device_size_bytes" ["uuid", "device", "btrfs_dev_uuid"];
    /// Bytes of a device that are not allocated.
    pub(crate) DEVICE_UNUSED: Gauge = "node_btrfs_device_unused_bytes" ["uuid", "device", "btrfs_dev_uuid"];
    /// Errors of a device.
    pub(crate) DEVICE_ERRORS: Counter = "node_btrfs_device_errors_total" [
        "uuid", "type", "device", "btrfs_dev_uuid"
    ];
}

/// Kinds of data: folders of `allocation`.
const KINDS: [&str; 3] = ["data", "metadata", "system"];

/// The subject `btrfs`.
pub fn subject(config: &HostConfig) -> Subject {
    asking(config, btrfs_devices::ask_kernel)
}

/// The subject, whose file systems are asked for their devices with `ask`.
pub fn asking(config: &HostConfig, ask: Ask) -> Subject {
    let mut folder = Folder::new(config.sys("fs/btrfs"));
    let mut systems: Vec<System> = Vec::new();
    let mut devices = Devices::new(config, ask);
    let mut buffer = Box::new([0; 4096]);
    Subject::blocking("btrfs", METRICS, move |out| {
        if folder.is_new()? {
            // What the kernel can do stands among the file systems, which are named by their UUID.
            let names = folder.names().filter(|name| name.contains('-'));
            systems = names.map(|name| System::new(name, &folder.join(name))).collect();
        }
        if systems.is_empty() {
            return Err(CollectError::Absent);
        }
        devices.refresh();
        for system in &mut systems {
            system.write(&mut devices, &mut buffer, out);
        }
        Ok(())
    })
}

/// One file system.
struct System {
    /// As its folder is named.
    id: String,
    /// As it is published: another where the file system's UUID was changed.
    uuid: NumberFile,
    label: NumberFile,
    global_reserve: NumberFile,
    commits: NumberFile,
    groups: Vec<Group>,
    devices: Folder,
    sizes: Vec<(String, NumberFile)>,
}

/// One kind of data.
struct Group {
    kind: &'static str,
    folder: Folder,
    reserved: NumberFile,
    layouts: Vec<Layout>,
}

/// How a kind of data is spread over the devices: `single`, `raid1`.
struct Layout {
    name: String,
    total: NumberFile,
    used: NumberFile,
}

impl System {
    fn new(id: &str, path: &Path) -> Self {
        let file = |name: &str| NumberFile::new(path.join(name));
        System {
            id: id.to_owned(),
            uuid: file("metadata_uuid"),
            label: file("label"),
            global_reserve: file("allocation/global_rsv_size"),
            commits: file("commit_stats"),
            groups: KINDS.map(|kind| Group::new(kind, path.join("allocation").join(kind))).into(),
            devices: Folder::new(path.join("devices")),
            sizes: Vec::new(),
        }
    }

    fn write(&mut self, devices: &mut Devices, buffer: &mut Buffer, out: &mut Out) {
        match self.devices.is_new() {
            Ok(true) => {
                let file = |name: &str| NumberFile::new(self.devices.join(name).join("size"));
                self.sizes = self.devices.names().map(|name| (name.to_owned(), file(name))).collect();
            }
            Ok(false) => {}
            // Unmounted since the folder above was listed.
            Err(_) => return,
        }
        // Every file system has the file, with or without a label in it: this one went, and its files with it.
        let Some(text) = self.label.read_text(buffer) else {
            self.devices.look_again();
            return;
        };
        let name = label::value(text).into_owned();
        let uuid = self.uuid.read_text(buffer).filter(|text| !text.is_empty());
        let uuid = uuid.map_or_else(|| self.id.clone(), |text| label::value(text).into_owned());
        out.put(&INFO, [&uuid, &name], 1.0);
        if let Some(value) = self.global_reserve.read(buffer) {
            out.put(&GLOBAL_RESERVE, [&uuid], value);
        }
        // Before Linux 6.0 there is no such file: then nothing is known, which is not 0.
        write_commits(self.commits.read_text(buffer).unwrap_or_default(), &uuid, out);
        for group in &mut self.groups {
            group.write(&uuid, self.sizes.len(), buffer, out);
        }
        if !devices.write(&self.id, &uuid, out) {
            for (name, file) in &mut self.sizes {
                if let Some(sectors) = file.read(buffer) {
                    out.put(&DEVICE_SIZE, [&uuid, name, ""], sectors * 512.0);
                }
            }
        }
    }
}

/// Lines of a name and a number; times are in milliseconds.
fn write_commits(text: &[u8], uuid: &str, out: &mut Out) {
    for line in scan::lines(text) {
        let mut fields = scan::fields(line);
        let (Some(name), Some(value)) = (fields.next(), fields.next().and_then(scan::number)) else {
            continue;
        };
        match name {
            b"commits" => out.put(&COMMITS, [uuid], value),
            b"last_commit_ms" => out.put(&LAST_COMMIT, [uuid], value / 1000.0),
            b"max_commit_ms" => out.put(&MAX_COMMIT, [uuid], value / 1000.0),
            b"total_commit_ms" => out.put(&COMMIT_SECONDS, [uuid], value / 1000.0),
            _ => {}
        }
    }
}

impl Group {
    fn new(kind: &'static str, path: PathBuf) -> Self {
        let reserved = NumberFile::new(path.join("bytes_reserved"));
        Group { kind, folder: Folder::new(path), reserved, layouts: Vec::new() }
    }

    fn write(&mut self, uuid: &str, devices: usize, buffer: &mut Buffer, out: &mut Out) {
        match self.folder.is_new() {
            Ok(true) => {
                let folder = &self.folder;
                let layouts = folder.names().filter(|name| folder.join(name).is_dir());
                self.layouts = layouts.map(|name| Layout::new(name, &folder.join(name))).collect();
            }
            Ok(false) => {}
            Err(_) => return,
        }
        if let Some(value) = self.reserved.read(buffer) {
            out.put(&RESERVED, [uuid, self.kind], value);
        }
        for layout in &mut self.layouts {
            let labels = [uuid, self.kind, &*layout.name];
            if let Some(value) = layout.used.read(buffer) {
                out.put(&USED, labels, value);
            }
            if let Some(value) = layout.total.read(buffer) {
                out.put(&SIZE, labels, value);
            }
            if let Some(value) = ratio(&layout.name, devices) {
                out.put(&RATIO, labels, value);
            }
        }
    }
}

impl Layout {
    fn new(name: &str, path: &Path) -> Self {
        let file = |name: &str| NumberFile::new(path.join(name));
        Layout { name: name.to_owned(), total: file("total_bytes"), used: file("used_bytes") }
    }
}

/// Bytes of disk that a byte takes; `None` for a layout of a later kernel's, and where there are too few devices.
fn ratio(layout: &str, devices: usize) -> Option<f64> {
    let with_parity = |parity: usize| {
        let data = devices.checked_sub(parity).filter(|data| *data > 0)?;
        Some(devices as f64 / data as f64)
    };
    match layout {
        "single" | "raid0" => Some(1.0),
        "dup" | "raid1" | "raid10" => Some(2.0),
        "raid1c3" => Some(3.0),
        "raid1c4" => Some(4.0),
        "raid5" => with_parity(1),
        "raid6" => with_parity(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios() {
        for (layout, devices, expected) in [
            ("single", 1, Some(1.0)),
            ("raid10", 4, Some(2.0)),
            ("raid5", 3, Some(1.5)),
            ("raid6", 4, Some(2.0)),
            ("raid5", 1, None),
            ("raid6", 0, None),
            ("raid9", 9, None),
        ] {
            assert_eq!(ratio(layout, devices), expected, "{layout} {devices}");
        }
    }

    #[test]
    fn commits_that_are_known() {
        let mut out = Out::default();
        out.begin(0);
        write_commits(b"commits 258051\nlast_commit_ms 1000\nnew x\nmax_commit_ms\n", "u", &mut out);
        let values: Vec<_> = out.finish().samples.iter().map(|s| s.value.to_f64()).collect();
        assert_eq!(values, [258051.0, 1.0]);
    }
}
