//! The times of the streams of one chunk: what is remembered of them from chunk to chunk.

use std::collections::HashMap;

use taffrail_stages::Time;
use taffrail_stages::format::Stream;
use taffrail_stages::times::Times;

/// The most streams whose times are remembered. Beyond it all are forgotten, and equal times begin anew.
const MAX_STREAMS: usize = 10_000;

/// The times of streams whose entries say their time themselves, by [`Clocks::id`].
pub(super) type Remembered = HashMap<u64, Times>;

/// The times of the streams that records of one chunk may name: none, standard output, standard error.
#[derive(Debug)]
pub(super) struct Clocks {
    base: u64,
    say: bool,
    times: [Option<Times>; 3],
}

impl Clocks {
    /// For the chunk whose stream `base` stands for; `say` when entries may say their time themselves.
    pub(super) fn new(base: u64, say: bool) -> Self {
        Clocks { base, say, times: [const { None }; 3] }
    }

    /// Stands for a stream of the chunk.
    pub(super) fn id(&self, stream: Option<Stream>) -> u64 {
        self.base.wrapping_add(slot(stream) as u64)
    }

    /// The time with which an entry leaves.
    pub(super) fn place(
        &mut self,
        remembered: &mut Remembered,
        stream: Option<Stream>,
        time: Time,
        read_ns: i64,
    ) -> i64 {
        if !self.say {
            return read_ns;
        }
        let id = self.id(stream);
        let times = &mut self.times[slot(stream)];
        times.get_or_insert_with(|| remembered.remove(&id).unwrap_or_default()).place(time, read_ns)
    }

    /// Remembers what was learned for the next chunk.
    pub(super) fn keep(self, remembered: &mut Remembered) {
        for (id, times) in (0..).map(|slot| self.base.wrapping_add(slot)).zip(self.times) {
            let Some(times) = times else { continue };
            if remembered.len() >= MAX_STREAMS {
                remembered.clear();
            }
            remembered.insert(id, times);
        }
    }
}

fn slot(stream: Option<Stream>) -> usize {
    match stream {
        None => 0,
        Some(Stream::Stdout) => 1,
        Some(Stream::Stderr) => 2,
    }
}
