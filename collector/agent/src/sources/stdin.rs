//! Standard input as a source: `program | taffrail run`.
//!
//! Its end ends the source, not the process. While the pipeline takes no more, nothing is read, and the program that writes
//! waits, as with any pipe.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use taffrail_stages::format::Format;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::door::{Closed, Door};
use super::files::{Takes, takes};
use super::{Context, Running};
use crate::config::Stdin;
use crate::logs::chunk::MAX_BYTES;
use crate::logs::{Body, Shape, shape::cut};

/// Bytes that are read at a time.
const READ: usize = 64 << 10;
/// How often is looked whether it shall stop.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// How long a successor waits for the one before it to let go.
const LET_GO: Duration = Duration::from_millis(10);

/// The line that has begun. It outlives a reload, as the rest of it is still to come.
static OPEN: Mutex<Line> = Mutex::new(Line { held: Vec::new(), missing: 0 });

/// The beginning of a line.
#[derive(Debug, Default)]
struct Line {
    held: Vec<u8>,
    /// Bytes of it beyond those that are held.
    missing: u64,
}

/// Reads standard input on a thread of its own.
///
/// # Errors
/// When the system gives no thread.
pub fn start(
    name: &str,
    labels: &BTreeMap<String, String>,
    config: &Stdin,
    context: Context,
) -> anyhow::Result<Running> {
    let door = Door::new(name, labels, context);
    let (books, shape) = (door.books.clone(), Shape::new(Format::Plain, config.max_line));
    let stop = Stop(Arc::default());
    let (stopped, name) = (stop.0.clone(), name.to_owned());
    let (end, ended) = oneshot::channel::<()>();
    let run = move || {
        door.books.connected(true);
        match read(&door, shape, &stopped, &io::stdin()) {
            Ok(true) => info!(source = name, "standard input has ended; everything else goes on"),
            Ok(false) => {}
            Err(error) => {
                warn!(source = name, "standard input cannot be read: {error}");
                door.books.failed(format!("standard input cannot be read: {error}"));
            }
        }
        door.books.connected(false);
        drop(end);
    };
    std::thread::Builder::new()
        .name("taffrail-stdin".to_owned())
        .spawn(run)
        .context("no thread can be started")?;
    Ok(Running::new(move |by| async move {
        drop(stop);
        match books.wound_up(ended, by).await {
            0 => "all that was read is settled".to_owned(),
            bytes => {
                format!("{bytes} bytes that were read are not settled yet, and nobody can write them again")
            }
        }
    }))
}

/// Says, when it is dropped, that it is time to stop.
#[derive(Debug)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Reads until the end, which is true, or until it shall stop.
fn read(door: &Door, shape: Shape, stop: &AtomicBool, input: &impl AsFd) -> io::Result<bool> {
    // Two that read at once would tear lines apart: the one before may still be waiting for the queue.
    let mut line = loop {
        match OPEN.try_lock() {
            Ok(line) => break line,
            Err(TryLockError::Poisoned(line)) => break line.into_inner(),
            Err(TryLockError::WouldBlock) if stop.load(Ordering::Acquire) => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LET_GO),
        }
    };
    let (mut buffer, mut out) = (vec![0; READ], Outlet::new(door, shape));
    while !stop.load(Ordering::Acquire) {
        let mut ready = [PollFd::new(input, PollFlags::IN)];
        if poll(&mut ready, Some(&LOOK))? == 0 {
            if out.go(false).is_err() {
                return Ok(false);
            }
            continue;
        }
        let len = match rustix::io::read(input, &mut *buffer) {
            Ok(len) => len,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        match len {
            0 => line.end(shape.max_line, &mut out.held),
            len => line.take(&buffer[..len], shape.max_line, &mut out.held),
        }
        out.since = door.clock.monotonic();
        if out.go(len == 0).is_err() {
            return Ok(false);
        }
        if len == 0 {
            return Ok(true);
        }
    }
    // An entry that is torn here is less than one that is lost: nobody may come after.
    let _ = out.go(true);
    Ok(false)
}

