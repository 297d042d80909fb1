//! One column of one row, in the binary form that the server sends ("Frontend/Backend Protocol", and each type's `*send`
//! function in `src/backend/utils/adt`).

use std::borrow::Cow;
use std::error::Error;

use taffrail_core::label;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Kind, Type};

/// Seconds from 1970-01-01, where time begins here, to 2000-01-01, where it begins there.
const EPOCH: f64 = 946_684_800.0;

/// The bytes of a column, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A column's type and bytes; none of NULL.
fn raw(row: &Row, column: usize) -> Option<(&Type, &[u8])> {
    let bytes = row.try_get::<_, Option<Raw<'_>>>(column).ok()??;
    Some((base(row.columns().get(column)?.type_()), bytes.0))
}

/// The type under a domain, which is sent as that is.
fn base(mut kind: &Type) -> &Type {
    while let Kind::Domain(inner) = kind.kind() {
        kind = inner;
    }
    kind
}

/// Whether a column of this type can be a number.
pub fn may_be_number(kind: &Type) -> bool {
    const NUMBERS: [Type; 16] = [
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::OID,
        Type::XID,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::BOOL,
        Type::NUMERIC,
        Type::TIMESTAMP,
        Type::TIMESTAMPTZ,
        Type::INTERVAL,
        Type::TEXT,
        Type::VARCHAR,
        Type::BPCHAR,
        Type::UNKNOWN,
    ];
    NUMBERS.contains(base(kind))
}

/// Whether a column of this type can be a label's value.
pub fn may_be_text(kind: &Type) -> bool {
    const TEXTS: [Type; 4] = [Type::NAME, Type::CHAR, Type::JSON, Type::XML];
    let kind = base(kind);
    may_be_number(kind) || TEXTS.contains(kind) || matches!(kind.kind(), Kind::Enum(_))
}

/// Whether a column of this type is a list of numbers.
pub fn may_be_numbers(kind: &Type) -> bool {
    matches!(base(kind).kind(), Kind::Array(item) if may_be_number(item))
}

/// Whether the column is NULL.
pub fn is_null(row: &Row, column: usize) -> bool {
    raw(row, column).is_none()
}

/// Whether the column is not a number, in so many words.
pub fn is_nan(row: &Row, column: usize) -> bool {
    raw(row, column).and_then(|(kind, bytes)| read_number(kind, bytes)).is_some_and(f64::is_nan)
}

/// The column as a list of numbers (`array_send`), of one dimension; none of what is no such list or has no number
/// somewhere.
pub fn numbers(row: &Row, column: usize) -> Option<Vec<f64>> {
    let (kind, bytes) = raw(row, column)?;
    let Kind::Array(item) = kind.kind() else { return None };
    read_array(base(item), bytes)
}

fn read_array(item: &Type, bytes: &[u8]) -> Option<Vec<f64>> {
    let word = |at: usize| Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    match word(0)? {
        0 => return Some(Vec::new()),
        1 => {}
        _ => return None,
    }
    // Behind the number of dimensions: whether there are NULLs, the items' type, how many they are, and the first's index.
    let mut at = 20;
    let mut numbers = Vec::new();
    for _ in 0..word(12)? {
        let length = usize::try_from(word(at)?).ok()?;
        numbers.push(read_number(item, bytes.get(at + 4..at + 4 + length)?)?);
        at += 4 + length;
    }
    Some(numbers)
}

/// The column as a number; none of NULL, NaN and what is no number.
pub fn number(row: &Row, column: usize) -> Option<f64> {
    let (kind, bytes) = raw(row, column)?;
    read_number(kind, bytes).filter(|value| !value.is_nan())
}

/// The column as text for a label; NULL is empty, as is what cannot be shown.
pub fn text(row: &Row, column: usize) -> Cow<'_, str> {
    raw(row, column).and_then(|(kind, bytes)| read_text(kind, bytes)).unwrap_or_default()
}

fn read_number(kind: &Type, bytes: &[u8]) -> Option<f64> {
    Some(match *kind {
        Type::INT2 => f64::from(i16::from_be_bytes(bytes.try_into().ok()?)),
        Type::INT4 => f64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
        Type::INT8 => i64::from_be_bytes(bytes.try_into().ok()?) as f64,
        Type::OID | Type::XID => f64::from(u32::from_be_bytes(bytes.try_into().ok()?)),
        Type::FLOAT4 => f64::from(f32::from_be_bytes(bytes.try_into().ok()?)),
        Type::FLOAT8 => f64::from_be_bytes(bytes.try_into().ok()?),
        Type::BOOL => f64::from(u8::from(bytes.first()? != &0)),
        Type::NUMERIC => numeric(bytes)?,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            EPOCH + i64::from_be_bytes(bytes.try_into().ok()?) as f64 / 1e6
        }
        Type::INTERVAL => interval(bytes)?,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::UNKNOWN => {
            std::str::from_utf8(bytes).ok()?.trim().parse().ok()?
        }
        _ => return None,
    })
}

