//! The protobuf wire format, as far as Taffrail needs it: varints, fixed 64-bit numbers, and fields with a length.
//!
//! See <https://protobuf.dev/programming-guides/encoding/>. Writing goes to a `Vec<u8>` that the caller reuses; reading
//! borrows.

use thiserror::Error;

/// What is wrong with bytes that should be a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtoError {
    /// A field says it is longer than the message.
    #[error("protobuf: the message ends inside a field")]
    Truncated,
    /// A varint of more than ten bytes.
    #[error("protobuf: a varint is longer than 64 bits")]
    Varint,
    /// A field number of 0, or a wire type that does not exist or does not fit the field.
    #[error("protobuf: field {field} has the wire type {wire}, which does not fit it")]
    WireType {
        /// The field's number.
        field: u64,
        /// The wire type read.
        wire: u8,
    },
    /// A string field that is not UTF-8.
    #[error("protobuf: field {field} is not UTF-8")]
    Utf8 {
        /// The field's number.
        field: u64,
    },
    /// A timestamp that nanoseconds since 1970 in 64 bits cannot hold.
    #[error("protobuf: the timestamp is outside the years 1678 to 2262")]
    Timestamp,
}

/// How many bytes `value` takes as a varint: 1 to 10.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // 7 bits a byte; `| 1` makes zero take one byte.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends `value` as a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes a field with a length takes: its one-byte tag, the length, and the bytes.
#[inline]
pub const fn bytes_field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Appends a field with a length; `field` is at most 15, so that its tag is one byte.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1, as read: little endian.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// One field of a message: its number and value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// The field's number.
    pub number: u64,
    /// Its value.
    pub value: Value<'a>,
}

impl<'a> Field<'a> {
    /// The bytes of a field that has a length.
    pub fn bytes(self) -> Result<&'a [u8], ProtoError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(ProtoError::WireType { field: self.number, wire: other.wire() }),
        }
    }

    /// The text of a string field.
    pub fn text(self) -> Result<&'a str, ProtoError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| ProtoError::Utf8 { field: self.number })
    }

    /// The number of an integer field that is a varint.
    pub fn varint(self) -> Result<u64, ProtoError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            other => Err(ProtoError::WireType { field: self.number, wire: other.wire() }),
        }
    }
}

impl Value<'_> {
    pub(crate) fn wire(self) -> u8 {
        match self {
            Value::Varint(_) => 0,
            Value::Fixed64(_) => 1,
            Value::Bytes(_) => 2,
            Value::Fixed32(_) => 5,
        }
    }
}

/// The varint with which `bytes` begin, and what is behind it.
pub(crate) fn read_varint(bytes: &[u8]) -> Result<(u64, &[u8]), ProtoError> {
    let mut fields = Fields { rest: bytes };
    let value = fields.varint()?;
    Ok((value, fields.rest))
}

/// Walks the fields of a message. After an error it is at its end.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub fn new(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, ProtoError> {
        // Tags, and most lengths, are one byte.
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, ProtoError> {
        let mut value = 0u64;
        for (i, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { ProtoError::Truncated } else { ProtoError::Varint })
    }

    #[inline]
    fn take(&mut self, len: u64) -> Result<&'a [u8], ProtoError> {
        let len = usize::try_from(len).map_err(|_| ProtoError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ProtoError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn field(&mut self) -> Result<Field<'a>, ProtoError> {
        let tag = self.varint()?;
        let (number, wire) = (tag >> 3, (tag & 7) as u8);
        let value = match wire {
            _ if number == 0 => return Err(ProtoError::WireType { field: number, wire }),
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(le(self.take(8)?)),
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            5 => Value::Fixed32(le(self.take(4)?) as u32),
            // 3 and 4 are groups, which proto3 does not have.
            _ => return Err(ProtoError::WireType { field: number, wire }),
        };
        Ok(Field { number, value })
    }
}

fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, ProtoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_have_the_length_foretold() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = vec![1 << 3];
                put_varint(&mut out, value);
                assert_eq!(out.len(), 1 + varint_len(value), "{value}");
                let field = Fields::new(&out).next().unwrap().unwrap();
                assert_eq!(field, Field { number: 1, value: Value::Varint(value) });
            }
        }
    }

    #[test]
    fn broken_messages_are_errors_and_end() {
        let cases: [(&[u8], ProtoError); 6] = [
            (&[0x0a, 5, 1], ProtoError::Truncated),
            (&[0x0a], ProtoError::Truncated),
            (&[0x08, 0x80], ProtoError::Truncated),
            (&[0xff; 12], ProtoError::Varint),
            (&[0x00, 1], ProtoError::WireType { field: 0, wire: 0 }),
            (&[0x0b], ProtoError::WireType { field: 1, wire: 3 }),
        ];
        for (bytes, error) in cases {
            let mut fields = Fields::new(bytes);
            assert_eq!(fields.next(), Some(Err(error)), "{bytes:?}");
            assert_eq!(fields.next(), None);
        }
    }

    #[test]
    fn a_field_of_another_type_is_said() {
        let field = Fields::new(&[0x09, 1, 0, 0, 0, 0, 0, 0, 0]).next().unwrap().unwrap();
        assert_eq!(field.value, Value::Fixed64(1));
        assert_eq!(field.text(), Err(ProtoError::WireType { field: 1, wire: 1 }));
        assert_eq!(field.varint(), Err(ProtoError::WireType { field: 1, wire: 1 }));
        let field = Fields::new(&[0x0a, 1, 0xff]).next().unwrap().unwrap();
        assert_eq!(field.text(), Err(ProtoError::Utf8 { field: 1 }));
    }
}
