//! Integers in records.

/// Appends an integer as LEB128.
#[inline]
pub fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// The integer with which `bytes` begin, which then begin behind it.
#[inline]
pub fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    while shift < 64 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
    None
}

/// Appends bytes behind their length.
pub fn put(list: &mut Vec<u8>, bytes: &[u8]) {
    varint(list, bytes.len() as u64);
    list.extend_from_slice(bytes);
}

/// The sign in the lowest bit.
#[inline]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Undoes [`zigzag`].
#[inline]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
