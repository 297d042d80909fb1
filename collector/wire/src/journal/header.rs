//! What a journal file says of itself.

use super::{Id, id, le32, le64};

const SIGNATURE: &[u8] = b"LPKSHHRH";
/// The bits of `incompatible_flags` that are understood here: XZ, LZ4, hashes with keys, Zstandard, compact.
const KNOWN: u32 = 0b1_1111;
const COMPACT: u32 = 1 << 4;

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It has no header.
    #[error("it is no journal file: it does not begin with LPKSHHRH, or is too short")]
    NoJournal,
    /// It is of a later version of the format.
    #[error("it is of a later version of the format (flags {0:#x}), which this taffrail does not read")]
    Later(u32),
    /// What it says of itself cannot be.
    #[error("its header is damaged")]
    Damaged,
}

/// Whether somebody writes to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was closed in order, and may be opened again.
    Offline,
    /// It is being written to, or the writer has died.
    Online,
    /// Nothing is ever added.
    Archived,
}

/// The header of a journal file, as far as it is needed to read it from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether offsets are of four bytes.
    pub compact: bool,
    /// Whether somebody writes to it.
    pub state: State,
    /// Its own identifier; it stays when the file is renamed.
    pub file_id: Id,
    /// Who counts its entries: files with the same one share the numbers.
    pub seqnum_id: Id,
    /// Where the first object is.
    pub header_size: u64,
    /// Where the last object begins.
    pub tail_object_offset: u64,
    /// How many entries there are: no more than it has numbers for.
    pub n_entries: u64,
    /// The number of the last entry; 0 when there is none.
    pub tail_seqnum: u64,
    /// The number of the first entry; 0 when there is none.
    pub head_seqnum: u64,
    /// Where the first array of entries is; 0 when there is none.
    pub entry_array_offset: u64,
    /// When the last entry was written, in microseconds since 1970.
    pub tail_realtime: u64,
}

impl Header {
    /// As many bytes are enough.
    pub const LEN: usize = 208;

    /// Reads the first bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Header, FileError> {
        if !bytes.starts_with(SIGNATURE) {
            return Err(FileError::NoJournal);
        }
        let flags = le32(bytes, 12).ok_or(FileError::NoJournal)?;
        if flags & !KNOWN != 0 {
            return Err(FileError::Later(flags));
        }
        let mut header = Self::fields(bytes, flags).ok_or(FileError::NoJournal)?;
        let empty = header.n_entries == 0;
        let sound = header.header_size >= Header::LEN as u64
            && header.header_size.is_multiple_of(8)
            && header.entry_array_offset.is_multiple_of(8)
            && (empty || header.entry_array_offset >= header.header_size)
            && header.head_seqnum <= header.tail_seqnum;
        if !empty {
            let numbers = header.tail_seqnum.saturating_sub(header.head_seqnum).saturating_add(1);
            header.n_entries = header.n_entries.min(numbers);
        }
        sound.then_some(header).ok_or(FileError::Damaged)
    }

    fn fields(bytes: &[u8], flags: u32) -> Option<Header> {
        Some(Header {
            compact: flags & COMPACT != 0,
            state: match bytes.get(16)? {
                0 => State::Offline,
                1 => State::Online,
                _ => State::Archived,
            },
            file_id: id(bytes, 24)?,
            seqnum_id: id(bytes, 72)?,
            header_size: le64(bytes, 88)?,
            tail_object_offset: le64(bytes, 136)?,
            n_entries: le64(bytes, 152)?,
            tail_seqnum: le64(bytes, 160)?,
            head_seqnum: le64(bytes, 168)?,
            entry_array_offset: le64(bytes, 176)?,
            tail_realtime: le64(bytes, 192)?,
        })
    }
}
