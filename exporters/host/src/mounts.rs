//! Mounts from `/proc/<pid>/mountinfo` (proc_pid_mountinfo(5)).

use std::collections::HashMap;

use crate::scan::{self, Malformed};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Unique on the machine for as long as the mount exists.
    pub id: u32,
    /// The mount it is mounted on.
    pub parent: u32,
    /// The device's major number.
    pub major: u32,
    /// The device's minor number.
    pub minor: u32,
    /// Which directory of the file system is mounted.
    pub root: Vec<u8>,
    /// Where.
    pub point: Vec<u8>,
    /// The file system's type.
    pub fs_type: Vec<u8>,
    /// The device, or what stands for it.
    pub source: Vec<u8>,
    /// Nothing can be written: by the mount's options or the file system's.
    pub read_only: bool,
}

impl Mount {
    /// Whether both show the same directory of the same file system.
    pub fn shows_same(&self, other: &Mount) -> bool {
        (self.major, self.minor) == (other.major, other.minor) && self.root == other.root
    }
}

/// Parses the whole file.
pub fn parse(bytes: &[u8]) -> Result<Vec<Mount>, Malformed> {
    scan::lines(bytes).map(|line| parse_line(line).ok_or_else(|| wrong(line))).collect()
}

fn wrong(line: &[u8]) -> Malformed {
    Malformed::new("`id parent major:minor root mountpoint options … - type source options`", line)
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    // Split at each blank: a source may be empty, and then two blanks stand together.
    let mut fields = line.split(|b| *b == b' ');
    let mut integer = || u32::try_from(scan::integer(fields.next()?)?).ok();
    let (id, parent) = (integer()?, integer()?);
    let mut device = fields.next()?.splitn(2, |b| *b == b':');
    let mut number = || u32::try_from(scan::integer(device.next()?)?).ok();
    let (major, minor) = (number()?, number()?);
    let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
    fields.find(|field| *field == b"-")?;
    let (fs_type, source) = (fields.next()?, fields.next()?);
    let super_options = fields.next().unwrap_or_default();
    let is_read_only = |option: &[u8]| option == b"ro" || option == b"emergency_ro";
    let read_only = [options, super_options].iter().any(|o| o.split(|b| *b == b',').any(is_read_only));
    Some(Mount {
        id,
        parent,
        major,
        minor,
        root: unescape(root),
        point: unescape(point),
        fs_type: unescape(fs_type),
        source: unescape(source),
        read_only,
    })
}

/// The kernel writes blanks, tabs, line feeds, `\` and `#` as three octal digits behind a `\`.
pub(crate) fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = |digit: u8| matches!(digit, b'0'..=b'7').then(|| u32::from(digit - b'0'));
        let code = match tail {
            [a, b, c, ..] if first == b'\\' => match (octal(*a), octal(*b), octal(*c)) {
                (Some(a), Some(b), Some(c)) => u8::try_from(a * 64 + b * 8 + c).ok(),
                _ => None,
            },
            _ => None,
        };
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    bytes
}

/// The mounts that a path leads to, in the file's order.
///
/// Of two mounts on one point the later is seen. A mount below a point that was later mounted over cannot be reached at
/// all: statfs(2) on its path would answer for another file system.
pub fn visible(mounts: Vec<Mount>) -> Vec<Mount> {
    let parents: HashMap<u32, u32> = mounts.iter().map(|mount| (mount.id, mount.parent)).collect();
    let is_below = |mut id: u32, above: u32| {
        // A loop in the file (a mount that is its own parent) ends the walk.
        for _ in 0..mounts.len() {
            match parents.get(&id) {
                Some(&parent) if parent == above => return true,
                Some(&parent) if parent != id => id = parent,
                _ => return false,
            }
        }
        false
    };
    // Later in the file is mounted later, but for a mount that was put beneath another: that one stays on top.
    let covers = |(by_at, by): (usize, &Mount), (at, mount): (usize, &Mount)| {
        !is_below(mount.id, by.id) && (by_at > at || is_below(by.id, mount.id))
    };
    // A node of a cluster has thousands of mounts: each is compared with those on its way only, not with all.
    let mut at_point: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, mount) in mounts.iter().enumerate() {
        at_point.entry(directory(&mount.point)).or_default().push(at);
    }
    let is_hidden = |(at, mount): (usize, &Mount)| {
        let on_way = directories(&mount.point).filter_map(|point| at_point.get(point)).flatten();
        on_way.copied().any(|by| by != at && covers((by, &mounts[by]), (at, mount)))
    };
    let hidden: Vec<bool> = mounts.iter().enumerate().map(is_hidden).collect();
    mounts.into_iter().zip(hidden).filter(|(_, hidden)| !hidden).map(|(mount, _)| mount).collect()
}

