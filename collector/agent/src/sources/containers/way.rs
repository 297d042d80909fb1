//! How a container's log is read: by its file, or by asking the engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use taffrail_container::inventory::Container;
use tokio::task::spawn_blocking;

/// The driver whose files are read.
const JSON_FILE: &str = "json-file";
/// How a name of such a file ends. Podman's driver of that name writes another format, into files that are called otherwise.
const ENDING: &str = "-json.log";
/// How long a file system may take to say whether a file can be read.
const PATIENCE: Duration = Duration::from_secs(2);

/// How it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Not: nobody wants it.
    Not,
    /// It has no log yet: it was made and never started.
    Later,
    /// By this file.
    File(PathBuf),
    /// By asking the engine.
    Ask,
    /// It would be asked for, but its cursors cannot be read.
    Held,
}

/// The file that the engine writes for `container`, as it is seen from here; `None` when its driver writes none that can be
/// read.
pub(super) fn file(rootfs: &Path, data: Option<&Path>, container: &Container) -> Option<PathBuf> {
    if container.log_driver != JSON_FILE {
        return None;
    }
    let path = match container.log_path.as_str() {
        "" => return data.map(|data| guess(rootfs, data, &container.id)),
        path => Path::new(path),
    };
    let fits = path.is_absolute() && path.file_name()?.to_str()?.ends_with(ENDING);
    fits.then(|| below(rootfs, path))
}

/// Where the engine whose data are in `data` will write, if its driver is `json-file`.
pub(super) fn guess(rootfs: &Path, data: &Path, id: &str) -> PathBuf {
    below(rootfs, &data.join("containers").join(id).join(format!("{id}{ENDING}")))
}

fn below(rootfs: &Path, path: &Path) -> PathBuf {
    rootfs.join(path.strip_prefix("/").unwrap_or(path))
}

/// Whether the file can be read, or will be once it is there: then its folder is.
pub(super) async fn is_readable(path: &Path) -> bool {
    let path = path.to_owned();
    let look = spawn_blocking(move || match std::fs::File::open(&path) {
        Ok(_) => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => path.parent().is_some_and(Path::is_dir),
        Err(_) => false,
    });
    matches!(tokio::time::timeout(PATIENCE, look).await, Ok(Ok(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_below_the_root_that_the_host_has_here() {
        let container = |driver: &str, path: &str| Container {
            id: "abc".into(),
            log_driver: driver.into(),
            log_path: path.into(),
            ..Container::default()
        };
        let host = Path::new("/host");
        let path = "/var/lib/docker/containers/abc/abc-json.log";
        let seen = Some(PathBuf::from(format!("/host{path}")));
        assert_eq!(file(host, None, &container("json-file", path)), seen);
        assert_eq!(file(host, Some(Path::new("/var/lib/docker")), &container("json-file", "")), seen);
        assert_eq!(file(Path::new("/"), None, &container("json-file", path)), Some(path.into()));
        assert_eq!(file(host, None, &container("json-file", "")), None);
        assert_eq!(file(host, None, &container("local", path)), None);
        assert_eq!(file(host, None, &container("json-file", "/x/ctr.log")), None);
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_yet_can_be_read_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a-json.log");
        assert!(is_readable(&path).await);
        assert!(!is_readable(&folder.path().join("gone/a-json.log")).await);
        std::fs::write(&path, "").unwrap();
        assert!(is_readable(&path).await);
    }
}
