//! Journal files of systemd: the header, the objects, and blocks of LZ4 in them.
//!
//! After <https://systemd.io/JOURNAL_FILE_FORMAT>. All numbers are little-endian, all objects begin at multiples of eight.
//! A file is written while it is read: nothing here trusts a length or a place before it was compared with a bound.

mod header;
mod lz4;
mod object;

pub use header::{FileError, Header, State};
pub use lz4::lz4_prefix;
pub use object::{
    Array, Compression, DATA, ENTRY, ENTRY_ARRAY, Entry, Head, MAX_ITEMS, ObjectError, payload_at,
};

/// An identifier of 128 bits.
pub type Id = [u8; 16];

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn id(bytes: &[u8], at: usize) -> Option<Id> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
