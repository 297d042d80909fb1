//! Writing a push request in one pass.

use super::reader::Stream;
use crate::proto::{bytes_field_len, put_bytes, put_varint, varint_len};
use crate::remote_write::put_label;
use crate::snappy::{Compressor, TooLarge};

/// Bytes of a stream's length field. The length is known only when its last entry is written, so its place is kept
/// free, wide enough for any length: a varint may be longer than it needs to be, and all decoders read that.
const LENGTH: usize = 5;

/// A push request that is being written, in buffers that are reused.
#[derive(Debug, Default)]
pub struct Batch {
    raw: Vec<u8>,
    /// Where the open stream's tag is, and where its first entry goes.
    open: Option<(usize, usize)>,
    entries: usize,
    compressor: Compressor,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Batch::default()
    }

    /// Forgets the entries, keeps the buffers.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.open = None;
        self.entries = 0;
    }

    /// Gives the request away, uncompressed, with the memory that it stands in, and goes on empty in the memory of
    /// `other`. What is given away is not copied, but may hold more memory than it needs.
    pub fn replace(&mut self, mut other: Vec<u8>) -> Vec<u8> {
        self.close();
        other.clear();
        let raw = std::mem::replace(&mut self.raw, other);
        self.clear();
        raw
    }

    /// How many bytes it can hold in the memory that it has.
    pub fn capacity(&self) -> usize {
        self.raw.capacity()
    }

    /// The size so far, before compression, in bytes.
    pub fn raw_len(&self) -> usize {
        self.raw.len()
    }

    /// How many entries were added.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Whether no entry was added.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Begins a stream; the entries that follow are its. `labels` is a label set in Loki's syntax, as
    /// [`write_label_set`](super::write_label_set) writes it. A stream that gets no entry is not sent.
    pub fn stream(&mut self, labels: &str) {
        self.close();
        let tag = self.raw.len();
        self.raw.push(1 << 3 | 2);
        self.raw.extend_from_slice(&[0; LENGTH]);
        put_bytes(&mut self.raw, 1, labels.as_bytes());
        self.open = Some((tag, self.raw.len()));
    }

    /// Adds an entry to the stream begun last: nanoseconds since 1970, the line without its line end, and structured
    /// metadata. Without a stream it would have nowhere to go: then it goes to one with an empty label set, which Loki
    /// refuses in so many words.
    pub fn entry<'a, M>(&mut self, ts_ns: i64, line: &str, metadata: M)
    where
        M: IntoIterator<Item = (&'a str, &'a str), IntoIter: Clone>,
    {
        let metadata = metadata.into_iter();
        let (seconds, nanos) = (ts_ns.div_euclid(1_000_000_000), ts_ns.rem_euclid(1_000_000_000));
        let time = field_len(seconds) + field_len(nanos);
        let mut body = bytes_field_len(time);
        if !line.is_empty() {
            body += bytes_field_len(line.len());
        }
        for (name, value) in metadata.clone() {
            body += bytes_field_len(bytes_field_len(name.len()) + bytes_field_len(value.len()));
        }
        self.begin_entry(body);
        // The timestamp is there even when it is empty: Go reads a missing one as the year 1.
        self.raw.extend_from_slice(&[1 << 3 | 2, time as u8]);
        for (tag, value) in [(1 << 3, seconds), (2 << 3, nanos)] {
            if value != 0 {
                self.raw.push(tag);
                put_varint(&mut self.raw, value as u64);
            }
        }
        if !line.is_empty() {
            put_bytes(&mut self.raw, 2, line.as_bytes());
        }
        for (name, value) in metadata {
            put_label(&mut self.raw, 3, name, value);
        }
    }

    /// Adds a stream as another request has it, with all its entries, without looking inside. What follows needs a
    /// [`stream`](Batch::stream) of its own.
    pub fn copy_stream(&mut self, stream: &Stream<'_>) {
        self.close();
        let count = stream.raw_entries().flatten().count();
        if count > 0 {
            put_bytes(&mut self.raw, 1, stream.message());
            self.entries += count;
        }
    }

    /// Adds an entry as another request has it, without looking inside.
    pub(super) fn raw_entry(&mut self, entry: &[u8]) {
        self.begin_entry(entry.len());
        self.raw.extend_from_slice(entry);
    }

    fn begin_entry(&mut self, body: usize) {
        if self.open.is_none() {
            self.stream("{}");
        }
        self.raw.reserve(bytes_field_len(body));
        self.raw.push(2 << 3 | 2);
        put_varint(&mut self.raw, body as u64);
        self.entries += 1;
    }

    /// Ends the open stream: writes its length, or takes it away if it has no entries.
    fn close(&mut self) {
        let Some((tag, first_entry)) = self.open.take() else { return };
        if self.raw.len() == first_entry {
            self.raw.truncate(tag);
            return;
        }
        let mut length = self.raw.len() - tag - 1 - LENGTH;
        for place in &mut self.raw[tag + 1..tag + LENGTH] {
            *place = length as u8 | 0x80;
            length >>= 7;
        }
        self.raw[tag + LENGTH] = length as u8;
    }

    /// The request, uncompressed: the record that the log keeps. It stands until the next call; entries can still be
    /// added after another [`Batch::stream`].
    pub fn finish(&mut self) -> &[u8] {
        self.close();
        &self.raw
    }

    /// The request's body as Loki takes it.
    pub fn compressed(&mut self) -> Result<&[u8], TooLarge> {
        self.close();
        self.compressor.compress(&self.raw)
    }
}

/// What a varint field with a one-byte tag takes; zero is left out.
fn field_len(value: i64) -> usize {
    if value == 0 { 0 } else { 1 + varint_len(value as u64) }
}
