//! Private keys in PEM (RFC 7468) and PGP's armour, in one text or over many lines.

use memchr::memmem;

use super::{Found, Kind};

/// The longest key in lines: RSA of 16,384 bits takes about 200.
const MAX_LINES: u32 = 256;
/// How many lines in a row may be none of the key's before it counts as over: other threads write between.
const MAX_STRANGE: u32 = 3;

/// Whether a stream is within a private key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    lines_left: u32,
    strange: u32,
}

impl Block {
    /// Whether the next entry may be a part of the key.
    pub fn is_open(self) -> bool {
        self.lines_left > 0
    }

    /// A text behind the key's first line.
    pub(super) fn go_on(&mut self, text: &[u8], found: &mut Vec<Found>) {
        self.lines_left -= 1;
        let trimmed = text.trim_ascii();
        if let Some(end) = end_of_block(text, 0) {
            let start = memmem::find(text, b"-----END").unwrap_or(0);
            // A body that is in one text with the end; else only the end's own words, which say nothing.
            if is_body(text[..start].trim_ascii()) {
                found.push(Found::of(Kind::PrivateKey, 0, end));
            }
            *self = Self::default();
        } else if is_body(trimmed) {
            self.strange = 0;
            let start = text.len() - text.trim_ascii_start().len();
            found.push(Found::of(Kind::PrivateKey, start, start + trimmed.len()));
        } else {
            // A header of an encrypted key, or an empty line behind it, is a line of the key but no secret.
            let header =
                trimmed.is_empty() || trimmed.starts_with(b"Proc-Type:") || trimmed.starts_with(b"DEK-Info:");
            self.strange += u32::from(!header);
            if self.strange >= MAX_STRANGE {
                *self = Self::default();
            }
        }
    }
}

/// Whether a text is base64 alone.
fn is_body(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r'))
}

/// Where the line `-----END … -----` ends, from `from` on.
fn end_of_block(text: &[u8], from: usize) -> Option<usize> {
    let end = from + memmem::find(&text[from..], b"-----END")? + 8;
    Some(memmem::find(&text[end..], b"-----").map_or(text.len(), |length| end + length + 5))
}

/// The key whose first line holds the words `PRIVATE KEY` at `at`. Without an end it goes to the text's end and on.
pub(super) fn begin(text: &[u8], at: usize, block: &mut Block) -> Option<Found> {
    let before = &text[..at];
    let start = memmem::rfind(&before[before.len().saturating_sub(40)..], b"-----BEGIN ")?;
    let start = before.len().saturating_sub(40) + start;
    let words = &before[start + 11..];
    let behind = text[at + 11..].strip_prefix(b" BLOCK").unwrap_or(&text[at + 11..]);
    if !words.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ') || !behind.starts_with(b"-----") {
        return None;
    }
    let end = end_of_block(text, at);
    if end.is_none() {
        *block = Block { lines_left: MAX_LINES, strange: 0 };
    }
    Some(Found::of(Kind::PrivateKey, start, end.unwrap_or(text.len())))
}
