//! Pieces of a file: into a buffer, and out of it as the lines of a chunk.

use std::fs::File;
use std::io;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::file::Lines;
use super::lines;
use crate::logs::buffers::{self, CHUNKS};

/// Makes lines of the bytes in `buffer`, which is left empty.
pub(super) fn finish(buffer: &mut Vec<u8>, max: usize) -> Lines {
    let count = lines::count(buffer);
    if lines::any_longer(buffer, max) {
        let (bytes, cuts) = lines::cut_all(buffer, max);
        return Lines { bytes: bytes.into(), count, cuts };
    }
    // A chunk that is mostly full takes the buffer with it; a small one must not keep so much memory alive.
    let bytes = if buffers::fills(buffer.len(), buffer.capacity()) {
        CHUNKS.lend(std::mem::take(buffer))
    } else {
        Bytes::copy_from_slice(buffer)
    };
    buffer.clear();
    Lines { bytes, count, cuts: 0 }
}

/// Fills `buffer` with up to `len` bytes from `offset` on; fewer when the file ends before.
pub(super) fn fill(file: &File, offset: u64, len: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    if buffer.capacity() == 0 {
        *buffer = CHUNKS.take();
    }
    buffer.clear();
    buffer.reserve_exact(len);
    while buffer.len() < len {
        let at = offset + buffer.len() as u64;
        match rustix::io::pread(file, spare_capacity(buffer), at) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    // The capacity may be more than what was asked for.
    buffer.truncate(len);
    Ok(())
}

/// The first offset from `from` on that is not in a hole: what a truncated file is made of up to the writer's place.
pub(super) fn data_after(file: &File, from: u64) -> u64 {
    // Where the file system does not know holes, the NULs are read.
    rustix::fs::seek(file, SeekFrom::Data(from)).unwrap_or(from).max(from)
}
