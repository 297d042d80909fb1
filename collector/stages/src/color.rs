//! Terminal colours and other control sequences, as ECMA-48 writes them (`ESC [ 31 m`), removed.

use std::borrow::Cow;

const ESC: u8 = 0x1b;

/// The text without its control sequences; borrowed where there are none.
///
/// Removed are CSI sequences (`ESC [` up to a byte from `@` to `~`) and OSC sequences (`ESC ]` up to BEL or `ESC \`).
/// A sequence that does not end within the text stays as it is: it is more likely data than colour.
pub fn strip(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let Some(first) = memchr::memchr(ESC, bytes) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let (mut from, mut at) = (0, first);
    loop {
        if let Some(length) = sequence(&bytes[at..]) {
            // Both ends are beside ASCII bytes, so they are borders of characters.
            out.push_str(&text[from..at]);
            from = at + length;
            at = from;
        } else {
            at += 1;
        }
        match memchr::memchr(ESC, &bytes[at..]) {
            Some(next) => at += next,
            None => break,
        }
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// The length of the sequence that the bytes begin with.
fn sequence(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'[' => {
            let end = bytes.iter().skip(2).position(|byte| !(0x20..=0x3f).contains(byte))? + 2;
            (0x40..=0x7e).contains(&bytes[end]).then_some(end + 1)
        }
        b']' => {
            let end = memchr::memchr2(0x07, ESC, bytes.get(2..)?)? + 2;
            match bytes[end] {
                ESC => (bytes.get(end + 1) == Some(&b'\\')).then_some(end + 2),
                _ => Some(end + 1),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_all_else_stays() {
        for (text, plain) in [
            ("", ""),
            ("plain", "plain"),
            ("\x1b[31merror\x1b[0m: it broke", "error: it broke"),
            ("\x1b[1;38;5;196mä\x1b[m", "ä"),
            ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x07!", "link!"),
            ("\x1b[2K\x1b[1Gprogress", "progress"),
            // Not a sequence, or not a whole one.
            ("\x1b", "\x1b"),
            ("\x1b[", "\x1b["),
            ("\x1b[31", "\x1b[31"),
            ("\x1b[3ä", "\x1b[3ä"),
            ("\x1b]8;;open", "\x1b]8;;open"),
            ("\x1b\x1b[0mx", "\x1bx"),
        ] {
            assert_eq!(strip(text), plain, "{text:?}");
        }
    }

    #[test]
    fn a_line_without_them_is_not_copied() {
        assert!(matches!(strip("\x1bx plain"), Cow::Borrowed(_)));
    }
}