/// The way of whole lines into the pipeline. Those of an entry that may go on are held.
#[derive(Debug)]
struct Outlet<'d> {
    door: &'d Door,
    shape: Shape,
    held: Lines,
    /// When something came last, by the clock that only goes on.
    since: Duration,
    last_ns: i64,
}

impl<'d> Outlet<'d> {
    fn new(door: &'d Door, shape: Shape) -> Self {
        Outlet { door, shape, held: Lines::default(), since: door.clock.monotonic(), last_ns: 0 }
    }

    /// Sends what may go, and with `all` what is held as well.
    fn go(&mut self, all: bool) -> Result<(), Closed> {
        while !self.held.bytes.is_empty() {
            let held = &self.held.bytes;
            let most = held.len().min(MAX_BYTES);
            // No line is longer than a chunk.
            let whole = memchr::memrchr(b'\n', &held[..most]).map_or(most, |end| end + 1);
            let (full, waited) = (held.len() > whole, self.door.clock.monotonic().saturating_sub(self.since));
            let go = |flush| takes(&held[..whole], self.shape, self.door.join(), full, flush);
            let len = match go(all) {
                Takes::Bytes(len) => len,
                Takes::Nothing { wait, .. } if waited < wait => return Ok(()),
                Takes::Nothing { .. } => match go(true) {
                    Takes::Bytes(len) => len,
                    Takes::Nothing { .. } => return Ok(()),
                },
            };
            self.send(len)?;
        }
        Ok(())
    }

    fn send(&mut self, len: usize) -> Result<(), Closed> {
        let rest = self.held.bytes.split_off(len);
        let bytes = std::mem::replace(&mut self.held.bytes, rest);
        let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        self.door.books.took(lines, len as u64, std::mem::take(&mut self.held.cut));
        let base_ns = self.door.clock.now_ns().max(self.last_ns);
        self.last_ns = base_ns + lines as i64;
        let ticket = self.door.books.ticket(lines, len as u64);
        let body = Body::Lines { bytes: Bytes::from(bytes), base_ns, shape: self.shape };
        self.door.blocking_send(body, ticket)
    }
}

/// Whole lines.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// How many of them were too long.
    cut: u64,
}

impl Line {
    /// Takes the next bytes; lines that end in them go to `out`.
    fn take(&mut self, mut bytes: &[u8], max: usize, out: &mut Lines) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.hold(&bytes[..end], max);
            self.give(max, out);
            bytes = &bytes[end + 1..];
        }
        self.hold(bytes, max);
    }

    /// There is no more: what has begun is a line.
    fn end(&mut self, max: usize, out: &mut Lines) {
        if !self.held.is_empty() {
            self.give(max, out);
        }
    }

    fn hold(&mut self, bytes: &[u8], max: usize) {
        let room = max.saturating_sub(self.held.len()).min(bytes.len());
        self.held.extend_from_slice(&bytes[..room]);
        self.missing += (bytes.len() - room) as u64;
    }

    fn give(&mut self, max: usize, out: &mut Lines) {
        if self.missing > 0 {
            cut(&mut out.bytes, &self.held, self.held.len() as u64 + self.missing, max);
            out.cut += 1;
        } else {
            out.bytes.extend_from_slice(&self.held);
        }
        out.bytes.push(b'\n');
        *self = Line::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_read() {
        let text = format!("one\n\ntwo{}\nlast", "x".repeat(500));
        for size in [1, 7, 1000] {
            let (mut line, mut out) = (Line::default(), Lines::default());
            text.as_bytes().chunks(size).for_each(|piece| line.take(piece, 200, &mut out));
            assert!(out.bytes.starts_with(b"one\n\ntwoxxx") && out.bytes.ends_with(b"left out]\n"));
            line.end(200, &mut out);
            line.end(200, &mut out);
            assert!(out.bytes.ends_with(b"\nlast\n"));
            assert_eq!((memchr::memchr_iter(b'\n', &out.bytes).count(), out.cut), (4, 1));
        }
    }
}
