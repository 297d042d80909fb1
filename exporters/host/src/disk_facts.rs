//! What udev's database (`/run/udev/data/b<major>:<minor>`) and sysfs say of a block device.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::fs::stat;
use taffrail_core::file::read_once;
use taffrail_core::{Family, Out, label};

use crate::diskstats::{
    ATA_ROTATION_RATE, ATA_WRITE_CACHE, ATA_WRITE_CACHE_ENABLED, FILESYSTEM_INFO, INFO, MAPPER_INFO,
};
use crate::scan;

/// When what is known must be looked up again: udev writes its files anew, which its folder's time shows; sysfs shows
/// nothing, so it is asked every few runs.
#[derive(Debug, Default)]
pub(crate) struct Freshness {
    runs: u32,
    udev: Option<(i64, i64)>,
}

impl Freshness {
    const RUNS: u32 = 20;

    pub(crate) fn is_over(&mut self, udev: &Path) -> bool {
        let changed = stat(udev).ok().map(|s| (s.st_mtime, s.st_mtime_nsec as i64));
        self.runs += 1;
        if changed == self.udev && self.runs <= Self::RUNS {
            return false;
        }
        self.runs = 1;
        self.udev = changed;
        true
    }
}

/// The labels and values that do not change from run to run.
#[derive(Debug)]
pub(crate) struct Facts {
    name: Vec<u8>,
    major: u32,
    minor: u32,
    /// Behind the label `device`: major, minor, path, wwn, model, serial, revision, rotational.
    info: [String; 8],
    /// type, usage, uuid, version.
    filesystem: Option<[String; 4]>,
    /// name, uuid, vg_name, lv_name, lv_layer.
    mapper: Option<[String; 5]>,
    ata: Vec<(&'static Family<1>, f64)>,
}

impl Facts {
    pub(crate) fn is_of(&self, name: &[u8], major: u32, minor: u32) -> bool {
        self.major == major && self.minor == minor && self.name == name
    }

    /// Reads what there is; what is missing is an empty label, as node_exporter has it.
    pub(crate) fn look_up(udev: &Path, sysfs: &Path, name: &[u8], major: u32, minor: u32) -> Self {
        let database = read_once(&udev.join(format!("b{major}:{minor}"))).unwrap_or_default();
        let known = parse(&database);
        let get =
            |key: &str| known.get(key.as_bytes()).map(|v| label::value(v).into_owned()).unwrap_or_default();
        let serial = ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"].map(get);
        let serial = serial.into_iter().find(|serial| !serial.is_empty()).unwrap_or_default();
        let info = [
            major.to_string(),
            minor.to_string(),
            get("ID_PATH"),
            get("ID_WWN"),
            get("ID_MODEL"),
            serial,
            get("ID_REVISION"),
            rotational(sysfs, name).into(),
        ];
        let present = |key: &str| !get(key).is_empty();
        Facts {
            name: name.into(),
            major,
            minor,
            info,
            filesystem: present("ID_FS_TYPE")
                .then(|| ["ID_FS_TYPE", "ID_FS_USAGE", "ID_FS_UUID", "ID_FS_VERSION"].map(get)),
            mapper: present("DM_NAME")
                .then(|| ["DM_NAME", "DM_UUID", "DM_VG_NAME", "DM_LV_NAME", "DM_LV_LAYER"].map(get)),
            ata: if present("ID_ATA") { ata(&known) } else { Vec::new() },
        }
    }

    pub(crate) fn write(&self, device: &str, out: &mut Out) {
        let [major, minor, path, wwn, model, serial, revision, rotational] = &self.info;
        out.put(&INFO, [device, major, minor, path, wwn, model, serial, revision, rotational], 1.0);
        if let Some([kind, usage, uuid, version]) = &self.filesystem {
            out.put(&FILESYSTEM_INFO, [device, kind, usage, uuid, version], 1.0);
        }
        if let Some([name, uuid, vg, lv, layer]) = &self.mapper {
            out.put(&MAPPER_INFO, [device, name, uuid, vg, lv, layer], 1.0);
        }
        for (family, value) in &self.ata {
            out.put(family, [device], *value);
        }
    }
}

fn ata(known: &BTreeMap<&[u8], &[u8]>) -> Vec<(&'static Family<1>, f64)> {
    let families: [(&[u8], &'static Family<1>); 3] = [
        (b"ID_ATA_WRITE_CACHE", &ATA_WRITE_CACHE),
        (b"ID_ATA_WRITE_CACHE_ENABLED", &ATA_WRITE_CACHE_ENABLED),
        (b"ID_ATA_ROTATION_RATE_RPM", &ATA_ROTATION_RATE),
    ];
    let value = |key: &[u8]| scan::number(known.get(key)?);
    families.into_iter().filter_map(|(key, family)| Some((family, value(key)?))).collect()
}

/// `1` for a disk that turns, `0` for any other, or where the kernel does not say.
fn rotational(sysfs: &Path, name: &[u8]) -> &'static str {
    // In sysfs a `/` in a device's name is a `!`.
    let name = String::from_utf8_lossy(name).replace('/', "!");
    let file = sysfs.join("block").join(name).join("queue/rotational");
    match read_once(&file) {
        Ok(value) if scan::trim(&value) == b"1" => "1",
        _ => "0",
    }
}

/// The properties in a file of udev's: lines `E:NAME=value`.
fn parse(bytes: &[u8]) -> BTreeMap<&[u8], &[u8]> {
    let properties = scan::lines(bytes).filter_map(|line| line.strip_prefix(b"E:"));
    properties
        .filter_map(|line| {
            let at = memchr::memchr(b'=', line)?;
            Some((&line[..at], &line[at + 1..]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_only() {
        let known = parse(b"S:disk/by-id/x\nI:123\nE:ID_MODEL=A=B\nE:broken\nE:ID_ATA=1\n");
        assert_eq!(known.len(), 2);
        assert_eq!(known[b"ID_MODEL".as_slice()], b"A=B");
    }

    #[test]
    fn looked_up_again_when_udev_writes_or_after_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let mut freshness = Freshness::default();
        assert!(freshness.is_over(dir.path()));
        assert!(!freshness.is_over(dir.path()));
        std::fs::write(dir.path().join("b8:0"), "E:ID_MODEL=x\n").unwrap();
        assert!(freshness.is_over(dir.path()));
        let quiet = (0..Freshness::RUNS).map(|_| freshness.is_over(dir.path())).collect::<Vec<_>>();
        assert_eq!(quiet.iter().filter(|over| **over).count(), 1);
        assert!(freshness.is_over(Path::new("/none")) && !freshness.is_over(Path::new("/none")));
    }
}