/// A mount point without a `/` at its end, so that the root is empty.
pub(crate) fn directory(point: &[u8]) -> &[u8] {
    point.strip_suffix(b"/").unwrap_or(point)
}

/// The directories that a path leads through, and itself, each as [`directory`] has it.
pub(crate) fn directories(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let path = directory(path);
    memchr::memchr_iter(b'/', path).map(|at| &path[..at]).chain(std::iter::once(path))
}

/// Whether `path` is `directory` or below it.
pub fn contains(directory: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(self::directory(directory)).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(text: &str) -> Vec<String> {
        let mounts = visible(parse(text.as_bytes()).unwrap());
        mounts.iter().map(|m| format!("{} {}", m.id, String::from_utf8_lossy(&m.point))).collect()
    }

    #[test]
    fn a_line_with_all_there_is() {
        let line =
            b"36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=ro\n";
        let mount = &parse(line).unwrap()[0];
        assert_eq!((mount.id, mount.parent, mount.major, mount.minor), (36, 35, 98, 0));
        assert_eq!((&*mount.root, &*mount.point), (b"/mnt1".as_slice(), b"/mnt 2\\x".as_slice()));
        assert_eq!((&*mount.fs_type, &*mount.source), (b"ext3".as_slice(), b"/dev/root".as_slice()));
        assert!(!mount.read_only, "errors=ro is another option");
    }

    #[test]
    fn read_only_by_mount_or_by_file_system() {
        for (options, read_only) in [
            ("rw - a b rw", false),
            ("ro,x - a b rw", true),
            ("rw - a b ro", true),
            ("rw - a b rw,emergency_ro", true),
        ] {
            let line = format!("1 0 8:1 / / {options}\n");
            assert_eq!(parse(line.as_bytes()).unwrap()[0].read_only, read_only, "{options}");
        }
    }

    #[test]
    fn a_source_may_be_empty() {
        let mount = &parse(b"1 0 0:1 / /x rw - tmpfs  rw\n").unwrap()[0];
        assert_eq!((&*mount.source, mount.read_only), (b"".as_slice(), false));
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [
            "\n",
            "1 0 8:1 / /\n",
            "1 0 8 / / rw - a b rw\n",
            "x 0 8:1 / / rw - a b rw\n",
            "1 0 8:1 / / rw a b\n",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(parse(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_mounted_over_is_not_seen() {
        let text = "1 0 8:1 / / rw - ext4 a rw\n\
                    2 1 8:2 / /data rw - ext4 b rw\n\
                    3 2 8:3 / /data/sub rw - ext4 c rw\n\
                    4 2 8:4 / /data rw - ext4 d rw\n\
                    5 1 8:5 / /database rw - ext4 e rw\n\
                    6 4 8:6 / /data/sub rw - ext4 f rw\n";
        assert_eq!(points(text), ["1 /", "4 /data", "5 /database", "6 /data/sub"]);
    }

    #[test]
    fn a_root_mounted_over_takes_all_below_with_it() {
        let text = "1 1 0:1 / / rw - rootfs a rw\n2 1 0:2 / /x rw - ext4 b rw\n3 1 8:1 / / rw - ext4 c rw\n";
        assert_eq!(points(text), ["3 /"]);
    }

    #[test]
    fn a_mount_put_beneath_another_is_not_seen() {
        let text = "1 0 8:1 / / rw - ext4 a rw\n2 3 8:2 / /x rw - ext4 b rw\n3 1 8:3 / /x rw - ext4 c rw\n";
        assert_eq!(points(text), ["1 /", "2 /x"]);
    }

    #[test]
    fn thousands_of_mounts_are_no_work() {
        // As on a node with many pods: compared each with each other they take a minute in this build.
        let mut text = "1 0 8:1 / / rw - ext4 a rw\n".to_owned();
        for n in 2..10_000 {
            text.push_str(&format!("{n} 1 0:{n} / /var/lib/kubelet/pods/{n}/volumes/x rw - tmpfs t rw\n"));
        }
        text.push_str("99999 1 0:9 / /var/lib/kubelet rw - tmpfs t rw\n");
        assert_eq!(points(&text), ["1 /", "99999 /var/lib/kubelet"]);
    }

    #[test]
    fn paths_and_what_is_below() {
        assert_eq!(directories(b"/a/b").collect::<Vec<_>>(), [b"".as_slice(), b"/a", b"/a/b"]);
        assert_eq!(directories(b"/").collect::<Vec<_>>(), [b""]);
        assert!(contains(b"/", b"/a") && contains(b"/a", b"/a") && contains(b"/a", b"/a/b"));
        assert!(!contains(b"/a", b"/ab") && !contains(b"/a/b", b"/a"));
    }
}
