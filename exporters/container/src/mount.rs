//! Which mount holds a folder: `/proc/1/mountinfo` (proc_pid_mountinfo(5)).

use std::path::Path;

use crate::scan;
use crate::v2::device_number;

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is.
    pub point: String,
    /// Its device's numbers; the first is 0 where there is no block device.
    pub device: (u32, u32),
    /// What is mounted, as the file system says: mostly a device's path.
    pub source: String,
}

/// The mount that holds `folder`: of those above it the deepest, and of two in one place the later.
pub fn holding(mountinfo: &[u8], folder: &Path) -> Option<Mount> {
    let mounts = scan::lines(mountinfo).filter_map(parse);
    mounts
        .filter(|mount| folder.starts_with(&mount.point))
        .reduce(|best, mount| if mount.point.len() >= best.point.len() { mount } else { best })
}

/// `id parent major:minor root point options… - type source options`
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = scan::fields(line);
    let device = fields.nth(2).and_then(device_number)?;
    let point = unescaped(fields.nth(1)?)?;
    fields.find(|field| *field == b"-")?;
    Some(Mount { point, device, source: unescaped(fields.nth(1)?)? })
}

/// Blanks and the like are written as three octal digits behind a backslash.
fn unescaped(field: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let code =
            tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                text.push(byte);
                rest = &tail[3..];
            }
            None => {
                text.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_counts() {
        let table = b"1 0 254:0 / / rw - ext4 /dev/root rw\n\
            2 1 8:1 / /var/lib rw shared:1 - xfs /dev/sda1 rw\n\
            3 1 8:2 / /var/library rw - xfs /dev/sda2 rw\n\
            4 1 0:40 / /mnt/with\\040blank rw - tmpfs tmpfs rw\n\
            garbage\n";
        let at = |folder: &str| holding(table, Path::new(folder)).unwrap();
        assert_eq!(
            (at("/var/lib/docker").device, at("/var/lib/docker").source),
            ((8, 1), "/dev/sda1".into())
        );
        assert_eq!(at("/srv").device, (254, 0));
        assert_eq!(at("/mnt/with blank/x").source, "tmpfs");
        assert_eq!(holding(b"", Path::new("/")), None);
    }
}
