//! Reading: streams in turn, each a bounded stretch, files of a stream oldest first, chunks noted before they go.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Permit;
use tokio::sync::mpsc::error::TrySendError;

use super::feed::Feed;
use super::file::{LogFile, Next};
use super::record::Record;
use super::source::{Source, Step};
use super::tracker::Mark;
use crate::logs::{Body, Chunk};

/// How much of one stream is read before the next one has its turn.
const TURN_BYTES: u64 = 1 << 20;
/// The most chunks that wait to be settled; reading goes on when some are. At 256 KiB a chunk this is 16 GiB.
const MAX_UNSETTLED: usize = 65_536;
/// How long an unfinished last line is waited for: programs that write in blocks may leave one for minutes.
const UNFINISHED: Duration = Duration::from_secs(5 * 60);
/// The same, once the file was rotated away or deleted.
const UNFINISHED_ROTATED: Duration = Duration::from_secs(1);
/// How long until a file that could not be read is tried again.
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How far, in nanoseconds, the last line's time may be ahead of the clock. Loki takes lines up to ten minutes ahead.
const AHEAD_NS: i64 = 5 * 60 * 1_000_000_000;

/// What came of trying to release one chunk.
pub(super) enum Released {
    /// So many bytes of the file are behind us.
    Bytes(u64),
    /// There may be more, but not a whole line was found yet.
    Searching(u64),
    /// There is nothing to release.
    Nothing,
}

impl LogFile {
    /// Whether an unfinished last line has waited long enough.
    fn flush_due(&self, now: Duration) -> bool {
        let has_its_name = self.path.as_deref() == Some(&*self.name);
        let patience = if has_its_name { UNFINISHED } else { UNFINISHED_ROTATED };
        let open = self.open.is_some_and(|(_, until)| now >= until);
        self.behind() > 0 && (open || now >= self.changed_at + patience)
    }

    /// Whether the rest of a line or an entry is waited for: what is in younger files comes behind it.
    fn waits_for_rest(&self) -> bool {
        self.open.is_some() && self.behind() > 0
    }

    fn has_more(&mut self, now: Duration) -> bool {
        self.handle.is_some() && (self.unread || self.tracker.due().is_some() || self.flush_due(now))
    }

    fn wants_reading(&mut self, now: Duration) -> bool {
        now >= self.retry_at && self.has_more(now)
    }
}

impl Source {
    /// Releases chunks of every stream that has some, within bounds.
    pub(super) fn read(&mut self, now: Duration) -> Step {
        let Some(chunks) = self.chunks.clone() else { return Step::Closed };
        let mut waiting: Vec<Arc<Path>> = Vec::new();
        for file in self.files.values_mut() {
            if file.wants_reading(now) && waiting.last() != Some(&file.name) {
                waiting.push(file.name.clone());
            }
        }
        waiting.extend(self.gaps.due(now).cloned());
        let waits = |file: &LogFile| file.handle.is_none() || file.behind() > 0 || file.tracker.len() > 0;
        self.at_rest = waiting.is_empty() && self.gaps.is_empty() && !self.files.values().any(waits);
        if waiting.is_empty() {
            return Step::Idle(false);
        }
        waiting.sort_unstable();
        waiting.dedup();
        if let Some(turn) = &self.turn {
            let first = waiting.partition_point(|name| name < turn);
            let len = waiting.len();
            waiting.rotate_left(first % len);
        }
        let (mut any, mut more) = (false, false);
        let mut unsettled: usize = self.files.values().map(|file| file.tracker.len()).sum();
        for (at, name) in waiting.iter().enumerate() {
            let mut left = TURN_BYTES;
            while left > 0 {
                let permit = match chunks.try_reserve() {
                    Ok(permit) => permit,
                    Err(TrySendError::Closed(())) => return Step::Closed,
                    Err(TrySendError::Full(())) => {
                        // Whoever has not had its turn yet is the first after the wait.
                        let next = if left < TURN_BYTES { at + 1 } else { at };
                        self.turn = waiting.get(next % waiting.len()).cloned();
                        return Step::Full;
                    }
                };
                if unsettled >= MAX_UNSETTLED {
                    return Step::Idle(any);
                }
                match self.release(name, now, permit) {
                    Released::Bytes(bytes) => {
                        any = true;
                        unsettled += 1;
                        left = left.saturating_sub(bytes);
                    }
                    Released::Searching(bytes) => left = left.saturating_sub(bytes),
                    Released::Nothing => break,
                }
            }
            more |= left == 0;
        }
        if more { Step::Busy } else { Step::Idle(any) }
    }

