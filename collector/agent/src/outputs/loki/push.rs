//! A push request with what is known of its streams, and the parts of it that are sent by themselves.

use std::collections::BTreeSet;

use bytes::Bytes;
use taffrail_wire::loki::{self, Batch, Place};
use taffrail_wire::proto::ProtoError;

/// An uncompressed push request.
#[derive(Clone, Debug)]
pub struct Push {
    pub(super) request: Bytes,
    pub(super) entries: u64,
    pub(super) streams: usize,
    /// From this stream on, they are new to the receiver. They come last: that of a request of several streams of which
    /// Loki refuses one tells whether there was room for all.
    pub(super) new_from: usize,
}

/// A part of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    All,
    /// These streams, by number.
    Streams(BTreeSet<usize>),
    /// These entries, by number in the request.
    Entries(BTreeSet<usize>),
}

impl Push {
    pub(super) fn new(request: Bytes) -> Result<Self, ProtoError> {
        let entries = loki::count_entries(&request)? as u64;
        let streams = loki::streams(&request).count();
        Ok(Push { request, entries, streams, new_from: streams })
    }

    /// The entries for which `keep` says so; nothing where there are none.
    pub(super) fn filter(&self, mut keep: impl FnMut(Place) -> bool) -> Option<Push> {
        let mut out = Batch::new();
        // It has been read before.
        loki::filter(&self.request, &mut out, |place, _, _| keep(place)).ok()?;
        if out.is_empty() {
            return None;
        }
        Push::new(Bytes::copy_from_slice(out.finish())).ok()
    }

    /// A part of it.
    pub(super) fn part(&self, part: &Part) -> Option<Push> {
        match part {
            Part::All => Some(self.clone()),
            Part::Streams(streams) => self.filter(|place| streams.contains(&place.stream)),
            Part::Entries(entries) => self.filter(|place| entries.contains(&place.in_request)),
        }
    }

    /// Each of its streams from number `from` on by itself.
    pub(super) fn each(&self, from: usize) -> Vec<Push> {
        (from..self.streams).filter_map(|stream| self.filter(|place| place.stream == stream)).collect()
    }

    /// Its halves, in order; nothing for a push of one entry.
    pub(super) fn halves(&self) -> Option<(Push, Push)> {
        let (mut first, mut second) = (Batch::new(), Batch::new());
        if !matches!(loki::split(&self.request, &mut first, &mut second), Ok(true)) {
            return None;
        }
        let half = |half: &mut Batch| Push::new(Bytes::copy_from_slice(half.finish())).ok();
        Some((half(&mut first)?, half(&mut second)?))
    }

    /// The number of the stream that Loki means by these labels.
    pub(super) fn stream(&self, means: impl Fn(&str) -> bool) -> Option<usize> {
        loki::streams(&self.request).flatten().position(|stream| means(stream.labels))
    }

    /// The labels of its only stream, or of its first.
    pub(super) fn labels(&self) -> &str {
        loki::streams(&self.request).flatten().next().map_or("", |stream| stream.labels)
    }
}
