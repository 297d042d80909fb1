//! How far the streams of a source are: what was seen of each, what was read, what is settled.

use std::collections::BTreeMap;
use std::path::Path;

use super::source::Source;
use crate::status::StreamStatus;

/// The most streams that are shown.
const MOST: usize = 10;

impl Source {
    /// The streams of which most is not settled, the furthest behind first.
    pub(super) fn furthest(&self) -> Vec<StreamStatus> {
        let mut streams: BTreeMap<&Path, StreamStatus> = BTreeMap::new();
        for file in self.files.values().filter(|file| file.handle.is_some()) {
            let (seen, read, settled) = (file.size, file.tracker.end(), file.tracker.position());
            if seen <= settled {
                continue;
            }
            let stream = streams.entry(&file.name).or_default();
            stream.seen_bytes += seen;
            stream.read_bytes += read;
            stream.settled_bytes += settled;
        }
        let mut furthest: Vec<(&Path, StreamStatus)> = streams.into_iter().collect();
        furthest.sort_by_key(|(_, stream)| std::cmp::Reverse(stream.seen_bytes - stream.settled_bytes));
        furthest.truncate(MOST);
        let name = |(name, stream): (&Path, StreamStatus)| StreamStatus {
            name: name.display().to_string(),
            ..stream
        };
        furthest.into_iter().map(name).collect()
    }
}
