//! The hash by which a series is known: 128 bits, keyed.
//!
//! Two series with one hash would be one to us, for as long as both are there. With 128 bits and a key that no target
//! knows that does not happen by chance nor by intent, so that the bytes themselves need not be kept.

use std::hash::{BuildHasher, RandomState};

/// The key of one table.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    keys: [u64; 6],
}

impl Hasher {
    /// A key of its own, from the system's randomness.
    pub(crate) fn new() -> Self {
        Hasher { keys: std::array::from_fn(|i| RandomState::new().hash_one(i)) }
    }

    /// The hash of several parts; where one ends and the next begins matters. `each` is called once, with what takes a
    /// part.
    pub(crate) fn parts(&self, each: impl FnOnce(&mut dyn FnMut(&[u8]))) -> [u64; 2] {
        let mut state = [self.keys[0], self.keys[1]];
        each(&mut |part| state = self.part(state, part));
        self.finish(state)
    }

    /// The hash of one part.
    #[inline]
    pub(crate) fn one(&self, bytes: &[u8]) -> [u64; 2] {
        self.finish(self.part([self.keys[0], self.keys[1]], bytes))
    }

    /// Two lanes, each a chain of multiplications that takes in 16 bytes a step (as in wyhash).
    #[inline]
    fn part(&self, [mut a, mut b]: [u64; 2], bytes: &[u8]) -> [u64; 2] {
        // The end is padded with zeros, so the length counts. Times a key, or a byte could undo it.
        let len = bytes.len() as u64;
        a ^= len.wrapping_mul(self.keys[4] | 1);
        b ^= len.wrapping_mul(self.keys[5] | 1);
        let mut step = |x: u64, y: u64| {
            a = fold(x ^ a, y ^ self.keys[2]);
            b = fold(x ^ self.keys[3], y ^ b);
        };
        let (chunks, rest) = bytes.as_chunks::<16>();
        for chunk in chunks {
            let (x, y) = halves(chunk);
            step(x, y);
        }
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        let (x, y) = halves(&last);
        step(x, y);
        [a, b]
    }

    #[inline]
    fn finish(&self, [a, b]: [u64; 2]) -> [u64; 2] {
        [fold(a ^ self.keys[4], b ^ self.keys[5]), fold(b ^ self.keys[4], a.rotate_left(32) ^ self.keys[5])]
    }
}

#[inline]
fn halves(chunk: &[u8; 16]) -> (u64, u64) {
    let whole = u128::from_le_bytes(*chunk);
    (whole as u64, (whole >> 64) as u64)
}

/// The two halves of a product, folded.
#[inline]
fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn alike_is_not_equal() {
        let hasher = Hasher::new();
        let mut seen = HashSet::new();
        for len in 0..200 {
            assert!(seen.insert(hasher.one(&vec![0; len])), "{len} zeros");
            for at in 0..len {
                let mut bytes = vec![0u8; len];
                bytes[at] = 1;
                assert!(seen.insert(hasher.one(&bytes)), "{len} {at}");
            }
        }
        for half in [0, 1] {
            let halves: HashSet<u64> = seen.iter().map(|hash| hash[half]).collect();
            assert_eq!(halves.len(), seen.len(), "half {half} alone");
        }
        let two = |one: &[u8], other: &[u8]| {
            hasher.parts(|take| {
                take(one);
                take(other);
            })
        };
        assert_ne!(two(b"ab", b"c"), two(b"a", b"bc"));
        assert_eq!(hasher.parts(|take| take(b"abc")), hasher.one(b"abc"));
    }

    #[test]
    fn every_key_is_another() {
        assert_ne!(Hasher::new().one(b"up"), Hasher::new().one(b"up"));
    }
}
