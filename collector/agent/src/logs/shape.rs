//! How the lines of a source stand in its chunks, and how long they may be.

use taffrail_stages::format::Format;

use super::chunk::MAX_BYTES;

/// The shortest that lines may be cut to: the mark has to fit, with something before it.
const MIN_LINE_BYTES: usize = 128;

/// How the lines of a source stand in its files and chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The records that they are in.
    pub format: Format,
    /// A longer line is cut here, with a mark, in bytes.
    pub max_line: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Shape::new(Format::Plain, MAX_BYTES)
    }
}

impl Shape {
    /// What the config says, as far as a chunk can hold it.
    pub fn new(format: Format, max_line: usize) -> Self {
        Shape { format, max_line: max_line.clamp(MIN_LINE_BYTES, MAX_BYTES - 1) }
    }

    /// The longest line that a file may hold. A record that was cut would be none any longer, so the line in it is.
    pub fn max_raw(&self) -> usize {
        if self.format == Format::Plain { self.max_line } else { MAX_BYTES - 1 }
    }
}

/// Appends the first bytes of a line of `len` bytes, and a mark that says how many are missing: `max` bytes in all.
/// `head` holds at least the first `max` bytes of the line.
pub fn cut(out: &mut Vec<u8>, head: &[u8], len: u64, max: usize) {
    // The mark's own length depends on the number in it, which depends on that length: the longest number decides.
    let room = max - mark(len).len();
    let mut keep = room.min(head.len());
    // Not in the middle of a character: at most three bytes go on with one.
    for _ in 0..3 {
        if keep > 0 && head.get(keep).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {
            keep -= 1;
        }
    }
    out.extend_from_slice(&head[..keep]);
    out.extend_from_slice(mark(len - keep as u64).as_bytes());
}

fn mark(missing: u64) -> String {
    format!(" [taffrail: line cut, {missing} bytes left out]")
}