fn read_text<'a>(kind: &Type, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    match *kind {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON | Type::XML => {
            Some(label::value(bytes))
        }
        Type::CHAR => Some(label::value(bytes)),
        Type::BOOL => Some(Cow::Borrowed(if bytes.first()? == &0 { "false" } else { "true" })),
        // An integer keeps all its digits, which a float would not.
        Type::INT8 => Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string().into()),
        _ => match read_number(kind, bytes) {
            Some(number) => Some(number.to_string().into()),
            // An enumeration, a domain over text: the server sends the text.
            None => std::str::from_utf8(bytes).ok().map(|_| label::value(bytes)),
        },
    }
}

/// `numeric`: groups of four digits with a weight (`numeric_send`).
fn numeric(bytes: &[u8]) -> Option<f64> {
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (digits, weight, sign) = (words.next()?, words.next()? as i16, words.next()?);
    let _scale = words.next()?;
    match sign {
        0 | 0x4000 => {}
        0xd000 => return Some(f64::INFINITY),
        0xf000 => return Some(f64::NEG_INFINITY),
        _ => return Some(f64::NAN),
    }
    let mut value = 0.0;
    for (place, group) in words.take(usize::from(digits)).enumerate() {
        value += f64::from(group) * 10_000_f64.powi(i32::from(weight) - place as i32);
    }
    Some(if sign == 0x4000 { -value } else { value })
}

/// `interval`: microseconds, days and months (`interval_send`), in seconds; a month has 30 days.
fn interval(bytes: &[u8]) -> Option<f64> {
    let micros = i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let days = i32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    let months = i32::from_be_bytes(bytes.get(12..16)?.try_into().ok()?);
    Some(micros as f64 / 1e6 + 86_400.0 * (f64::from(days) + 30.0 * f64::from(months)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_kind_are_read() {
        assert_eq!(read_number(&Type::INT8, &(-7_i64).to_be_bytes()), Some(-7.0));
        assert_eq!(read_number(&Type::OID, &u32::MAX.to_be_bytes()), Some(4_294_967_295.0));
        assert_eq!(read_number(&Type::BOOL, &[1]), Some(1.0));
        assert_eq!(read_number(&Type::TIMESTAMPTZ, &0_i64.to_be_bytes()), Some(EPOCH));
        assert_eq!(read_number(&Type::TEXT, b" 1.5e3 "), Some(1500.0));
        assert_eq!(read_number(&Type::TEXT, b"many"), None);
        // 12345.678 is 1 | 2345 | 6780, the first with weight 1.
        let parts: [u16; 7] = [3, 1, 0, 3, 1, 2345, 6780];
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_be_bytes()).collect();
        assert!((read_number(&Type::NUMERIC, &bytes).unwrap() - 12_345.678).abs() < 1e-9);
        let nan: Vec<u8> = [0_u16, 0, 0xc000, 0].iter().flat_map(|part| part.to_be_bytes()).collect();
        assert!(read_number(&Type::NUMERIC, &nan).unwrap().is_nan());
        let mut month = [0; 16];
        month[15] = 1;
        assert_eq!(read_number(&Type::INTERVAL, &month), Some(2_592_000.0));
        assert_eq!(read_number(&Type::INT8, &[1]), None, "too short");
    }

    #[test]
    fn lists_of_numbers_are_read() {
        let mut bytes: Vec<u8> =
            [1, 0, 700, 2, 1].into_iter().flat_map(|word: i32| word.to_be_bytes()).collect();
        for value in [0.5_f32, 2.0] {
            bytes.extend(4_i32.to_be_bytes());
            bytes.extend(value.to_be_bytes());
        }
        assert_eq!(read_array(&Type::FLOAT4, &bytes), Some(vec![0.5, 2.0]));
        assert_eq!(read_array(&Type::FLOAT4, &bytes[..26]), None, "cut off");
        assert_eq!(read_array(&Type::FLOAT4, &[0; 12]), Some(Vec::new()));
        let null = [1_i32, 1, 700, 1, 1, -1].into_iter().flat_map(i32::to_be_bytes).collect::<Vec<u8>>();
        assert_eq!(read_array(&Type::FLOAT4, &null), None);
    }

    #[test]
    fn labels_keep_their_digits() {
        assert_eq!(read_text(&Type::INT8, &i64::MIN.to_be_bytes()).unwrap(), "-9223372036854775808");
        assert_eq!(read_text(&Type::NAME, b"a\xffb").unwrap(), "a\u{fffd}b");
        assert_eq!(read_text(&Type::OID, &5_u32.to_be_bytes()).unwrap(), "5");
        assert_eq!(read_text(&Type::BOOL, &[0]).unwrap(), "false");
    }
}
