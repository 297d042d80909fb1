//! What is kept on disk about files: records, each with its length and checksum.
//!
//! The same records make up the positions (all of them, written anew) and the journal (what changed since, appended).
//! To read a record twice changes nothing, so that a crash between writing the one and emptying the other is harmless.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::identity::{Fingerprint, Identity, hash64};
use super::tracker::Mark;

/// The version of the format. A higher one was written by a later version of the program.
pub(crate) const VERSION: u8 = 2;

/// Names and the rest fit easily; what claims to be longer is torn.
const MAX_RECORD: usize = 64 << 10;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Begins the positions.
    Head {
        /// When the last look at files began before they were written.
        saved_ns: i64,
        /// A hash of the globs in use, to know whether the config changed.
        globs: u64,
        /// Numbers below it were given to files.
        next_id: u64,
    },
    /// A file as it is known now.
    File(Entry),
    /// A stretch of the file was released, or is about to be.
    Mark {
        /// The file's number.
        id: u64,
        /// The stretch.
        mark: Mark,
    },
    /// The file is settled up to there.
    Settled {
        /// The file's number.
        id: u64,
        /// The position.
        upto: u64,
    },
    /// The file, or the gap, is not followed any longer.
    Gone {
        /// Its number.
        id: u64,
    },
    /// Something is missing in a stream, and is to be told there.
    Gap(Gap),
}

/// What is kept about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The file's number: given once, never again.
    pub(crate) id: u64,
    /// What the file system says it is.
    pub(crate) identity: Identity,
    /// How it begins.
    pub(crate) fingerprint: Fingerprint,
    /// Settled up to here.
    pub(crate) position: u64,
    /// Its size when it was last looked at.
    pub(crate) size: u64,
    /// The time of the last line of its stream.
    pub(crate) last_ns: i64,
    /// Whether its bytes are known to be gone, so that what is not settled cannot be read again.
    pub(crate) lost: bool,
    /// The name it had when it was found: its `filename` label.
    pub(crate) name: PathBuf,
    /// Where it really is, links resolved.
    pub(crate) real: PathBuf,
}

/// What is missing in a stream, as the line that tells it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Its number, of those of files: the gap is before files with a higher one.
    pub(crate) id: u64,
    /// The time with which the line left; 0 before it did.
    pub(crate) base_ns: i64,
    /// The stream's name.
    pub(crate) name: PathBuf,
    /// The line, with its end.
    pub(crate) line: String,
}

impl Record {
    /// Appends the record to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 12]);
        match self {
            Record::Head { saved_ns, globs, next_id } => {
                out.extend_from_slice(&[b'h', VERSION]);
                put(out, &[*saved_ns as u64, *globs, *next_id]);
            }
            Record::File(entry) => {
                out.push(b'f');
                let Entry { identity, fingerprint, .. } = entry;
                put(out, &[entry.id, identity.device, identity.inode, identity.born_ns as u64]);
                put(out, &[u64::from(fingerprint.len), fingerprint.hash]);
                put(out, &[entry.position, entry.size, entry.last_ns as u64, u64::from(entry.lost)]);
                for path in [&entry.name, &entry.real] {
                    put(out, &[path.as_os_str().len() as u64]);
                    out.extend_from_slice(path.as_os_str().as_bytes());
                }
            }
            Record::Mark { id, mark } => {
                out.push(b'm');
                put(out, &[*id, mark.start, mark.end, mark.base_ns as u64, u64::from(mark.lines)]);
            }
            Record::Settled { id, upto } => {
                out.push(b's');
                put(out, &[*id, *upto]);
            }
            Record::Gone { id } => {
                out.push(b'g');
                put(out, &[*id]);
            }
            Record::Gap(gap) => {
                out.push(b'l');
                put(out, &[gap.id, gap.base_ns as u64]);
                for bytes in [gap.name.as_os_str().as_bytes(), gap.line.as_bytes()] {
                    put(out, &[bytes.len() as u64]);
                    out.extend_from_slice(bytes);
                }
            }
        }
        let len = (out.len() - start - 12) as u32;
        let sum = hash64(&out[start + 12..]);
        out[start..start + 4].copy_from_slice(&len.to_le_bytes());
        out[start + 4..start + 12].copy_from_slice(&sum.to_le_bytes());
    }
}

fn put(out: &mut Vec<u8>, values: &[u64]) {
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// What stands in the way of reading on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A record is torn or garbled: nothing behind it can be trusted.
    Torn,
    /// The records are of a later version.
    Newer(u8),
}

/// Reads records until the end, or until one cannot be read.
pub(crate) fn decode(mut bytes: &[u8]) -> (Vec<Record>, Option<Stop>) {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        match decode_one(bytes) {
            Ok((record, rest)) => {
                records.push(record);
                bytes = rest;
            }
            Err(stop) => return (records, Some(stop)),
        }
    }
    (records, None)
}

