//! Buffers of pages. Large ones come straight from the kernel and go straight back: an allocator may keep what one page
//! has left, while the next pages take more.

use std::io;
use std::ops::Deref;

use memmap2::MmapMut;

/// Up to so many bytes, the allocator's own memory is used.
const SMALL: usize = 1 << 20;

/// Bytes that are added at the end.
#[derive(Debug)]
pub struct Buffer {
    memory: Memory,
    length: usize,
}

#[derive(Debug)]
enum Memory {
    Small(Vec<u8>),
    /// What nothing was written to yet takes up no memory.
    Large(MmapMut),
}

impl Memory {
    fn new(capacity: usize) -> Result<Self, String> {
        if capacity <= SMALL {
            return Ok(Memory::Small(vec![0; capacity]));
        }
        let map = MmapMut::map_anon(capacity);
        map.map(Memory::Large).map_err(|error| format!("no memory for a page of {capacity} bytes: {error}"))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Memory::Small(bytes) => bytes,
            Memory::Large(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Memory::Small(bytes) => bytes,
            Memory::Large(bytes) => bytes,
        }
    }
}

impl Buffer {
    /// An empty buffer for so many bytes.
    pub fn new(capacity: usize) -> Result<Self, String> {
        Ok(Buffer { memory: Memory::new(capacity)?, length: 0 })
    }

    /// How many bytes it can have.
    pub fn capacity(&self) -> usize {
        self.memory.bytes().len()
    }

    /// Makes it one for so many bytes, at least as many as it has.
    pub fn grow(&mut self, capacity: usize) -> Result<(), String> {
        let mut memory = Memory::new(capacity.max(self.length))?;
        memory.bytes_mut()[..self.length].copy_from_slice(self);
        self.memory = memory;
        Ok(())
    }

    /// Adds bytes, for which there has to be capacity: the rest is left out.
    pub fn add(&mut self, bytes: &[u8]) {
        let free = &mut self.memory.bytes_mut()[self.length..];
        let count = bytes.len().min(free.len());
        free[..count].copy_from_slice(&bytes[..count]);
        self.length += count;
    }

    /// Reads until it is full, or to the end, and tells whether that came.
    pub fn fill(&mut self, from: &mut impl io::Read) -> io::Result<bool> {
        while self.length < self.capacity() {
            match from.read(&mut self.memory.bytes_mut()[self.length..]) {
                Ok(0) => return Ok(true),
                Ok(count) => self.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory.bytes()[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_was_added_while_it_grows() {
        let mut buffer = Buffer::new(0).unwrap();
        assert!(buffer.is_empty());
        for capacity in [3, 2 * SMALL, 3 * SMALL] {
            buffer.grow(capacity).unwrap();
            buffer.add(b"abc");
            assert!(buffer.capacity() == capacity && buffer.starts_with(b"abc"));
        }
        assert_eq!(&*buffer, b"abcabcabc");
        buffer.grow(1).unwrap();
        assert_eq!((&*buffer, buffer.capacity()), (&b"abcabcabc"[..], 9));
        buffer.add(b"no room");
        assert_eq!(buffer.len(), 9);
    }

    #[test]
    fn it_is_filled_to_the_end_of_either() {
        let mut buffer = Buffer::new(4).unwrap();
        assert!(!buffer.fill(&mut &b"abcdef"[..]).unwrap());
        assert_eq!(&*buffer, b"abcd");
        buffer.grow(SMALL + 1).unwrap();
        assert!(buffer.fill(&mut &b"ef"[..]).unwrap());
        assert_eq!(&*buffer, b"abcdef");
        assert!(Buffer::new(usize::MAX).is_err());
    }
}
