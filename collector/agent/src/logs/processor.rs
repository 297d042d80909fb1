//! Chunks become batches, and batches records of the logs' logs.
//!
//! A batch is about as large as a chunk may be, its boundaries are fixed when it is written, and it is replayed
//! unchanged, so that a receiver which drops equal entries sees a batch sent twice once.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_spool::{Pressure, Reason, Settled};
use taffrail_wire::loki::write_label_set;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::errors::Errors;
use super::lanes::{Lane, higher};
use super::stage::{Passed, Worker};
use super::{Chunk, Logs, Notes, NotesSource};
use crate::measures::{
    LOG_BYTES, LOG_CUT, LOG_ENTRIES, LOG_GARBLED, LOG_LEFT_OUT, LOG_REDACTED, LOG_SPLIT, Measures,
};
use crate::page::Tail;

/// A batch is written when its first line is this old, or when it is full.
const LINGER: Duration = Duration::from_millis(200);

/// Turns chunks into records.
pub struct Processor {
    logs: Logs,
    tail: Arc<Tail>,
    measures: Arc<Measures>,
    /// Where errors in lines are told, where somebody listens.
    errors: Option<Errors>,
    pause: watch::Sender<bool>,
    worker: Worker,
    /// What goes first, and what goes last.
    lanes: [Lane; 2],
    /// The label set of the chunk before, which is most often the next one's too.
    labels: (Arc<[(String, String)]>, String),
}

impl Processor {
    /// A processor that appends to `logs`, shows lines to `tail`, and tells sources by `pause` when to wait.
    pub fn new(logs: Logs, tail: Arc<Tail>, measures: Arc<Measures>, pause: watch::Sender<bool>) -> Self {
        let labels = (Arc::from([]), String::new());
        let worker = Worker::default();
        let lanes = logs.both().map(Lane::new);
        Processor { logs, tail, measures, errors: None, pause, worker, lanes, labels }
    }

    /// The same, telling of new errors in lines by `notes`; what is known of them is kept in `folder`.
    pub fn telling(self, folder: &Path, clock: Clock, notes: Notes) -> Self {
        Processor { errors: Some(Errors::open(folder, clock, notes)), ..self }
    }

    /// Runs until `stop`, then takes what is already in the queue, and ends. While every cursor lags and the log is
    /// nearly full, sources are told to pause: what they would read is safe where it is.
    pub async fn run(
        mut self,
        chunks: &mut mpsc::Receiver<Chunk>,
        notes: &mut NotesSource,
        stop: CancellationToken,
    ) {
        let [mut others, mut kept] = self.logs.both().map(|log| log.pressure());
        // What was so before anybody listened counts too.
        others.mark_changed();
        let mut linger = pin!(tokio::time::sleep(LINGER));
        loop {
            let filling = self.lanes.iter().any(|lane| !lane.batch.is_empty());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Before the chunks: in a flood there is always another one.
                Ok(()) = others.changed() => {
                    self.obey(higher(*others.borrow_and_update(), *kept.borrow()));
                    continue;
                }
                Ok(()) = kept.changed() => {
                    self.obey(higher(*others.borrow(), *kept.borrow_and_update()));
                    continue;
                }
                Some(chunk) = notes.next() => self.add(chunk),
                Some(chunk) = chunks.recv() => self.add(chunk),
                () = &mut linger, if filling => { self.flush(|_| true); continue }
            }
            if !filling {
                linger.set(tokio::time::sleep(LINGER));
            }
            // What waits already is taken without asking the clock each time.
            while !self.lanes.iter().any(Lane::is_full) {
                let Ok(chunk) = chunks.try_recv() else { break };
                self.add(chunk);
            }
            for lane in self.lanes.iter_mut().filter(|lane| lane.is_full()) {
                lane.wait_for_outputs().await;
                lane.flush();
            }
        }
        chunks.close();
        while let Ok(chunk) = chunks.try_recv() {
            self.add(chunk);
            self.flush(Lane::is_full);
        }
        self.flush(|_| true);
        if let Some(errors) = &mut self.errors {
            errors.save();
        }
    }

    fn obey(&mut self, pressure: Pressure) {
        let pause = pressure == Pressure::AllLag;
        let paused = self.pause.send_replace(pause);
        match pressure {
            Pressure::AllLag => {
                warn!("no output takes logs and their log is nearly full: sources that can, wait");
            }
            Pressure::SomeLag => {
                warn!("an output takes no logs and their log is nearly full: its oldest will go");
            }
            Pressure::Low if paused => info!("log sources go on"),
            Pressure::Low => {}
        }
    }

    fn add(&mut self, chunk: Chunk) {
        if !Arc::ptr_eq(&self.labels.0, &chunk.labels) {
            self.labels.1.clear();
            write_label_set(&mut self.labels.1, chunk.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            self.labels.0 = chunk.labels.clone();
        }
        let label = |name| chunk.labels.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        let source = [label("job"), label("service_name")];
        let lane = &mut self.lanes[usize::from(chunk.keep)];
        let Passed { entries, left_out, garbled, cut, split } =
            self.worker.pass(&chunk, &self.labels.1, &mut lane.batch, &self.tail);
        self.count(&chunk, source);
        for (kind, count) in chunk.stages.take_redacted() {
            self.measures.add(&LOG_REDACTED, [source[0], kind], count);
        }
        for (stage, count) in &left_out {
            self.measures.add(&LOG_LEFT_OUT, [source[0], stage], *count);
        }
        for (family, count) in [(&LOG_GARBLED, garbled), (&LOG_CUT, cut), (&LOG_SPLIT, split)] {
            if count > 0 {
                self.measures.add(family, source, count);
            }
        }
        self.measures.add(&LOG_ENTRIES, source, entries);
        self.measures.add(&LOG_BYTES, source, chunk.body.len() as u64);
        match left_out.last() {
            // Nothing of it goes on, so nobody else will settle it: what nobody wants is not read again.
            Some((stage, _)) if entries == 0 => chunk.ticket.settle(Settled::Dropped(Reason::Skipped(stage))),
            _ if chunk.ticket.is_none() => {}
            _ => self.lanes[usize::from(chunk.keep)].tickets.push(chunk.ticket),
        }
    }

    /// What stages counted and found in the chunk's entries.
    fn count(&mut self, chunk: &Chunk, stream: [&str; 2]) {
        let now_ms = self.errors.as_ref().map_or(0, Errors::now_ms);
        self.measures.measured(chunk.stages.take_measured(), stream, now_ms);
        let found = chunk.stages.take_errors();
        let Some(errors) = &mut self.errors else { return };
        // The tag of an image says what was deployed, where nothing else does.
        let all = || chunk.labels.iter().chain(&*chunk.metadata);
        let version = ["version", "image"].iter().find_map(|wanted| all().find(|(name, _)| name == wanted));
        errors.take(found, stream[1], version.map_or("", |(_, version)| version), &self.measures);
    }

    fn flush(&mut self, which: impl Fn(&Lane) -> bool) {
        self.lanes.iter_mut().filter(|lane| which(lane)).for_each(Lane::flush);
    }
}

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
