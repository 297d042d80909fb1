//! Attributes of sysfs: small files with one value, kept open where the bound allows (kernel document
//! `filesystems/sysfs`).

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, pread};
use rustix::process::{Resource, getrlimit};
use taffrail_core::cost;

/// The kernel writes at most a page into an attribute, all of it in one read.
pub(crate) type Buffer = [u8; 4096];

/// One attribute of a device that stays the same device for as long as this lives.
#[derive(Debug, Default)]
pub(crate) enum Attribute {
    /// Not looked at yet, or not kept open.
    #[default]
    Closed,
    /// The device has no such attribute.
    Missing,
    /// Open, to be read from the start each time.
    Open(Held),
}

/// How many attributes are open, all subjects together: the limit is the process's, so the count is as well.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// The most attributes that are kept open: a quarter of what the process may open, and never more than this.
const MAX_OPEN: usize = 4096;

/// Whether one more may be kept open.
fn has_room() -> bool {
    static MAX: OnceLock<usize> = OnceLock::new();
    let max = MAX.get_or_init(|| {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        usize::try_from(limit / 4).unwrap_or(usize::MAX).min(MAX_OPEN)
    });
    OPEN.load(Ordering::Relaxed) < *max
}

/// A file that is kept open, and counted for as long as it is.
#[derive(Debug)]
pub(crate) struct Held(cost::Held<OwnedFd>);

impl Held {
    fn new(file: OwnedFd) -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Held(cost::Held::new(file))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Attribute {
    /// Reads it, without white space at both ends. `None`: the device has none, or gives none in its present state
    /// (the speed of an interface that is down). An error only when the device is gone.
    pub(crate) fn read<'b>(
        &mut self,
        dir: impl AsFd,
        path: &Path,
        keep: bool,
        buffer: &'b mut Buffer,
    ) -> Result<Option<&'b [u8]>, Errno> {
        let opened;
        let file = match self {
            Attribute::Missing => return Ok(None),
            Attribute::Open(Held(file)) => &**file,
            Attribute::Closed => match openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(file) if keep && has_room() => {
                    *self = Attribute::Open(Held::new(file));
                    let Attribute::Open(Held(file)) = self else { return Ok(None) };
                    &**file
                }
                Ok(file) => {
                    opened = file;
                    &opened
                }
                Err(Errno::NOENT | Errno::ACCESS | Errno::PERM) => {
                    *self = Attribute::Missing;
                    return Ok(None);
                }
                Err(_) => return Ok(None),
            },
        };
        match pread(file, &mut buffer[..], 0) {
            Ok(len) => {
                cost::read(len);
                Ok(Some(buffer[..len].trim_ascii()))
            }
            Err(Errno::NODEV) => Err(Errno::NODEV),
            Err(_) => Ok(None),
        }
    }
}

/// A whole number as sysfs writes it: decimal, `0x` hexadecimal, or negative.
pub(crate) fn number(value: &[u8]) -> Option<f64> {
    match value.strip_prefix(b"0x") {
        Some(hex) => {
            let hex = std::str::from_utf8(hex).ok().filter(|hex| !hex.starts_with('+'))?;
            Some(u64::from_str_radix(hex, 16).ok()? as f64)
        }
        None => crate::scan::number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;

    #[test]
    fn numbers() {
        assert_eq!(number(b"0x1003"), Some(4099.0));
        assert_eq!(number(b"-1"), Some(-1.0));
        for bad in [b"".as_slice(), b"0x", b"0x+1", b"up"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn kept_open_or_not_the_value_is_the_present_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mtu");
        let mut buffer: Buffer = [0; 4096];
        for keep in [true, false] {
            let mut attribute = Attribute::default();
            for text in ["1500\n", "9000\n"] {
                std::fs::write(&path, text).unwrap();
                let read = attribute.read(CWD, &path, keep, &mut buffer).unwrap();
                assert_eq!(read, Some(text.trim().as_bytes()));
            }
            assert_eq!(matches!(attribute, Attribute::Open(_)), keep);
        }
        let mut missing = Attribute::default();
        assert_eq!(missing.read(CWD, &dir.path().join("speed"), true, &mut buffer).unwrap(), None);
        assert!(matches!(missing, Attribute::Missing));
    }
}
