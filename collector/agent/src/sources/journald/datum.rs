//! Fields: what the configuration wants of them, unpacked, and remembered, as most entries share most of theirs.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use taffrail_wire::journal::{Compression, lz4_prefix};

use super::wanted::{Key, Wanted};

/// The most fields of a file that are remembered, and the longest.
const REMEMBERED: usize = 2048;
const SHORT: usize = 256;
/// The longest value that goes along as structured metadata; more is cut.
pub(super) const MAX_VALUE: usize = 1024;
/// The longest name of a field, with room to spare: journald takes 64 bytes.
const MAX_NAME: usize = 128;
/// The most memory for unpacking Zstandard, as a power of two. journald's own level takes 2^21.
const WINDOW: u32 = 23;

/// Why most that cannot be read cannot.
pub(super) const DAMAGED: &str = "the journal is damaged";

/// A field as it stands in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    pub(super) compression: Compression,
    /// Its first bytes.
    pub(super) bytes: &'a [u8],
    /// How many there are of it.
    pub(super) len: u64,
}

/// What a field says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    /// Nothing that is wanted.
    Other,
    /// The message: its first bytes, and how many there are.
    Message(Arc<[u8]>, u64),
    /// Something else that is wanted.
    Known(Key, Arc<str>),
    /// It cannot be read, and why.
    Unread(&'static str),
}

/// The fields of a file that were read lately, by place, with the terms that they fit.
#[derive(Debug, Default)]
pub(super) struct Data(HashMap<u64, (Datum, u64)>);

impl Data {
    /// What is remembered of a place.
    pub(super) fn get(&self, place: u64) -> Option<(Datum, u64)> {
        self.0.get(&place).cloned()
    }

    /// Remembers it, unless it is long.
    pub(super) fn put(&mut self, place: u64, datum: &(Datum, u64)) {
        match &datum.0 {
            Datum::Message(..) | Datum::Unread(_) => return,
            Datum::Known(_, value) if value.len() > SHORT => return,
            Datum::Known(..) | Datum::Other => {}
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(place, datum.clone());
    }
}

impl Packed<'_> {
    /// What it says, and which of the terms it fits, as bits.
    pub(super) fn read(self, wanted: &Wanted) -> (Datum, u64) {
        // Far longer than what is looked for: nothing of it is needed but the beginning.
        let most = wanted.max_message + MAX_NAME;
        if self.compression == Compression::Xz {
            return (Datum::Unread("it is packed with XZ"), 0);
        }
        let Some((bytes, len)) = self.unpack(most) else { return (Datum::Unread(DAMAGED), 0) };
        let terms = if bytes.len() as u64 == len { wanted.terms(&bytes) } else { 0 };
        let name = bytes[..bytes.len().min(MAX_NAME)].iter().position(|byte| *byte == b'=');
        let Some((name, value)) = name.map(|at| (&bytes[..at], &bytes[at + 1..])) else {
            return (Datum::Other, terms);
        };
        let datum = match wanted.key(name) {
            None => Datum::Other,
            Some(Key::Message) => Datum::Message(value.into(), len - name.len() as u64 - 1),
            Some(key) => {
                let text = String::from_utf8_lossy(&value[..value.len().min(MAX_VALUE)]);
                Datum::Known(key, text.into())
            }
        };
        (datum, terms)
    }

    /// Its first bytes, at most `most`, and how many it has.
    fn unpack(self, most: usize) -> Option<(Vec<u8>, u64)> {
        match self.compression {
            Compression::None => Some((self.bytes[..self.bytes.len().min(most)].to_vec(), self.len)),
            Compression::Lz4 => {
                let (len, block) = self.bytes.split_first_chunk()?;
                let len = u64::from_le_bytes(*len);
                let out = lz4_prefix(block, most.min(usize::try_from(len).ok()?))?;
                (out.len() as u64 == len || out.len() == most || self.is_cut()).then_some((out, len))
            }
            Compression::Zstd => {
                let len = zstd::zstd_safe::get_frame_content_size(self.bytes).ok()??;
                let mut decoder = zstd::Decoder::with_buffer(self.bytes).ok()?;
                decoder.window_log_max(WINDOW).ok()?;
                let wanted = len.min(most as u64);
                let mut out = Vec::with_capacity(wanted as usize);
                let read = decoder.take(wanted).read_to_end(&mut out);
                (out.len() as u64 == wanted || (self.is_cut() && !out.is_empty()) || read.is_ok())
                    .then_some((out, len))
            }
            Compression::Xz => None,
        }
    }

    /// Whether there is more of it in the file.
    fn is_cut(self) -> bool {
        (self.bytes.len() as u64) < self.len
    }
}
