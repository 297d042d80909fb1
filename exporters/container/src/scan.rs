//! Reading the kernel's text: lines, pairs and numbers, without allocation.

use taffrail_core::label;

/// What does not read as its documentation says. It becomes a `CollectError` where the file's path is known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    /// `expected` says what would be right, `got` is what is there, cut short.
    pub(crate) fn new(expected: &str, got: &[u8]) -> Self {
        Malformed(format!("expected {expected}, got {:?}", label::value(&got[..got.len().min(80)])))
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

/// The one number that a file holds.
pub(crate) fn single(bytes: &[u8]) -> Result<f64, Malformed> {
    let number = integer(bytes.trim_ascii());
    number.map(|number| number as f64).ok_or_else(|| Malformed::new("one whole number", bytes))
}

/// The number that a file holds, or none where it says `max` or, with a minus sign, that there is no limit.
pub(crate) fn limit(bytes: &[u8]) -> Result<Option<u64>, Malformed> {
    let text = bytes.trim_ascii();
    if text == b"max" || text.starts_with(b"-") {
        return Ok(None);
    }
    let number = integer(text).ok_or_else(|| Malformed::new("a whole number or `max`", bytes))?;
    Ok(Some(number))
}

/// Calls `each` with the name and number of every line `name number`. A line of another form is an error: these files
/// have none.
pub(crate) fn pairs(bytes: &[u8], mut each: impl FnMut(&[u8], f64)) -> Result<(), Malformed> {
    for line in lines(bytes) {
        let blank = memchr::memchr(b' ', line);
        let pair = blank.and_then(|at| Some((&line[..at], integer(line[at + 1..].trim_ascii())?)));
        let (name, number) = pair.ok_or_else(|| Malformed::new("`name number`", line))?;
        each(name, number as f64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(single(b"12\n"), Ok(12.0));
        assert_eq!(single(b"18446744073709551615\n"), Ok(u64::MAX as f64));
        assert_eq!(limit(b"max\n"), Ok(None));
        assert_eq!(limit(b"-1\n"), Ok(None));
        assert_eq!(limit(b"7\n"), Ok(Some(7)));
        for bad in [b"".as_slice(), b"x\n", b"1 2\n", b"18446744073709551616", b"0x1", b"\xff"] {
            assert!(single(bad).is_err() && limit(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pairs_of_names_and_numbers() {
        let mut seen = Vec::new();
        pairs(b"anon 1\nfile 22", |name, number| seen.push((name.to_vec(), number))).unwrap();
        assert_eq!(seen, [(b"anon".to_vec(), 1.0), (b"file".to_vec(), 22.0)]);
        for bad in [b"anon".as_slice(), b"anon x\n", b"\n", b"anon 1\nfile -1\n"] {
            assert!(pairs(bad, |_, _| {}).is_err(), "{bad:?}");
        }
        let error = pairs(&[b'x'; 500], |_, _| {}).unwrap_err().to_string();
        assert!(error.starts_with("expected `name number`, got \"xxx") && error.len() < 140, "{error}");
    }
}
