//! Names of Kubernetes' pods and their containers, from the folders in which the kubelet has their logs: `/var/log/pods`
//! holds a folder `<namespace>_<pod>_<uid>` for each pod, `/var/log/containers` a link
//! `<pod>_<namespace>_<container>-<id>.log` for each container. So they are known without asking anybody.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A container of a pod, or the pod itself, whose container has no name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The container's name; empty for the one that only holds the pod's network.
    pub container: String,
}

/// The pods of this machine.
#[derive(Debug)]
pub struct Pods {
    logs: PathBuf,
    by_id: HashMap<String, Pod>,
    by_uid: HashMap<String, Pod>,
    /// Containers that were looked for and are not there, and how often: the links come a moment after the containers.
    unknown: HashMap<String, u8>,
}

/// The most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 50_000;
/// How often a container is looked for. The one that only holds a pod's network is never there.
pub const TRIES: u8 = 3;

impl Pods {
    /// Of the machine with this root directory.
    pub fn new(rootfs: &Path) -> Self {
        Pods {
            logs: rootfs.join("var/log"),
            by_id: HashMap::new(),
            by_uid: HashMap::new(),
            unknown: HashMap::new(),
        }
    }

    /// Reads the folders again if one of these containers (pod's uid and container's id) is new; forgets all others.
    pub fn update<'a>(&mut self, containers: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
        let known = |id: &str| self.by_id.contains_key(id) || self.unknown.get(id) >= Some(&TRIES);
        if containers.clone().all(|(_, id)| known(id)) {
            if self.unknown.len() > containers.clone().count() {
                let alive: HashSet<&str> = containers.map(|(_, id)| id).collect();
                self.unknown.retain(|id, _| alive.contains(id.as_str()));
            }
            return;
        }
        self.by_id.clear();
        self.by_uid.clear();
        for name in names(&self.logs.join("containers")) {
            self.by_id.extend(parse_link(&name));
        }
        for name in names(&self.logs.join("pods")) {
            self.by_uid.extend(parse_folder(&name));
        }
        let before = std::mem::take(&mut self.unknown);
        for (_, id) in containers.filter(|(_, id)| !self.by_id.contains_key(*id)) {
            self.unknown.insert(id.to_owned(), before.get(id).map_or(1, |tries| tries.saturating_add(1)));
        }
    }

    /// How many containers and pods are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.by_id.len() + self.by_uid.len() + self.unknown.len()
    }

    /// The container `id` of the pod `uid`.
    pub fn get(&self, uid: &str, id: &str) -> Option<&Pod> {
        self.by_id.get(id).or_else(|| self.by_uid.get(uid))
    }
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.take(MAX_ENTRIES).filter_map(|entry| entry.file_name().into_string().ok())
}

/// `<pod>_<namespace>_<container>-<id>.log`. None of the names has an underscore.
fn parse_link(name: &str) -> Option<(String, Pod)> {
    let (rest, id) = name.strip_suffix(".log")?.rsplit_once('-')?;
    let mut parts = rest.splitn(3, '_').map(str::to_owned);
    let (name, namespace, container) = (parts.next()?, parts.next()?, parts.next()?);
    Some((id.to_owned(), Pod { namespace, name, container }))
}

/// `<namespace>_<pod>_<uid>`
fn parse_folder(name: &str) -> Option<(String, Pod)> {
    let mut parts = name.splitn(3, '_').map(str::to_owned);
    let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
    Some((uid, Pod { namespace, name, container: String::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_folders() {
        let temp = tempfile::tempdir().unwrap();
        let logs = temp.path().join("var/log");
        fs::create_dir_all(logs.join("pods/shop_web-7d4_uid-1")).unwrap();
        fs::create_dir_all(logs.join("containers")).unwrap();
        fs::write(logs.join("containers/web-7d4_shop_nginx-main-aaaa.log"), "").unwrap();
        fs::write(logs.join("containers/other"), "").unwrap();
        let mut pods = Pods::new(temp.path());
        let asked = [("uid-1", "aaaa"), ("uid-1", "bbbb")];
        (0..TRIES).for_each(|_| pods.update(asked.into_iter()));
        let container =
            Pod { namespace: "shop".into(), name: "web-7d4".into(), container: "nginx-main".into() };
        assert_eq!(pods.get("uid-1", "aaaa"), Some(&container));
        let sandbox = Pod { container: String::new(), ..container.clone() };
        assert_eq!(pods.get("uid-1", "bbbb"), Some(&sandbox));
        assert_eq!(pods.get("uid-2", "cccc"), None);
        // Nothing new: the folders are not read again.
        fs::remove_dir_all(&logs).unwrap();
        pods.update(asked.into_iter());
        assert!(pods.get("uid-1", "aaaa").is_some());
        pods.update([("uid-1", "cccc")].into_iter());
        assert_eq!(pods.get("uid-1", "aaaa"), None);
    }
}
