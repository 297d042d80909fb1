//! An archive in a folder: objects are files, which go by themselves when they are old.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::name::{HOUR_MS, Name, date_folder};
use crate::store::StoreError;

/// A tenth of a file system is left free, but no more than this.
const MOST_FREE: u64 = 4 << 30;

/// The largest file that is read back.
const LARGEST: u64 = 4 << 30;

/// Numbers attempts to store.
static PARTS: AtomicU64 = AtomicU64::new(0);

/// A folder with objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Free space that it leaves on its file system, in bytes; by default a tenth of it, 4 GiB at most.
    pub min_free: Option<u64>,
}

/// What went because it was old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Folder {
    /// Copies a file to where its key says: written beside its place, brought to the disk, then renamed.
    pub(crate) fn put(&self, key: &str, file: &Path) -> Result<u64, StoreError> {
        let target = self.path.join(key);
        let at = |what: &'static str, path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| StoreError(format!("{what} {path}: {error}"))
        };
        let (Some(dir), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(StoreError(format!("{} is no place for an object", target.display())));
        };
        DirBuilder::new().recursive(true).mode(0o750).create(dir).map_err(at("cannot make", dir))?;
        let mut source = File::open(file).map_err(at("cannot read", file))?;
        let size = source.metadata().map_err(at("cannot read", file))?.len();
        self.room(size)?;
        // A name of its own: an attempt that nobody waits for any more may still be writing.
        let begin = format!(".{}.", name.to_string_lossy());
        let number = PARTS.fetch_add(1, Ordering::Relaxed);
        let part = dir.join(format!("{begin}{}-{number}.part", std::process::id()));
        let written = (|| {
            remove_parts(dir, &begin)?;
            let mut out = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&part)?;
            let bytes = io::copy(&mut source, &mut out)?;
            // Whatever the umask takes away: whoever reads archives is in the group.
            out.set_permissions(fs::Permissions::from_mode(0o640))?;
            out.sync_all()?;
            fs::rename(&part, &target)?;
            Ok(bytes)
        })();
        let bytes = written.map_err(|error| {
            let _ = fs::remove_file(&part);
            at("cannot write", &target)(error)
        })?;
        // The name, and those of the folders that may be new, up to the archive's own.
        for dir in dir.ancestors().take(4) {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(at("cannot bring to the disk", dir))?;
        }
        Ok(bytes)
    }

    /// Whether there is room for so many bytes beside what has to stay free.
    fn room(&self, size: u64) -> Result<(), StoreError> {
        let facts = rustix::fs::statvfs(&self.path)
            .map_err(|error| StoreError(format!("cannot look at {}: {error}", self.path.display())))?;
        let (free, all) = (facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize);
        let least = self.min_free.unwrap_or((all / 10).min(MOST_FREE));
        if free < least.saturating_add(size) {
            return Err(StoreError(format!(
                "{} has {free} bytes free, and {least} are to stay free: make room, or lower `min_free` or `keep`",
                self.path.display()
            )));
        }
        Ok(())
    }

    /// Removes what `host` stored before `before_ms`, and folders that are empty then. Nothing else is touched, whatever
    /// its name; what cannot be removed stays until the next time.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn expire(&self, host: &str, before_ms: i64) -> io::Result<Expired> {
        let mut expired = Expired::default();
        let listed = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(expired),
            listed => listed?,
        };
        // An entry's time may be a few minutes ahead of the moment at which it was stored.
        let newest = date_folder((before_ms + HOUR_MS).div_euclid(HOUR_MS));
        for date in listed.flatten() {
            let name = date.file_name().to_string_lossy().into_owned();
            if name.starts_with("date=") && name <= newest {
                self.expire_below(&date.path(), host, before_ms, &mut expired, 3);
            }
        }
        Ok(expired)
    }

    fn expire_below(&self, dir: &Path, host: &str, before_ms: i64, expired: &mut Expired, depth: u8) {
        let Ok(listed) = fs::read_dir(dir) else { return };
        for entry in listed.flatten() {
            let path = entry.path();
            // Not behind a symbolic link: what is there is not ours.
            let Ok(facts) = entry.metadata() else { continue };
            if facts.is_dir() && depth > 1 {
                self.expire_below(&path, host, before_ms, expired, depth - 1);
            } else if facts.is_file() && depth == 1 && self.is_old(&path, host, before_ms) {
                let gone = fs::remove_file(&path).is_ok();
                expired.objects += u64::from(gone);
                expired.bytes += if gone { facts.len() } else { 0 };
            }
        }
        // Fails, as it should, while anything is in it. A folder of this hour may be about to be written to.
        let _ = fs::remove_dir(dir);
    }

    fn is_old(&self, path: &Path, host: &str, before_ms: i64) -> bool {
        let key = path.strip_prefix(&self.path).ok().and_then(Path::to_str);
        let name = key.and_then(Name::parse);
        name.is_some_and(|name| name.host == host && name.sealed_ms < before_ms)
    }

    pub(crate) fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let mut dirs = vec![self.path.join(folder)];
        while let Some(dir) = dirs.pop() {
            let listed = match fs::read_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                listed => {
                    listed.map_err(|error| StoreError(format!("cannot list {}: {error}", dir.display())))?
                }
            };
            for entry in listed.flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    dirs.push(path);
                } else if let Some(key) = path.strip_prefix(&self.path).ok().and_then(Path::to_str) {
                    keys.push(key.to_owned());
                }
            }
        }
        keys.retain(|key| Name::parse(key).is_some());
        keys.sort();
        Ok(keys)
    }

    pub(crate) fn read(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path.join(key);
        let read = fs::metadata(&path).and_then(|facts| match facts.len() > LARGEST {
            true => Err(io::Error::other("it is larger than any object of ours")),
            false => fs::read(&path),
        });
        read.map_err(|error| StoreError(format!("cannot read {}: {error}", path.display())))
    }
}

/// Removes what earlier attempts at an object have left, such as one that was killed. One that still writes fails then, and
/// nothing of it is seen.
fn remove_parts(dir: &Path, begin: &str) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(begin) && name.ends_with(".part")) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
