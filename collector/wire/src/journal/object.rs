//! Objects: entries, arrays of their places, and the fields that entries share.

use super::{Id, id, le32, le64};

/// The type of an object that holds a field with its value.
pub const DATA: u8 = 1;
/// The type of an object that is an entry.
pub const ENTRY: u8 = 3;
/// The type of an object that lists entries.
pub const ENTRY_ARRAY: u8 = 6;

/// The most fields of an entry that are read; journald takes no more.
pub const MAX_ITEMS: usize = 1024;

const HEAD: usize = 16;
const ARRAY_ITEMS: u64 = 24;
const ENTRY_ITEMS: usize = 64;

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It is cut short.
    #[error("an object ends before its end")]
    Short,
    /// Another type is there than should be.
    #[error("an object of type {found} is where one of type {wanted} should be")]
    Type {
        /// What is there.
        found: u8,
        /// What should be.
        wanted: u8,
    },
    /// Its length cannot be.
    #[error("an object says it has {0} bytes, which cannot be")]
    Size(u64),
}

/// How the payload of an object is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It is as it was.
    None,
    /// XZ, which old releases wrote.
    Xz,
    /// Eight bytes with the length, and a block of LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// What every object begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How its payload is packed.
    pub compression: Compression,
    /// Its length in bytes, this head included.
    pub size: u64,
}

impl Head {
    /// As many bytes are enough.
    pub const LEN: usize = HEAD;

    /// Reads the head of an object that should be of the type `wanted`.
    ///
    /// # Errors
    /// When it is not, or cannot be.
    pub fn parse(bytes: &[u8], wanted: u8) -> Result<Head, ObjectError> {
        let [found, flags, ..] = *bytes else { return Err(ObjectError::Short) };
        let size = le64(bytes, 8).ok_or(ObjectError::Short)?;
        if found != wanted {
            return Err(ObjectError::Type { found, wanted });
        }
        let least = match wanted {
            ENTRY => ENTRY_ITEMS as u64,
            ENTRY_ARRAY => ARRAY_ITEMS,
            _ => HEAD as u64,
        };
        if size < least || size > i64::MAX as u64 {
            return Err(ObjectError::Size(size));
        }
        let compression = match flags & 0b111 {
            0 => Compression::None,
            0b001 => Compression::Xz,
            0b010 => Compression::Lz4,
            _ => Compression::Zstd,
        };
        Ok(Head { compression, size })
    }
}

/// Where the payload of a field begins within its object.
pub const fn payload_at(compact: bool) -> u64 {
    if compact { 72 } else { 64 }
}

/// A list of places of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// Where the next list is; 0 when there is none.
    pub next: u64,
    /// How many places it has. Those that are not used yet are 0.
    pub places: u64,
}

impl Array {
    /// As many bytes are enough.
    pub const LEN: usize = ARRAY_ITEMS as usize;

    /// Reads the beginning of a list.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8], compact: bool) -> Result<Array, ObjectError> {
        let head = Head::parse(bytes, ENTRY_ARRAY)?;
        let next = le64(bytes, HEAD).ok_or(ObjectError::Short)?;
        Ok(Array { next, places: (head.size - ARRAY_ITEMS) / Array::width(compact) })
    }

    /// Bytes of a place.
    pub const fn width(compact: bool) -> u64 {
        if compact { 4 } else { 8 }
    }

    /// The places in bytes of a list, from behind [`Array::LEN`] on.
    pub fn places(bytes: &[u8], compact: bool) -> impl Iterator<Item = u64> {
        let width = Array::width(compact) as usize;
        bytes.chunks_exact(width).filter_map(move |place| number(place, compact))
    }
}

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seqnum: u64,
    /// When it was written, in microseconds since 1970.
    pub realtime: u64,
    /// The same since the start of the machine, in microseconds.
    pub monotonic: u64,
    /// Which start.
    pub boot_id: Id,
    /// Where its fields are.
    pub items: Vec<u64>,
}

impl Entry {
    /// Bytes of an entry that are there in any case.
    pub const LEAST: usize = ENTRY_ITEMS;

    /// Reads a whole entry; fields beyond [`MAX_ITEMS`] are left out.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8], compact: bool) -> Result<Entry, ObjectError> {
        let head = Head::parse(bytes, ENTRY)?;
        let size = usize::try_from(head.size).map_err(|_| ObjectError::Size(head.size))?;
        let width = if compact { 4 } else { 16 };
        let end = size.min(ENTRY_ITEMS + MAX_ITEMS * width);
        let bytes = bytes.get(..end).ok_or(ObjectError::Short)?;
        let whole = || {
            Some(Entry {
                seqnum: le64(bytes, 16)?,
                realtime: le64(bytes, 24)?,
                monotonic: le64(bytes, 32)?,
                boot_id: id(bytes, 40)?,
                items: bytes
                    .get(ENTRY_ITEMS..)?
                    .chunks_exact(width)
                    .filter_map(|item| number(item, compact))
                    .collect(),
            })
        };
        whole().ok_or(ObjectError::Short)
    }
}

fn number(bytes: &[u8], compact: bool) -> Option<u64> {
    if compact { le32(bytes, 0).map(u64::from) } else { le64(bytes, 0) }
}
