//! Snappy's block format, which remote write and Loki's push both use (not the framed one).

use snap::raw::{Decoder, Encoder};
use thiserror::Error;

/// A request that snappy's block format cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a request of {bytes} bytes is more than snappy can hold (4 GiB); send it in smaller batches")]
pub struct TooLarge {
    /// The request's size before compression.
    pub bytes: usize,
}

/// A compressor whose table and output are reused from one request to the next.
#[derive(Debug)]
pub struct Compressor {
    encoder: Encoder,
    out: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Compressor { encoder: Encoder::new(), out: Vec::new() }
    }
}

impl Compressor {
    /// Compresses `raw`; what is returned stands until the next call.
    pub fn compress(&mut self, raw: &[u8]) -> Result<&[u8], TooLarge> {
        let most = snap::raw::max_compress_len(raw.len());
        if self.out.len() < most {
            self.out.resize(most, 0);
        }
        let len = self.encoder.compress(raw, &mut self.out).map_err(|_| TooLarge { bytes: raw.len() })?;
        Ok(&self.out[..len])
    }
}

/// How large `compressed` says it will be, to be checked against a bound before [`decompress`] allocates it.
pub fn decompressed_len(compressed: &[u8]) -> Result<usize, snap::Error> {
    snap::raw::decompress_len(compressed)
}

/// Undoes [`Compressor::compress`].
pub fn decompress(compressed: &[u8]) -> Result<Vec<u8>, snap::Error> {
    Decoder::new().decompress_vec(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_request_after_a_larger_one_has_nothing_of_it() {
        let mut compressor = Compressor::default();
        let large: Vec<u8> =
            (0..100_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for raw in [&large[..], b"small", b"", &large[..70_000]] {
            let packed = compressor.compress(raw).unwrap();
            assert_eq!(decompressed_len(packed).unwrap(), raw.len());
            assert_eq!(decompress(packed).unwrap(), raw);
        }
    }
}
