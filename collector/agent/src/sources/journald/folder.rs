//! Which journal files there are.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The most files that are looked at; journald keeps 100 of a machine.
const MAX_FILES: usize = 10_000;
/// The times of folders are no finer than the kernel's ticks: one that changed so shortly before it was listed may have
/// changed again at the same time.
const FINE: Duration = Duration::from_millis(100);

/// The folders of a source.
#[derive(Debug)]
pub(super) struct Folders {
    roots: Vec<PathBuf>,
    /// Folders that were listed, with when they had changed last. `None`: they are to be listed again.
    listed: Vec<(PathBuf, Option<SystemTime>)>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files, active and archived.
    pub(super) files: Vec<PathBuf>,
    /// What could not be listed, and why.
    pub(super) problems: Vec<String>,
    /// Whether any of the folders was there.
    pub(super) any: bool,
}

impl Folders {
    pub(super) fn new(roots: Vec<PathBuf>) -> Self {
        Folders { roots, listed: Vec::new() }
    }

    /// Those that were found.
    pub(super) fn known(&self) -> impl Iterator<Item = &Path> {
        self.listed.iter().map(|(path, _)| path.as_path())
    }

    /// Whether files came, went or changed their names since the last list.
    pub(super) fn have_changed(&self) -> bool {
        self.listed.is_empty()
            || self.listed.iter().any(|(path, then)| then.is_none() || changed(path) != *then)
    }

    /// Lists all of them.
    pub(super) fn list(&mut self, now: SystemTime) -> Found {
        let mut found = Found::default();
        self.listed.clear();
        let mut listed = Vec::new();
        for root in &self.roots {
            for folder in list_one(root, now, &mut listed, &mut found) {
                list_one(&folder, now, &mut listed, &mut found);
            }
        }
        self.listed = listed;
        found
    }
}

/// Lists one folder, and gives the folders of machines in it.
fn list_one(
    folder: &Path,
    now: SystemTime,
    listed: &mut Vec<(PathBuf, Option<SystemTime>)>,
    found: &mut Found,
) -> Vec<PathBuf> {
    let mut machines = Vec::new();
    // Looked at before the list is made, so that what comes meanwhile shows.
    let then = changed(folder).filter(|then| now.duration_since(*then).is_ok_and(|ago| ago > FINE));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return machines,
        Err(error) => {
            found.problems.push(format!("{} cannot be listed: {error}", folder.display()));
            return machines;
        }
    };
    found.any = true;
    listed.push((folder.to_owned(), then));
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(".journal") || name.ends_with(".journal~") {
            if found.files.len() < MAX_FILES {
                found.files.push(entry.path());
            }
        } else if is_machine(name) {
            machines.push(entry.path());
        }
    }
    machines
}

/// Whether nothing is ever written to a file of this name: it was rotated, or set aside as damaged.
pub(super) fn is_archived(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.contains('@') || name.ends_with('~'))
}

/// The identifier of a machine, with or without a namespace.
fn is_machine(name: &str) -> bool {
    let id = name.split_once('.').map_or(name, |(id, _)| id);
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn changed(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_machines_and_namespaces_are_found_and_changes_are_seen() {
        let root = tempfile::tempdir().unwrap();
        let machine = root.path().join("3d1219c7c4c5404aaa1f6d2a48adfda4");
        let namespace = root.path().join("3d1219c7c4c5404aaa1f6d2a48adfda4.shop");
        for folder in [&machine, &namespace, &root.path().join("remote")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("system.journal"), "").unwrap();
        }
        fs::write(machine.join("user-1000@00061.journal~"), "").unwrap();
        fs::write(machine.join("fss"), "").unwrap();
        let mut folders = Folders::new(vec![root.path().to_owned(), root.path().join("none")]);
        assert!(folders.have_changed());
        let later = changed(&machine).unwrap() + Duration::from_secs(10);
        let mut found = folders.list(later);
        found.files.sort();
        let mut expected = [&machine, &namespace].map(|folder| folder.join("system.journal")).to_vec();
        expected.push(machine.join("user-1000@00061.journal~"));
        expected.sort();
        assert_eq!((found.files, found.any, found.problems.len()), (expected, true, 0));
        assert!(!folders.have_changed());
        // What changed just now may change again without a trace.
        folders.list(changed(&machine).unwrap());
        assert!(folders.have_changed());
        folders.list(later);
        std::thread::sleep(FINE / 5);
        fs::rename(machine.join("system.journal"), machine.join("system@1-2-3.journal")).unwrap();
        assert!(folders.have_changed());
        assert!(
            is_archived(Path::new("/j/system@1-2-3.journal")) && !is_archived(Path::new("/a@b/s.journal"))
        );
    }
}
