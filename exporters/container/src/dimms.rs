//! The memory modules of the machine, by their type: `devices/system/edac` of sysfs, where a driver of the memory
//! controller tells (kernel document `ABI/testing/sysfs-devices-edac`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::scan;
use crate::topology::text;

/// Modules of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// All modules by their type (`Unbuffered-DDR4`).
pub fn read(sysfs: &Path) -> BTreeMap<String, Modules> {
    let mut all: BTreeMap<String, Modules> = BTreeMap::new();
    for controller in numbered(&sysfs.join("devices/system/edac/mc"), b"mc") {
        for module in numbered(&controller, b"dimm") {
            let mib = text(&module, "size").and_then(|size| scan::integer(size.as_bytes()));
            if let (Some(kind), Some(mib)) = (text(&module, "dimm_mem_type"), mib) {
                let modules = all.entry(kind).or_default();
                modules.count += 1;
                modules.bytes = modules.bytes.saturating_add(mib.saturating_mul(1 << 20));
            }
        }
    }
    all
}

/// The folders in a folder whose name is a word and a number.
fn numbered(folder: &Path, word: &'static [u8]) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = move |entry: &fs::DirEntry| {
        entry.file_name().as_encoded_bytes().strip_prefix(word).and_then(scan::integer).is_some()
    };
    entries.filter(named).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_type() {
        let temp = tempfile::tempdir().unwrap();
        let modules =
            [("mc0/dimm0", "16384"), ("mc0/dimm1", "16384"), ("mc1/dimm0", "x"), ("power/dimm0", "1")];
        for (folder, size) in modules {
            let folder = temp.path().join("devices/system/edac/mc").join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("size"), format!("{size}\n")).unwrap();
            fs::write(folder.join("dimm_mem_type"), "Registered-DDR5\n").unwrap();
        }
        let all = read(temp.path());
        assert_eq!(
            all.into_iter().collect::<Vec<_>>(),
            [("Registered-DDR5".into(), Modules { count: 2, bytes: 32 << 30 })]
        );
        assert!(read(&temp.path().join("none")).is_empty());
    }
}