    /// Releases the next chunk of a stream. Only when an older file has nothing to release does a younger one have its
    /// turn: lines of a stream stay in order across a rotation.
    fn release(&mut self, name: &Arc<Path>, now: Duration, permit: Permit<'_, Chunk>) -> Released {
        let ids: Vec<u64> = self.stream(name).files.iter().copied().collect();
        for id in ids {
            if self.gaps.is_due(id, now) {
                return self.send_gap(id, permit);
            }
            let Some(file) = self.files.get_mut(&id) else { continue };
            if now < file.retry_at && file.has_more(now) && !file.failing {
                return Released::Nothing;
            }
            if !file.wants_reading(now) {
                if file.waits_for_rest() {
                    return Released::Nothing;
                }
                continue;
            }
            let released = match self.next_piece(id, now) {
                Ok(Some(piece)) => self.send(id, piece, permit),
                Ok(None) if self.files.get(&id).is_some_and(|file| file.unread) => {
                    Released::Searching(crate::logs::chunk::MAX_BYTES as u64)
                }
                Ok(None) if self.files.get(&id).is_some_and(LogFile::waits_for_rest) => Released::Nothing,
                Ok(None) => continue,
                Err(e) => {
                    let Some(file) = self.files.get_mut(&id) else { continue };
                    file.retry_at = now + AFTER_ERROR;
                    if std::mem::replace(&mut file.failing, true) {
                        continue;
                    }
                    self.complain(format!("cannot read {}: {e}; it is tried again", name.display()));
                    continue;
                }
            };
            return released;
        }
        Released::Nothing
    }

    /// Reads what comes next in a file: a mark that is due, or what was not read yet.
    fn next_piece(&mut self, id: u64, now: Duration) -> io::Result<Option<Piece>> {
        let Some(file) = self.files.get_mut(&id) else { return Ok(None) };
        let piece = match file.tracker.due() {
            Some((number, mark)) => file
                .render(mark.start..mark.end, &mut self.buffer, self.shape.max_raw())?
                .map(|lines| Piece { number: Some(number), mark, lines: Some(lines) }),
            None => {
                let flush = !file.unread && file.flush_due(now);
                let start = file.tracker.end();
                let stages = self.streams.get(&file.name).map_or(&self.stages, |stream| &stream.feed.stages);
                let (end, lines) = match file.next(&mut self.buffer, (self.shape, stages.join()), flush)? {
                    Next::Lines(end, lines) => (end, Some(lines)),
                    Next::Void(end) => (end, None),
                    Next::Nothing => return Ok(None),
                };
                let count = lines.as_ref().map_or(0, |lines| lines.count);
                Some(Piece { number: None, mark: Mark { start, end, base_ns: 0, lines: count }, lines })
            }
        };
        let Some(file) = self.files.get_mut(&id) else { return Ok(None) };
        // What was read before this look was read of the file as it was known; after a truncation, or when the bytes
        // are not there, the file begins anew.
        let same = file.verify()?;
        let Some(piece) = piece.filter(|_| same) else {
            self.begin_anew(id, now);
            return Ok(None);
        };
        file.failing = false;
        if std::mem::take(&mut file.unnoted) {
            self.note_file(id);
        }
        Ok(Some(piece))
    }

    /// The time of a stream's next line: now, but behind the line before it. Only when that line's time is far
    /// ahead, as the clock was wrong then, times go back: receivers refuse lines of the future.
    pub(super) fn next_time(&mut self, name: &Arc<Path>, now_ns: i64) -> i64 {
        let stream = self.stream(name);
        let ahead_ns = stream.last_ns;
        if ahead_ns <= now_ns.saturating_add(AHEAD_NS) {
            return now_ns.max(ahead_ns + 1);
        }
        stream.last_ns = now_ns - 1;
        // Every stream of that moment is ahead about as far; one note says it for all.
        if ahead_ns > self.ahead_said_ns.saturating_add(AHEAD_NS) {
            self.ahead_said_ns = ahead_ns;
            self.say_times_return(name, ahead_ns, now_ns);
        }
        now_ns
    }

    /// Notes the piece on disk, then sends it.
    fn send(&mut self, id: u64, mut piece: Piece, permit: Permit<'_, Chunk>) -> Released {
        let Some(name) = self.files.get(&id).map(|file| file.name.clone()) else { return Released::Nothing };
        let now_ns = self.clock.now_ns();
        if piece.number.is_none() {
            piece.mark.base_ns = self.next_time(&name, now_ns);
        }
        let stream = self.stream(&name);
        if piece.number.is_none() && piece.mark.lines > 0 {
            stream.last_ns = piece.mark.last_ns();
        }
        let Feed { labels, metadata, stages, keep } = stream.feed.clone();
        let Some(file) = self.files.get_mut(&id) else { return Released::Nothing };
        let number = match piece.number {
            Some(number) => number,
            None => {
                let Some(number) = file.push(piece.mark) else { return Released::Nothing };
                self.note(&Record::Mark { id, mark: piece.mark });
                self.write();
                self.tally.bytes += piece.mark.len();
                number
            }
        };
        if self.tenure.is_over() {
            return Released::Nothing;
        }
        let Some(file) = self.files.get_mut(&id) else { return Released::Nothing };
        let Some(lines) = piece.lines.filter(|lines| lines.count > 0) else {
            file.tracker.void(number);
            return Released::Bytes(piece.mark.len());
        };
        file.tracker.sent(number);
        self.tally.lines += u64::from(lines.count);
        self.tally.cuts += lines.cuts;
        let ticket = self.receipts.ticket(id, number);
        let body = Body::Lines { bytes: lines.bytes, base_ns: piece.mark.base_ns, shape: self.shape };
        permit.send(Chunk { labels, metadata, body, stages, keep, ticket });
        Released::Bytes(piece.mark.len())
    }
}

/// A stretch of a file with the lines it gives.
struct Piece {
    /// Its mark's number, when it was noted before.
    number: Option<u64>,
    mark: Mark,
    lines: Option<super::file::Lines>,
}
