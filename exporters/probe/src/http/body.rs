//! Reading a body: counted, uncompressed, limited, and only as much of it kept as is searched.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::settings::Compression;
use crate::attempt::Attempt;
use crate::failure::Failure;

/// The most of a body that is searched by regular expressions, in bytes. What follows is read, and not kept.
pub(super) const MAX_SEARCHED: usize = 10 << 20;

/// A body that was read.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Its length in bytes, uncompressed.
    pub(super) length: u64,
    /// Its beginning, as much as is searched.
    pub(super) text: Vec<u8>,
    /// Why it was not read to its end.
    pub(super) failure: Option<Failure>,
}

/// Where the bytes go that were uncompressed.
struct Keeper {
    limit: u64,
    keep: usize,
    body: Body,
}

impl Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.limit - self.body.length;
        let taken = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if taken == 0 && !bytes.is_empty() {
            return Err(io::Error::other(format!("it is longer than body_size_limit, {} bytes", self.limit)));
        }
        self.body.length += taken as u64;
        let keep = taken.min(self.keep.saturating_sub(self.body.text.len()));
        self.body.text.extend_from_slice(&bytes[..keep]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Decoder {
    Plain(Keeper),
    Gzip(MultiGzDecoder<Keeper>),
    Deflate(DeflateDecoder<Keeper>),
    Brotli(Box<DecompressorWriter<Keeper>>),
}

impl Decoder {
    fn new(compression: Option<Compression>, keeper: Keeper) -> Self {
        match compression {
            None => Decoder::Plain(keeper),
            Some(Compression::Gzip) => Decoder::Gzip(MultiGzDecoder::new(keeper)),
            Some(Compression::Deflate) => Decoder::Deflate(DeflateDecoder::new(keeper)),
            Some(Compression::Brotli) => Decoder::Brotli(Box::new(DecompressorWriter::new(keeper, 4096))),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Decoder::Plain(to) => to.write_all(bytes),
            Decoder::Gzip(to) => to.write_all(bytes),
            Decoder::Deflate(to) => to.write_all(bytes),
            Decoder::Brotli(to) => to.write_all(bytes),
        }
    }

    /// No bytes follow: what was begun must be complete.
    fn end(&mut self) -> io::Result<()> {
        match self {
            Decoder::Plain(_) => Ok(()),
            Decoder::Gzip(to) => to.try_finish(),
            Decoder::Deflate(to) => to.try_finish(),
            Decoder::Brotli(to) => to.close(),
        }
    }

    fn keeper(&mut self) -> &mut Keeper {
        match self {
            Decoder::Plain(keeper) => keeper,
            Decoder::Gzip(to) => to.get_mut(),
            Decoder::Deflate(to) => to.get_mut(),
            Decoder::Brotli(to) => to.get_mut(),
        }
    }
}

/// Reads a body to its end, its limit, or the end of the attempt's time; keeps its beginning if it is `searched`.
pub(super) async fn read(
    attempt: &mut Attempt<'_>,
    mut incoming: Incoming,
    compression: Option<Compression>,
    limit: Option<u64>,
    searched: bool,
) -> Body {
    let keep = if searched { MAX_SEARCHED } else { 0 };
    let keeper = Keeper { limit: limit.unwrap_or(u64::MAX), keep, body: Body::default() };
    let mut decoder = Decoder::new(compression, keeper);
    let failure = loop {
        let doing = || "reading the answer's body".to_owned();
        let written = match attempt.within(doing, incoming.frame()).await {
            Err(failure) => break Some(failure),
            Ok(None) => decoder.end(),
            Ok(Some(Err(error))) => {
                break Some(Failure::Answer(format!("the body broke off: {}", super::chain(&error))));
            }
            Ok(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) => match decoder.write(data) {
                    Ok(()) => continue,
                    error => error,
                },
                None => continue,
            },
        };
        break match (written, compression) {
            (Ok(()), _) => None,
            (Err(error), None) => Some(Failure::Answer(format!("the body was not read: {error}"))),
            (Err(error), Some(kind)) => {
                Some(Failure::Answer(format!("the body was not read (as {kind:?}): {error}")))
            }
        };
    };
    let mut body = std::mem::take(&mut decoder.keeper().body);
    body.failure = failure;
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(limit: u64) -> Keeper {
        Keeper { limit, keep: 4, body: Body::default() }
    }

    #[test]
    fn a_body_is_counted_kept_in_part_and_limited() {
        let mut decoder = Decoder::new(None, keeper(7));
        decoder.write(b"abc").unwrap();
        decoder.write(b"defg").unwrap();
        let error = decoder.write(b"h").unwrap_err().to_string();
        assert_eq!(error, "it is longer than body_size_limit, 7 bytes");
        assert_eq!((decoder.keeper().body.length, &*decoder.keeper().body.text), (7, &b"abcd"[..]));
    }

    #[test]
    fn compressed_bodies_must_be_whole() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"hello").unwrap();
        let gzip = gzip.finish().unwrap();
        let mut decoder = Decoder::new(Some(Compression::Gzip), keeper(100));
        decoder.write(&gzip).unwrap();
        decoder.end().unwrap();
        assert_eq!(decoder.keeper().body.length, 5);

        let mut decoder = Decoder::new(Some(Compression::Gzip), keeper(100));
        decoder.write(&gzip[..gzip.len() - 6]).unwrap();
        assert!(decoder.end().is_err());
        let mut decoder = Decoder::new(Some(Compression::Gzip), keeper(100));
        assert!(decoder.write(b"<html>not compressed</html>").and_then(|()| decoder.end()).is_err());
        let mut decoder = Decoder::new(Some(Compression::Brotli), keeper(100));
        assert!(decoder.write(b"<html>not compressed</html>").and_then(|()| decoder.end()).is_err());
    }

    #[test]
    fn a_bomb_is_counted_and_not_kept() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..64 {
            gzip.write_all(&[0; 1 << 20]).unwrap();
        }
        let mut decoder = Decoder::new(Some(Compression::Gzip), keeper(u64::MAX));
        decoder.write(&gzip.finish().unwrap()).unwrap();
        decoder.end().unwrap();
        assert_eq!(decoder.keeper().body.length, 64 << 20);
        assert_eq!(decoder.keeper().body.text.len(), 4);
    }
}
