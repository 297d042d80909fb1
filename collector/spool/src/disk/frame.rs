//! The format of a segment file.
//!
//! All numbers are little-endian. A file begins with 48 bytes: the magic `TFSPOOL1`, the segment's id (8), the position
//! of its first record (8), the time of its creation in milliseconds (8), 12 zero bytes, and the CRC-32 of all that (4).
//! Records follow, each with 28 bytes before its payload: a marker (4), the payload's length (4), position (8), time of
//! appending in milliseconds (8), and the CRC-32 of the segment's id, the header from the length to the time, and the
//! payload (4). The id is part of the sum so that what a recycled disk block still holds of another segment, or a
//! payload that quotes one, is never taken for a record of this one.
//!
//! A segment that is complete ends with a footer, framed like a record under a marker of its own: position and time are
//! those of the end, the payload holds the first position, the number of records, the first time and the footer's own
//! offset. Without it, after a crash, the file is read once to learn the same.

use bytes::Bytes;

use crate::log::{Position, SegmentId};
use crate::segment::{FRAME, HEADER};

const MAGIC: &[u8; 8] = b"TFSPOOL1";
/// What a record begins with; unlikely in text, so that few false starts are tried after damage.
pub(crate) const MARKER: [u8; 4] = [0xf5, b'L', b'R', 0x01];
const FOOTER_MARKER: [u8; 4] = [0xf5, b'L', b'F', 0x01];
/// Bytes of a footer.
pub(crate) const FOOTER: u64 = FRAME + 32;

/// What is known of a complete segment from its footer, or from reading it through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) first: Position,
    pub(crate) end: Position,
    pub(crate) records: u64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// The offset at which the last record ends.
    pub(crate) len: u64,
}

/// The header of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) length: u32,
    pub(crate) position: Position,
    pub(crate) appended_ms: i64,
    sum: u32,
}

impl Head {
    /// Reads the header at the start of `data`; `None` if there is none.
    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        Self::parse_with(data, MARKER)
    }

    fn parse_with(data: &[u8], marker: [u8; 4]) -> Option<Self> {
        let header = data.first_chunk::<{ FRAME as usize }>()?;
        header.starts_with(&marker).then(|| Head {
            length: u32_at(header, 4),
            position: u64_at(header, 8),
            appended_ms: u64_at(header, 16) as i64,
            sum: u32_at(header, 24),
        })
    }

    /// Whether the header and `payload` are what was written.
    pub(crate) fn holds(&self, segment: SegmentId, payload: &[u8]) -> bool {
        checksum(segment, self.length, self.position, self.appended_ms, payload) == self.sum
    }
}

/// Appends a file header.
pub(crate) fn put_header(out: &mut Vec<u8>, segment: SegmentId, first: Position, created_ms: i64) {
    let start = out.len();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&segment.0.to_le_bytes());
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&created_ms.to_le_bytes());
    out.extend_from_slice(&[0; 12]);
    let sum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// Whether `data` begins with the header of `segment`.
pub(crate) fn header_holds(data: &[u8], segment: SegmentId) -> bool {
    data.first_chunk::<{ HEADER as usize }>().is_some_and(|header| {
        header.starts_with(MAGIC)
            && u64_at(header, 8) == segment.0
            && u32_at(header, 44) == crc32fast::hash(&header[..44])
    })
}

/// Appends a record.
pub(crate) fn put_record(
    out: &mut Vec<u8>,
    segment: SegmentId,
    position: Position,
    ms: i64,
    payload: &Bytes,
) {
    put(out, MARKER, segment, position, ms, payload);
}

/// Appends a footer.
pub(crate) fn put_footer(out: &mut Vec<u8>, segment: SegmentId, summary: &Summary) {
    let mut payload = [0; 32];
    payload[..8].copy_from_slice(&summary.first.to_le_bytes());
    payload[8..16].copy_from_slice(&summary.records.to_le_bytes());
    payload[16..24].copy_from_slice(&summary.first_ms.to_le_bytes());
    payload[24..].copy_from_slice(&summary.len.to_le_bytes());
    put(out, FOOTER_MARKER, segment, summary.end, summary.last_ms, &payload);
}

/// Reads a footer from the last [`FOOTER`] bytes of a file of `file_len` bytes.
pub(crate) fn parse_footer(data: &[u8], segment: SegmentId, file_len: u64) -> Option<Summary> {
    let head = Head::parse_with(data, FOOTER_MARKER)?;
    let payload = data[FRAME as usize..].first_chunk::<32>()?;
    let summary = Summary {
        first: u64_at(payload, 0),
        end: head.position,
        records: u64_at(payload, 8),
        first_ms: u64_at(payload, 16) as i64,
        last_ms: head.appended_ms,
        len: u64_at(payload, 24),
    };
    let whole = head.length == 32
        && head.holds(segment, payload)
        && summary.len.checked_add(FOOTER) == Some(file_len);
    (whole && summary.len >= HEADER && summary.end > summary.first).then_some(summary)
}

fn put(out: &mut Vec<u8>, marker: [u8; 4], segment: SegmentId, position: Position, ms: i64, payload: &[u8]) {
    let length = payload.len() as u32;
    out.extend_from_slice(&marker);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&position.to_le_bytes());
    out.extend_from_slice(&ms.to_le_bytes());
    out.extend_from_slice(&checksum(segment, length, position, ms, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(segment: SegmentId, length: u32, position: Position, ms: i64, payload: &[u8]) -> u32 {
    let mut head = [0; 28];
    head[..8].copy_from_slice(&segment.0.to_le_bytes());
    head[8..12].copy_from_slice(&length.to_le_bytes());
    head[12..20].copy_from_slice(&position.to_le_bytes());
    head[20..].copy_from_slice(&ms.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head);
    hasher.update(payload);
    hasher.finalize()
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| data[at + i]))
}

fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| data[at + i]))
}
