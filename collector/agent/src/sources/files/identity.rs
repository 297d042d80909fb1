//! Which file a file is: its inode, when it was born, and a fingerprint of how it begins.
//!
//! Inode numbers are used again as soon as a file is gone, names change at every rotation, and device numbers may
//! change at a reboot. So a file is known again only when all that can be known of it agrees.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// How much of a file's beginning the fingerprint covers at most.
pub(crate) const FINGERPRINT_BYTES: usize = 1024;

/// What the file system says about which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The device's number.
    pub(crate) device: u64,
    /// The inode's number.
    pub(crate) inode: u64,
    /// When the inode was made, in nanoseconds since 1970, where the file system keeps that; else 0.
    pub(crate) born_ns: i64,
}

impl Identity {
    /// The identity in `meta`.
    pub(crate) fn of(meta: &Metadata) -> Self {
        let born = meta.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        Identity {
            device: meta.dev(),
            inode: meta.ino(),
            born_ns: born.map_or(0, |since| since.as_nanos() as i64),
        }
    }

    /// Whether `other`, seen in another run, may be the same file as far as the file system knows.
    ///
    /// The device's number is not compared where the time of birth can speak: it may change at a reboot.
    pub(crate) fn agrees(&self, other: &Identity) -> bool {
        let born_known = self.born_ns != 0 && other.born_ns != 0;
        self.inode == other.inode
            && if born_known { self.born_ns == other.born_ns } else { self.device == other.device }
    }
}

/// A hash of the first bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// How many bytes it covers: as many as there were, at most [`FINGERPRINT_BYTES`].
    pub(crate) len: u16,
    /// Their hash.
    pub(crate) hash: u64,
}

/// What looking at the beginning of a file again showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It begins as it did.
    Same,
    /// It begins as it did, and the fingerprint covers more of it now.
    Extended(Fingerprint),
    /// It begins otherwise, or is shorter than what the fingerprint covers.
    Differs,
}

impl Fingerprint {
    /// Compares the beginning of `file` with the fingerprint.
    ///
    /// # Errors
    /// What reading the file gives.
    pub(crate) fn check(&self, file: &File) -> io::Result<Verdict> {
        let mut head = [0; FINGERPRINT_BYTES];
        let mut len = 0;
        while len < head.len() {
            match file.read_at(&mut head[len..], len as u64) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.compare(&head[..len]))
    }

    /// Compares `head` with it: how something begins.
    pub(super) fn compare(&self, head: &[u8]) -> Verdict {
        let known = usize::from(self.len);
        match head.get(..known) {
            Some(same) if known == 0 || hash64(same) == self.hash => {}
            _ => return Verdict::Differs,
        }
        if head.len() == known {
            return Verdict::Same;
        }
        Verdict::Extended(Fingerprint { len: head.len() as u16, hash: hash64(head) })
    }
}

/// A 64-bit hash that is the same in every run and version: it is kept on disk. Not for use against an adversary: who
/// can write the log can write anything into it anyway.
pub(crate) fn hash64(bytes: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = K ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let word =
            u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
        hash = mix(hash ^ word);
    }
    for &byte in words.remainder() {
        hash = mix(hash ^ u64::from(byte));
    }
    hash
}

fn mix(value: u64) -> u64 {
    let value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^ (value >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_grows_with_its_file_and_tells_another_from_it() {
        let none = Fingerprint::default();
        assert_eq!(none.compare(b""), Verdict::Same);
        let Verdict::Extended(short) = none.compare(b"one\n") else {
            panic!("an empty fingerprint fits all")
        };
        assert_eq!(short.compare(b"one\n"), Verdict::Same);
        assert!(matches!(short.compare(b"one\ntwo\n"), Verdict::Extended(more) if more.len == 8));
        assert_eq!(short.compare(b"two\n"), Verdict::Differs);
        assert_eq!(short.compare(b"on"), Verdict::Differs, "shorter than it was");
    }

    #[test]
    fn a_reused_inode_is_another_file() {
        let file = Identity { device: 1, inode: 7, born_ns: 100 };
        assert!(file.agrees(&Identity { device: 2, ..file }), "devices may be renumbered at a reboot");
        assert!(!file.agrees(&Identity { born_ns: 200, ..file }));
        assert!(!file.agrees(&Identity { inode: 8, ..file }));
        let unborn = Identity { born_ns: 0, ..file };
        assert!(unborn.agrees(&file));
        assert!(!unborn.agrees(&Identity { device: 2, ..file }));
    }

    #[test]
    fn the_hash_of_today_is_the_hash_of_tomorrow() {
        assert_eq!(hash64(b""), 0x9e37_79b9_7f4a_7c15);
        assert_ne!(hash64(b"\0"), hash64(b"\0\0"));
        assert_eq!(hash64(b"a line of a log\n"), hash64(b"a line of a log\n"));
    }
}
