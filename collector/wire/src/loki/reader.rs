//! Walking a push request without copying it.

use crate::proto::{Fields, ProtoError, read_varint};
use crate::remote_write::read_label;

/// The streams of an uncompressed push request, in their order.
pub fn streams(request: &[u8]) -> Streams<'_> {
    Streams { fields: Fields::new(request) }
}

/// How many entries a request has; it is read to its end, but not into its entries.
pub fn count_entries(request: &[u8]) -> Result<usize, ProtoError> {
    streams(request).try_fold(0, |sum, stream| Ok(sum + stream?.entry_count()?))
}

/// Iterator over the streams of a request; ends after an error.
#[derive(Clone, Debug)]
pub struct Streams<'a> {
    fields: Fields<'a>,
}

/// One stream of a request.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// The label set in Loki's syntax; [`parse_label_set`](super::parse_label_set) takes it apart.
    pub labels: &'a str,
    message: &'a [u8],
}

impl<'a> Stream<'a> {
    /// The stream's entries, in their order.
    pub fn entries(&self) -> Entries<'a> {
        Entries { fields: Fields::new(self.message) }
    }

    /// The time and size of each entry, without a look at the rest.
    pub fn outlines(&self) -> impl Iterator<Item = Result<Outline, ProtoError>> + use<'a> {
        self.raw_entries().map(|message| Outline::read(message?))
    }

    /// The size of all entries in the request, in bytes, without their tags and lengths: the sum of
    /// [`Outline::raw_len`]. What cannot be read counts for nothing.
    pub fn entries_len(&self) -> usize {
        self.raw_entries().flatten().map(<[u8]>::len).sum()
    }

    /// The whole stream as it stands in the request.
    pub(super) fn message(&self) -> &'a [u8] {
        self.message
    }

    /// The entries' messages as they stand in the request.
    pub(super) fn raw_entries(&self) -> impl Iterator<Item = Result<&'a [u8], ProtoError>> + use<'a> {
        Fields::new(self.message).filter_map(|field| match field {
            Ok(field) => (field.number == 2).then(|| field.bytes()),
            Err(error) => Some(Err(error)),
        })
    }

    fn entry_count(&self) -> Result<usize, ProtoError> {
        self.raw_entries().try_fold(0, |sum, entry| entry.map(|_| sum + 1))
    }
}

impl<'a> Iterator for Streams<'a> {
    type Item = Result<Stream<'a>, ProtoError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let field = match self.fields.next()? {
                Ok(field) => field,
                Err(error) => return Some(Err(error)),
            };
            if field.number == 1 {
                return Some(field.bytes().and_then(stream));
            }
        }
    }
}

/// The labels come first in what we and everybody else write, so this reads one field; in any order it is right.
fn stream(message: &[u8]) -> Result<Stream<'_>, ProtoError> {
    for field in Fields::new(message) {
        let field = field?;
        if field.number == 1 {
            return Ok(Stream { labels: field.text()?, message });
        }
    }
    Ok(Stream { labels: "", message })
}

/// What can be told of an entry at little cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Nanoseconds since 1970.
    pub ts_ns: i64,
    /// The entry's size in the request, in bytes, without its tag and length.
    pub raw_len: usize,
}

impl Outline {
    fn read(message: &[u8]) -> Result<Self, ProtoError> {
        // The time comes first in what we and everybody else write; in any order it is found.
        for field in Fields::new(message) {
            let field = field?;
            if field.number == 1 {
                return Ok(Outline { ts_ns: timestamp(field.bytes()?)?, raw_len: message.len() });
            }
        }
        Ok(Outline { ts_ns: 0, raw_len: message.len() })
    }
}

/// Iterator over the entries of a stream; ends after an error in the stream, goes on after one inside an entry.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    fields: Fields<'a>,
}

/// One entry of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Nanoseconds since 1970.
    pub ts_ns: i64,
    /// The line, without its line end.
    pub line: &'a str,
    message: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The entry's structured metadata, in its order.
    pub fn metadata(&self) -> Metadata<'a> {
        Metadata { fields: Fields::new(self.message) }
    }

    /// The entry's size in the request, in bytes, without its tag and length.
    pub fn raw_len(&self) -> usize {
        self.message.len()
    }

    pub(super) fn read(message: &'a [u8]) -> Result<Self, ProtoError> {
        let mut entry = Entry { ts_ns: 0, line: "", message };
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => entry.ts_ns = timestamp(field.bytes()?)?,
                2 => entry.line = field.text()?,
                _ => {}
            }
        }
        Ok(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, ProtoError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let field = match self.fields.next()? {
                Ok(field) => field,
                Err(error) => return Some(Err(error)),
            };
            if field.number == 2 {
                return Some(field.bytes().and_then(Entry::read));
            }
        }
    }
}

/// `google.protobuf.Timestamp` in nanoseconds.
pub(super) fn timestamp(message: &[u8]) -> Result<i64, ProtoError> {
    usual_timestamp(message).map_or_else(|| any_timestamp(message), Ok)
}

/// One as encoders write it: the seconds, then the nanoseconds if there are some, and nothing else.
fn usual_timestamp(message: &[u8]) -> Option<i64> {
    let (seconds, rest) = read_varint(message.strip_prefix(&[1 << 3])?).ok()?;
    let nanos = match rest {
        [] => 0,
        [tag, rest @ ..] => {
            let (nanos, rest) = read_varint(rest).ok()?;
            (*tag == 2 << 3 && rest.is_empty()).then_some(nanos as i32)?
        }
    };
    (seconds as i64).checked_mul(1_000_000_000)?.checked_add(i64::from(nanos))
}

fn any_timestamp(message: &[u8]) -> Result<i64, ProtoError> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => seconds = field.varint()? as i64,
            // An int32, which protobuf extends to 64 bits and readers cut.
            2 => nanos = i64::from(field.varint()? as i32),
            _ => {}
        }
    }
    // In 128 bits, because just before the earliest time the seconds alone are out of range and the sum is not.
    i64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).map_err(|_| ProtoError::Timestamp)
}

/// Iterator over an entry's structured metadata, pairs of name and value; ends after an error.
#[derive(Clone, Debug)]
pub struct Metadata<'a> {
    fields: Fields<'a>,
}

impl<'a> Iterator for Metadata<'a> {
    type Item = Result<(&'a str, &'a str), ProtoError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let field = match self.fields.next()? {
                Ok(field) => field,
                Err(error) => return Some(Err(error)),
            };
            if field.number == 3 {
                return Some(field.bytes().and_then(read_label));
            }
        }
    }
}
