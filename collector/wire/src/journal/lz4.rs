//! Blocks of LZ4, as <https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md> describes them.

/// The shortest repetition.
const LEAST: usize = 4;

/// Unpacks the first `most` bytes of a block, or all of it if it is shorter, or as much as a block that is cut short has.
/// `None` when it is no block.
pub fn lz4_prefix(mut block: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(most.min(block.len().saturating_mul(4)));
    while let Some((token, rest)) = block.split_first() {
        block = rest;
        let Some(literals) = length(token >> 4, &mut block) else { break };
        let take = literals.min(block.len()).min(most - out.len());
        out.extend_from_slice(&block[..take]);
        // The last sequence of a block has no repetition.
        if out.len() >= most || literals >= block.len() {
            break;
        }
        block = &block[literals..];
        let Some((back, rest)) = block.split_first_chunk() else { break };
        let back = usize::from(u16::from_le_bytes(*back));
        block = rest;
        let Some(more) = length(token & 15, &mut block) else { break };
        if back == 0 || back > out.len() {
            return None;
        }
        let from = out.len() - back;
        let len = (more + LEAST).min(most - out.len());
        if back >= len {
            out.extend_from_within(from..from + len);
        } else {
            // It repeats what it is writing.
            for at in from..from + len {
                out.push(out[at]);
            }
        }
    }
    Some(out)
}

/// A length that goes on in further bytes when its four bits are full. `None` when the block ends before it does.
fn length(nibble: u8, block: &mut &[u8]) -> Option<usize> {
    let mut len = usize::from(nibble);
    if nibble < 15 {
        return Some(len);
    }
    loop {
        let (byte, rest) = block.split_first()?;
        *block = rest;
        len = len.checked_add(usize::from(*byte))?;
        if *byte < 255 {
            return Some(len);
        }
    }
}
