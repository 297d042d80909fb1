//! How a machine mounts cgroups: version 2 in one tree, version 1 in one tree a controller, or both beside each other
//! (kernel documents `admin-guide/cgroup-v1` and `admin-guide/cgroup-v2`).

use std::path::{Path, PathBuf};

/// Where the trees are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One tree with all controllers.
    V2(PathBuf),
    /// A tree for each controller below this folder; beside them `unified`, a tree of version 2 without controllers,
    /// which knows of pressure.
    V1(PathBuf),
}

/// The trees of version 1 in which containers are looked for: the first that is there. All hold the same folders.
const SEARCHED: [&str; 6] = ["cpuacct", "cpu", "memory", "pids", "systemd", "unified"];

impl Layout {
    /// The layout below `<sysfs>/fs/cgroup`; none where nothing is mounted.
    pub fn find(sysfs: &Path) -> Option<Self> {
        let root = sysfs.join("fs/cgroup");
        if root.join("cgroup.controllers").exists() {
            return Some(Layout::V2(root));
        }
        SEARCHED.iter().any(|name| root.join(name).is_dir()).then_some(Layout::V1(root))
    }

    /// The tree in which containers are looked for.
    pub fn searched(&self) -> PathBuf {
        match self {
            Layout::V2(root) => root.clone(),
            Layout::V1(root) => {
                let there = SEARCHED.iter().map(|name| root.join(name)).find(|path| path.is_dir());
                there.unwrap_or_else(|| root.clone())
            }
        }
    }

    /// The folder of a cgroup (`/docker/…`) in the tree of a controller, which in version 2 is the one tree.
    pub fn folder(&self, controller: &str, cgroup: &str) -> PathBuf {
        let below = cgroup.trim_start_matches('/');
        match self {
            Layout::V2(root) => root.join(below),
            Layout::V1(root) => root.join(controller).join(below),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_is_told_from_the_others() {
        let temp = tempfile::tempdir().unwrap();
        let cgroup = temp.path().join("fs/cgroup");
        assert_eq!(Layout::find(temp.path()), None);
        std::fs::create_dir_all(cgroup.join("memory")).unwrap();
        std::fs::create_dir_all(cgroup.join("unified")).unwrap();
        let v1 = Layout::find(temp.path()).unwrap();
        assert_eq!(v1, Layout::V1(cgroup.clone()));
        assert_eq!(v1.searched(), cgroup.join("memory"));
        assert_eq!(v1.folder("memory", "/docker/1"), cgroup.join("memory/docker/1"));
        std::fs::write(cgroup.join("cgroup.controllers"), "cpu\n").unwrap();
        let v2 = Layout::find(temp.path()).unwrap();
        assert_eq!(v2, Layout::V2(cgroup.clone()));
        assert_eq!(v2.folder("memory", "/docker/1"), cgroup.join("docker/1"));
        assert_eq!(v2.folder("memory", "/"), cgroup);
    }
}
