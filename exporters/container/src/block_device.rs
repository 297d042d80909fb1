//! Names of block devices by their numbers, from sysfs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use taffrail_core::file::read_once;

use crate::scan;

/// Names by number, looked up once.
#[derive(Debug)]
pub struct Names {
    folder: PathBuf,
    known: HashMap<(u32, u32), Box<str>>,
}

/// The most names that are kept; what comes and goes (loop devices) must not grow the table without end.
const MAX_KNOWN: usize = 4096;

impl Names {
    /// Of this machine.
    pub fn new(sysfs: &Path) -> Self {
        Names { folder: sysfs.join("dev/block"), known: HashMap::new() }
    }

    /// The device's path, `/dev/sda`; for one that sysfs does not know, `/dev/major:minor`.
    pub fn path(&mut self, number: (u32, u32)) -> &str {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let folder = &self.folder;
        self.known.entry(number).or_insert_with(|| name(folder, number))
    }
}

fn name(folder: &Path, (major, minor): (u32, u32)) -> Box<str> {
    let number = format!("{major}:{minor}");
    let found = read_once(&folder.join(&number).join("uevent")).ok().and_then(|uevent| {
        let name = scan::lines(&uevent).find_map(|line| line.strip_prefix(b"DEVNAME="))?;
        Some(format!("/dev/{}", taffrail_core::label::value(name)))
    });
    found.unwrap_or_else(|| format!("/dev/{number}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_the_numbers() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("dev/block/253:1");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("uevent"), "MAJOR=253\nMINOR=1\nDEVNAME=mapper/x\nDEVTYPE=disk\n")
            .unwrap();
        let mut names = Names::new(temp.path());
        assert_eq!(names.path((253, 1)), "/dev/mapper/x");
        assert_eq!(names.path((8, 0)), "/dev/8:0");
    }
}
