//! The lines of a chunk.

use std::borrow::Cow;

/// The lines of a chunk, without their ends; bytes that are not UTF-8 are replaced.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    // Checked once for all: most chunks are clean.
    let clean = std::str::from_utf8(body).ok();
    let mut start = 0;
    let mut ends = memchr::memchr_iter(b'\n', body).chain(std::iter::once(body.len()));
    std::iter::from_fn(move || {
        let end = ends.next()?;
        let mut to = end;
        if to > start && body[to - 1] == b'\r' {
            to -= 1;
        }
        let line = match clean {
            Some(text) => Cow::Borrowed(&text[start..to]),
            None => String::from_utf8_lossy(&body[start..to]),
        };
        start = end + 1;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_their_ends_and_nothing_else() {
        let all = |bytes| lines(bytes).map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!(all(b"a\r\n\nb"), ["a", "", "b"]);
        assert_eq!(all(b"a\n\xffb\n"), ["a", "\u{fffd}b"]);
        assert_eq!(all("é\nü\n".as_bytes()), ["é", "ü"]);
    }
}
