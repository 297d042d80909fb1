//! Parts of a push request, their order kept: for what was refused, and for halves.

use super::batch::Batch;
use super::reader::{Entry, Stream, count_entries, streams};
use crate::proto::ProtoError;

/// Where an entry stands in its request; all counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which stream of the request.
    pub stream: usize,
    /// Which entry of the stream.
    pub in_stream: usize,
    /// Which entry of the request.
    pub in_request: usize,
}

/// Writes the entries for which `keep` says so to `out`, which is cleared, and returns how many were left out. Streams
/// that keep none are left out with their labels. The entries are copied as they stand.
pub fn filter(
    request: &[u8],
    out: &mut Batch,
    mut keep: impl FnMut(Place, &Stream<'_>, &Entry<'_>) -> bool,
) -> Result<usize, ProtoError> {
    out.clear();
    let mut place = Place { stream: 0, in_stream: 0, in_request: 0 };
    for stream in streams(request) {
        let stream = stream?;
        out.stream(stream.labels);
        place.in_stream = 0;
        for message in stream.raw_entries() {
            let message = message?;
            if keep(place, &stream, &Entry::read(message)?) {
                out.raw_entry(message);
            }
            place.in_stream += 1;
            place.in_request += 1;
        }
        place.stream += 1;
    }
    Ok(place.in_request - out.entries())
}

/// Halves a request by its entries' bytes, first part first; both outputs are cleared. Each part has an entry at least:
/// a request of one entry, or of none, cannot be halved, which returns `false`.
pub fn split(request: &[u8], first: &mut Batch, second: &mut Batch) -> Result<bool, ProtoError> {
    first.clear();
    second.clear();
    let entries = count_entries(request)?;
    if entries < 2 {
        return Ok(false);
    }
    let (mut bytes, mut taken, mut filled) = (0, 0, false);
    for stream in streams(request) {
        let stream = stream?;
        if !filled {
            first.stream(stream.labels);
        }
        second.stream(stream.labels);
        for message in stream.raw_entries() {
            let message = message?;
            bytes += message.len();
            // The entry that crosses the middle still belongs to the first half, unless it is the last of all.
            filled = filled || taken + 1 == entries;
            if filled {
                second.raw_entry(message);
            } else {
                first.raw_entry(message);
                filled = bytes * 2 >= request.len();
            }
            taken += 1;
        }
    }
    Ok(true)
}
