//! The subject `disk`: the bytes that each container has written over its image, as the engine counts them, and the room
//! that is left on the engine's disk. Nothing is walked through here; the engine does that, or knows without.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statvfs;
use taffrail_core::file::read_once;
use taffrail_core::subject::Collecting;
use taffrail_core::{Collect, CollectError, Out, Subject, metrics};

use crate::Parts;
use crate::block_device::Names;
use crate::config::ContainerConfig;
use crate::directory::Directory;
use crate::inventory::{Inventory, sizes};
use crate::mount::{self, Mount};
use crate::write::Writer;

metrics! {
    /// Bytes that the container has written over its image; of the host, bytes used on the engine's disk.
    pub(crate) USAGE: Gauge = "container_fs_usage_bytes" ["device", "id", "image", "name"];
    /// Bytes of the engine's disk.
    pub(crate) LIMIT: Gauge = "container_fs_limit_bytes" ["device", "id", "image", "name"];
    /// Inodes of the engine's disk.
    pub(crate) INODES: Gauge = "container_fs_inodes_total" ["device", "id", "image", "name"] irregular;
    /// Free inodes of the engine's disk.
    pub(crate) INODES_FREE: Gauge = "container_fs_inodes_free" ["device", "id", "image", "name"];
}

/// To count may cost the engine a walk through all that containers have written.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long the engine may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long the first run waits until somebody is known to be alive.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// How often it looks.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// The subject `disk`.
pub fn subject(parts: &Parts<'_>) -> Subject {
    let disk = Disk {
        config: parts.config.clone(),
        inventory: parts.inventory.clone(),
        directory: parts.directory.clone(),
    };
    let mut subject = Subject::asynchronous("disk", METRICS, disk);
    subject.interval = Some(INTERVAL);
    subject.budget = TIMEOUT + FIRST_WAIT;
    subject
}

struct Disk {
    config: ContainerConfig,
    inventory: Inventory,
    directory: Directory,
}

impl Collect for Disk {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(self.run(out))
    }
}

impl Disk {
    async fn run(&mut self, out: &mut Out) -> Result<(), CollectError> {
        let known = async {
            while self.directory.is_empty() {
                tokio::time::sleep(FIRST_LOOK).await;
            }
        };
        if tokio::time::timeout(FIRST_WAIT, known).await.is_err() {
            return Err(CollectError::Absent);
        }
        let client = self.inventory.client().ok_or(CollectError::Absent)?.within(TIMEOUT);
        let failed = |error: crate::inventory::EngineError| CollectError::Other(error.to_string());
        let root = sizes::data_root(&client).await.map_err(failed)?;
        let config = self.config.clone();
        let room = tokio::task::spawn_blocking(move || Room::of(&config, &root)).await;
        let room = room.map_err(|error| CollectError::Other(error.to_string()))??;
        let sizes = sizes::all(&client).await.map_err(failed)?;
        self.write(&room, &sizes, out);
        Ok(())
    }

    fn write(&self, room: &Room, sizes: &HashMap<String, u64>, out: &mut Out) {
        let more = self.config.more_labels();
        for (id, labels) in self.directory.all() {
            let used = match id.as_str() {
                "" => Some(room.used),
                id => sizes.get(id).map(|bytes| *bytes as f64),
            };
            let mut writer = Writer { out, labels: &labels, more: &more, full: self.config.full };
            if used.is_some() {
                writer.put_device(&USAGE, &room.device, used);
                writer.put_device(&LIMIT, &room.device, Some(room.size));
                writer.put_device(&INODES, &room.device, Some(room.inodes));
                writer.put_device(&INODES_FREE, &room.device, Some(room.inodes_free));
            }
        }
    }
}

/// The disk on which the engine keeps its data.
#[derive(Debug, PartialEq)]
struct Room {
    device: String,
    size: f64,
    used: f64,
    inodes: f64,
    inodes_free: f64,
}

impl Room {
    /// Of the folder `root`, as the host sees it.
    fn of(config: &ContainerConfig, root: &Path) -> Result<Self, CollectError> {
        let inside = |path: &Path| -> PathBuf { config.rootfs.join(path.strip_prefix("/").unwrap_or(path)) };
        let mounts = config.procfs.join("1/mountinfo");
        let table = read_once(&mounts)?;
        let Mount { device, source, .. } =
            mount::holding(&table, root).ok_or_else(|| CollectError::Parse {
                path: mounts,
                what: format!("expected a mount that holds {}", root.display()),
            })?;
        let device = match device {
            // No block device: what the mount says of itself.
            (0, _) => source,
            number => Names::new(&config.sysfs).path(number).to_owned(),
        };
        let folder = inside(root);
        let room = statvfs(&folder).map_err(|e| CollectError::Read { path: folder, source: e.into() })?;
        let unit = room.f_frsize as f64;
        Ok(Room {
            device,
            size: room.f_blocks as f64 * unit,
            used: room.f_blocks.saturating_sub(room.f_bfree) as f64 * unit,
            inodes: room.f_files as f64,
            inodes_free: room.f_ffree as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_of_this_machine() {
        let room = Room::of(&ContainerConfig::default(), Path::new("/")).unwrap();
        assert!(room.size > room.used && room.used > 0.0 && !room.device.is_empty(), "{room:?}");
    }
}
