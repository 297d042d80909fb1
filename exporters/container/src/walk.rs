//! Finding the containers' cgroups: a walk through the folders above them. What lies below a container's cgroup is its
//! own business, so a parent is never counted beside its children.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;

use crate::place;

/// The most containers of one machine. More are left out, and said so.
pub const MAX_CONTAINERS: usize = 10_000;
/// How deep containers are looked for; rootless Podman's in a user's session are seven deep.
const MAX_DEPTH: usize = 16;
/// The most folders looked into; a machine with 2,000 pods has some 6,000.
const MAX_FOLDERS: usize = 50_000;

/// A container's cgroup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its path below the tree's root, with a slash before it: the label `id`.
    pub path: String,
    /// The folder's inode: a container that is started again has another.
    pub inode: u64,
    /// The container's id.
    pub id: String,
}

/// What a walk finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// The containers' cgroups, sorted by path.
    pub found: Vec<Found>,
    /// Whether there are more than are looked at.
    pub more: bool,
}

/// The containers' cgroups below `root`. Folders that go while they are looked at are left out.
pub fn walk(root: &Path) -> io::Result<Walked> {
    let mut walked = Walked::default();
    let mut open = VecDeque::from([(String::new(), 0)]);
    let mut folders = 0;
    while let Some((path, depth)) = open.pop_front() {
        folders += 1;
        let entries = match fs::read_dir(root.join(path.trim_start_matches('/'))) {
            Ok(entries) => entries,
            // The root has to be there; what is below comes and goes.
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            // A cgroup's name that is no UTF-8 is not an engine's.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if let Some(id) = place::container_id(&name) {
                let (id, inode) = (id.to_owned(), entry.ino());
                walked.found.push(Found { path: format!("{path}/{name}"), inode, id });
            } else if depth < MAX_DEPTH && has_children(&entry) {
                open.push_back((format!("{path}/{name}"), depth + 1));
            }
        }
        if walked.found.len() > MAX_CONTAINERS || folders > MAX_FOLDERS {
            walked.more = true;
            walked.found.truncate(MAX_CONTAINERS);
            break;
        }
    }
    walked.found.sort_unstable();
    Ok(walked)
}

/// Whether a folder has folders in it: its links tell, without reading it, on file systems that count them. Most cgroups
/// are services without any.
fn has_children(entry: &fs::DirEntry) -> bool {
    entry.metadata().is_ok_and(|metadata| metadata.nlink() != 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> String {
        std::iter::repeat_n(digit, 64).collect()
    }

    #[test]
    fn leaves_only_and_in_order() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        let b = format!("kubepods/burstable/pod1/{}", id('b'));
        let inner = format!("docker/{}/docker/{}", id('a'), id('c'));
        for path in [inner.as_str(), &b, "system.slice/ssh.service", "docker/buildkit"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("docker/cgroup.procs"), "").unwrap();
        let walked = walk(root).unwrap();
        let paths: Vec<_> = walked.found.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, [format!("/docker/{}", id('a')), format!("/{b}")]);
        assert_eq!(walked.found[0].id, id('a'));
        let metadata = fs::metadata(root.join(&b)).unwrap();
        assert_eq!(walked.found[1].inode, metadata.ino());
        assert!(!walked.more);
        assert!(walk(&root.join("none")).is_err());
    }
}