fn decode_one(bytes: &[u8]) -> Result<(Record, &[u8]), Stop> {
    let mut head = Fields(bytes);
    let len = head.u32()? as usize;
    let sum = head.u64()?;
    if len > MAX_RECORD {
        return Err(Stop::Torn);
    }
    let (body, rest) = head.0.split_at_checked(len).ok_or(Stop::Torn)?;
    if hash64(body) != sum {
        return Err(Stop::Torn);
    }
    let mut fields = Fields(body);
    let record = match fields.u8()? {
        b'h' => {
            let version = fields.u8()?;
            if version > VERSION {
                return Err(Stop::Newer(version));
            }
            Record::Head { saved_ns: fields.i64()?, globs: fields.u64()?, next_id: fields.u64()? }
        }
        b'f' => Record::File(fields.entry()?),
        b'm' => Record::Mark { id: fields.u64()?, mark: fields.mark()? },
        b's' => Record::Settled { id: fields.u64()?, upto: fields.u64()? },
        b'g' => Record::Gone { id: fields.u64()? },
        b'l' => Record::Gap(fields.gap()?),
        _ => return Err(Stop::Torn),
    };
    Ok((record, rest))
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Stop::Torn)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.take(N)?.try_into().map_err(|_| Stop::Torn)
    }

    fn u8(&mut self) -> Result<u8, Stop> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, Stop> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Stop> {
        let len = usize::try_from(self.u64()?).map_err(|_| Stop::Torn)?;
        Ok(self.take(len)?.to_vec())
    }

    fn path(&mut self) -> Result<PathBuf, Stop> {
        Ok(OsString::from_vec(self.bytes()?).into())
    }

    fn gap(&mut self) -> Result<Gap, Stop> {
        let (id, base_ns, name) = (self.u64()?, self.i64()?, self.path()?);
        let line = String::from_utf8(self.bytes()?).map_err(|_| Stop::Torn)?;
        Ok(Gap { id, base_ns, name, line })
    }

    fn mark(&mut self) -> Result<Mark, Stop> {
        let (start, end, base_ns) = (self.u64()?, self.u64()?, self.i64()?);
        let lines = u32::try_from(self.u64()?).map_err(|_| Stop::Torn)?;
        if end <= start { Err(Stop::Torn) } else { Ok(Mark { start, end, base_ns, lines }) }
    }

    fn entry(&mut self) -> Result<Entry, Stop> {
        Ok(Entry {
            id: self.u64()?,
            identity: Identity { device: self.u64()?, inode: self.u64()?, born_ns: self.i64()? },
            fingerprint: Fingerprint { len: self.u64()? as u16, hash: self.u64()? },
            position: self.u64()?,
            size: self.u64()?,
            last_ns: self.i64()?,
            lost: self.u64()? != 0,
            name: self.path()?,
            real: self.path()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records() -> Vec<Record> {
        let entry = Entry {
            id: 3,
            identity: Identity { device: 1, inode: 2, born_ns: -5 },
            fingerprint: Fingerprint { len: 1024, hash: u64::MAX },
            position: 10,
            size: 20,
            last_ns: 1_700_000_000_000_000_000,
            lost: true,
            name: OsString::from_vec(b"/var/log/caf\xe9.log".to_vec()).into(),
            real: "/mnt/log/1.log".into(),
        };
        vec![
            Record::Head { saved_ns: 7, globs: 8, next_id: 9 },
            Record::File(entry),
            Record::Mark { id: 3, mark: Mark { start: 10, end: 20, base_ns: 5, lines: 2 } },
            Record::Settled { id: 3, upto: 20 },
            Record::Gone { id: 3 },
            Record::Gap(Gap { id: 4, base_ns: 6, name: "/var/log/a.log".into(), line: "é\n".to_owned() }),
        ]
    }

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        records().iter().for_each(|record| record.encode(&mut bytes));
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(decode(&encoded()), (records(), None));
    }

    #[test]
    fn a_later_version_is_named() {
        let mut bytes = Vec::new();
        records()[0].encode(&mut bytes);
        bytes[13] = VERSION + 1;
        let sum = hash64(&bytes[12..]);
        bytes[4..12].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(decode(&bytes), (vec![], Some(Stop::Newer(VERSION + 1))));
    }

    proptest! {
        #[test]
        fn a_torn_end_costs_only_itself(keep in 0usize..500) {
            let bytes = encoded();
            let keep = keep.min(bytes.len());
            let (read, _) = decode(&bytes[..keep]);
            prop_assert_eq!(&read[..], &records()[..read.len()]);
            let whole = read.iter().fold(Vec::new(), |mut out, record| { record.encode(&mut out); out });
            prop_assert_eq!(decode(&bytes[..keep]).1.is_some(), whole.len() != keep);
        }

        #[test]
        fn a_garbled_byte_is_noticed(at in any::<prop::sample::Index>(), xor in 1u8..) {
            let mut bytes = encoded();
            let at = at.index(bytes.len());
            bytes[at] ^= xor;
            let (read, stop) = decode(&bytes);
            prop_assert!(stop.is_some());
            prop_assert_eq!(&read[..], &records()[..read.len()]);
        }

        #[test]
        fn noise_is_no_trouble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
