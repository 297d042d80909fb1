//! Memory for large pieces of logs, used again and again.
//!
//! Who fills a buffer gives it away as it is, without a copy, and goes on in another one that came back.

use std::sync::Mutex;

use bytes::Bytes;

use crate::status::lock;

/// The chunks that sources read.
pub(crate) static CHUNKS: Buffers = Buffers::new(8);
/// The records of the logs' log.
pub(crate) static RECORDS: Buffers = Buffers::new(4);

/// A larger buffer is not kept.
const MAX_BYTES: usize = 1 << 20;

/// Buffers that wait to be used again: a bounded number, the rest is given back.
#[derive(Debug)]
pub(crate) struct Buffers {
    most: usize,
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    const fn new(most: usize) -> Self {
        Buffers { most, free: Mutex::new(Vec::new()) }
    }

    /// An empty buffer, with memory if there is one that waits.
    pub(crate) fn take(&self) -> Vec<u8> {
        lock(&self.free).pop().unwrap_or_default()
    }

    /// What the buffer holds; when nobody has it any longer, the buffer waits to be used again.
    pub(crate) fn lend(&'static self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, owner: self })
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        let mut free = lock(&self.free);
        if free.len() < self.most && buffer.capacity() <= MAX_BYTES {
            buffer.clear();
            free.push(buffer);
        }
    }
}

struct Lent {
    buffer: Vec<u8>,
    owner: &'static Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.owner.give_back(std::mem::take(&mut self.buffer));
    }
}

/// Whether bytes may keep the whole of a buffer alive: a small piece must not, as many of them may wait for long.
pub(crate) fn fills(len: usize, capacity: usize) -> bool {
    len * 2 > capacity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_the_last_one_has_gone() {
        static BUFFERS: Buffers = Buffers::new(1);
        let lent = BUFFERS.lend(b"some bytes".to_vec());
        let place = lent.as_ptr();
        let part = lent.slice(5..);
        drop(lent);
        assert_eq!(BUFFERS.take().capacity(), 0, "somebody still has a part");
        assert_eq!(part, "bytes");
        drop(part);
        let again = BUFFERS.take();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        assert_eq!(BUFFERS.take().capacity(), 0);
    }

    #[test]
    fn no_more_wait_than_are_wanted_and_none_that_is_large() {
        static BUFFERS: Buffers = Buffers::new(2);
        drop(BUFFERS.lend(vec![0; MAX_BYTES + 1]));
        assert_eq!(BUFFERS.free.lock().unwrap().len(), 0);
        let lent = [1, 2, 3].map(|len| BUFFERS.lend(vec![0; len]));
        drop(lent);
        assert_eq!(BUFFERS.free.lock().unwrap().len(), 2);
    }
}
