//! Reading the kernel's text: lines, fields and numbers, without allocation.

/// What does not read as its documentation says. It becomes a `CollectError` where the file's path is known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    /// `expected` says what would be right, `got` is what is there, cut short.
    pub(crate) fn new(expected: &str, got: &[u8]) -> Self {
        let got = String::from_utf8_lossy(&got[..got.len().min(80)]).into_owned();
        Malformed(format!("expected {expected}, got {got:?}"))
    }
}

/// The lines, without their ends; a last line without an end counts.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

/// The fields of a line: what stands between blanks.
pub(crate) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(|b| matches!(b, b' ' | b'\t')).filter(|field| !field.is_empty())
}

/// A whole number, digits only.
pub(crate) fn integer(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0u64, |sum, b| {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A whole number in hexadecimal, digits only.
pub(crate) fn hex(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0u64, |sum, b| {
        let digit = char::from(*b).to_digit(16)?;
        if sum >> 60 == 0 { Some(sum << 4 | u64::from(digit)) } else { None }
    })
}

/// Any number the kernel writes in decimal, negative ones and fractions included.
pub(crate) fn number(field: &[u8]) -> Option<f64> {
    if let Some(whole) = integer(field) {
        return Some(whole as f64);
    }
    // Rust would also read `inf` and `nan`, which no file of the kernel's means, and hundreds of digits as infinity.
    const LONGEST: usize = 40;
    let decimal = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if field.len() > LONGEST || !field.iter().all(decimal) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The number in `field`, or the error that says what it should be.
pub(crate) fn expect_number(field: Option<&[u8]>, line: &[u8]) -> Result<f64, Malformed> {
    field.and_then(number).ok_or_else(|| Malformed::new("a line of numbers", line))
}

/// Without white space at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_fields() {
        assert_eq!(lines(b"a\n\nb").collect::<Vec<_>>(), [b"a".as_slice(), b"", b"b"]);
        assert_eq!(lines(b"").count(), 0);
        assert_eq!(fields(b"  a\t b ").collect::<Vec<_>>(), [b"a", b"b"]);
    }

    #[test]
    fn numbers() {
        assert_eq!(integer(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(integer(b"18446744073709551616"), None);
        assert_eq!(integer(b"-1"), None);
        assert_eq!(integer(b""), None);
        assert_eq!(number(b"-1"), Some(-1.0));
        assert_eq!(number(b"0.25"), Some(0.25));
        assert_eq!(number(b"18446744073709551616"), Some(18446744073709551616.0));
        assert_eq!(number(&[b'9'; 400]), None);
        for bad in [b"nan".as_slice(), b"inf", b"1e5", b"", b"-", b"1x", b"\xff"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn hexadecimal_numbers() {
        assert_eq!(hex(b"00043Da9"), Some(0x43da9));
        assert_eq!(hex(b"ffffffffffffffff"), Some(u64::MAX));
        for bad in [b"".as_slice(), b"0x1", b"-1", b"1g", b"10000000000000000"] {
            assert_eq!(hex(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_error_is_short_and_says_what_was_there() {
        let error = Malformed::new("three numbers", &[b'x'; 500]).to_string();
        assert!(error.starts_with("expected three numbers, got \"xxx") && error.len() < 130, "{error}");
    }
}
