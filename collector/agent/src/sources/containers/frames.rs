//! What an engine answers when it is asked for a container's log, as records of the format `cri`.
//!
//! Without a terminal the two streams come in frames: which one, three zeros, the length in four bytes, then a time, a
//! space and a message, which ends with a line feed unless its line goes on in the next one. With a terminal there are no
//! frames: lines, each behind its time. See "Stream format" in the reference of `POST /containers/{id}/attach`.

use taffrail_stages::format::Stream;

/// The longest message that is believed; an engine splits lines after 16 KiB.
const MAX_FRAME: usize = 16 << 20;
/// A longer message becomes several records.
const MAX_TEXT: usize = 64 << 10;
/// Where engines split lines.
const SPLIT: usize = 16 << 10;
/// `2026-11-21T10:00:00.000000000Z`
const TIME: usize = 30;
const HEAD: usize = 8;

/// Why an answer cannot be read on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// It is no frame.
    #[error("the engine's answer is not in frames, as it should be for a container without a terminal")]
    NoFrame,
    /// The engine says what went wrong, in the midst of the log.
    #[error("the engine says: {0}")]
    Told(String),
}

/// A message of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Where it was written to.
    pub(super) stream: Stream,
    /// When, as the engine writes it.
    pub(super) time: &'a [u8],
    /// What was written, without the line's end.
    pub(super) text: &'a [u8],
    /// Whether the line ends with it.
    pub(super) ends: bool,
}

impl Message<'_> {
    /// Appends its record.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.time);
        out.push(b' ');
        out.extend_from_slice(self.stream.as_str().as_bytes());
        out.extend_from_slice(if self.ends { b" F " } else { b" P " });
        out.extend_from_slice(self.text);
        out.push(b'\n');
    }
}

/// Takes an answer apart, in whatever pieces it comes.
#[derive(Debug)]
pub(super) struct Frames {
    terminal: bool,
    /// The beginning of a frame, or of a line.
    rest: Vec<u8>,
}

impl Frames {
    /// Of a container with a terminal, or without.
    pub(super) fn new(terminal: bool) -> Self {
        Frames { terminal, rest: Vec::new() }
    }

    /// Takes in the next piece, and tells of each whole message in it.
    ///
    /// # Errors
    /// When nothing behind it can be read.
    pub(super) fn take(&mut self, piece: &[u8], mut tell: impl FnMut(Message<'_>)) -> Result<(), FrameError> {
        self.rest.extend_from_slice(piece);
        let rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        while let Some(len) = self.next(&rest[at..], &mut tell)? {
            at += len;
        }
        self.rest = rest;
        self.rest.drain(..at);
        Ok(())
    }

    /// The answer ended, and not because the connection broke: a terminal's last line may lack its end.
    pub(super) fn end(self, mut tell: impl FnMut(Message<'_>)) {
        if self.terminal {
            lines(Stream::Stdout, &self.rest, true, &mut tell);
        }
    }

    /// How much of `rest` is the next whole frame or line.
    fn next(&self, rest: &[u8], tell: &mut impl FnMut(Message<'_>)) -> Result<Option<usize>, FrameError> {
        if self.terminal {
            return Ok(match memchr::memchr(b'\n', rest) {
                Some(end) => {
                    lines(Stream::Stdout, &rest[..end], true, tell);
                    Some(end + 1)
                }
                None if rest.len() > MAX_FRAME => {
                    lines(Stream::Stdout, rest, false, tell);
                    Some(rest.len())
                }
                None => None,
            });
        }
        let Some((head, rest)) = rest.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [kind, 0, 0, 0, a, b, c, d] = *head else { return Err(FrameError::NoFrame) };
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if len > MAX_FRAME {
            return Err(FrameError::NoFrame);
        }
        let Some(message) = rest.get(..len) else { return Ok(None) };
        let stream = match kind {
            0 | 1 => Stream::Stdout,
            2 => Stream::Stderr,
            3 => return Err(FrameError::Told(String::from_utf8_lossy(message).trim().to_owned())),
            _ => return Err(FrameError::NoFrame),
        };
        match message.strip_suffix(b"\n") {
            Some(line) => lines(stream, line, true, tell),
            None => lines(stream, message, false, tell),
        }
        Ok(Some(HEAD + len))
    }
}

/// A time, a space and text, which may hold times of its own where the engine split a terminal's line.
fn lines(stream: Stream, message: &[u8], ends: bool, tell: &mut impl FnMut(Message<'_>)) {
    let Some((time, mut text)) = split_time(message) else {
        // Without a time it is passed on as it is, and counted as what it is: no record.
        if !message.is_empty() {
            tell(Message { stream, time: b"-", text: message, ends });
        }
        return;
    };
    let mut time = time;
    if let Some(line) = text.strip_suffix(b"\r") {
        text = line;
    }
    while text.len() > SPLIT {
        let (part, rest) = match split_time(&text[SPLIT..]) {
            Some((_, rest)) => (&text[..SPLIT], rest),
            None if text.len() > MAX_TEXT => text.split_at(MAX_TEXT),
            None => break,
        };
        tell(Message { stream, time, text: part, ends: false });
        (time, text) = (time, rest);
    }
    // A line feed in the midst of a message ends a line.
    while let Some(end) = memchr::memchr(b'\n', text) {
        tell(Message { stream, time, text: &text[..end], ends: true });
        text = &text[end + 1..];
    }
    tell(Message { stream, time, text, ends });
}

fn split_time(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', &message[..message.len().min(TIME + 6)])?;
    let time = &message[..end];
    let looks = end >= 20 && time[4] == b'-' && time[10] == b'T' && time[13] == b':';
    looks.then(|| (time, &message[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T10:00:00.000000001Z";

    fn frame(kind: u8, text: &str) -> Vec<u8> {
        let message = format!("{NOW} {text}");
        let mut frame = vec![kind, 0, 0, 0];
        frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
        frame.extend_from_slice(message.as_bytes());
        frame
    }

    fn records(terminal: bool, pieces: &[&[u8]]) -> String {
        let (mut frames, mut out) = (Frames::new(terminal), Vec::new());
        for piece in pieces {
            frames.take(piece, |message| message.write(&mut out)).unwrap();
        }
        frames.end(|message| message.write(&mut out));
        String::from_utf8(out).unwrap().replace(NOW, "T")
    }

    #[test]
    fn both_streams_in_whatever_pieces_they_come() {
        let all = [frame(1, "one\n"), frame(2, "err\n"), frame(1, "par"), frame(1, "ted\n"), frame(1, "\n")]
            .concat();
        let expected = "T stdout F one\nT stderr F err\nT stdout P par\nT stdout F ted\nT stdout F \n";
        assert_eq!(records(false, &[&all]), expected);
        for len in [1, 3, 7, 11] {
            let pieces: Vec<&[u8]> = all.chunks(len).collect();
            assert_eq!(records(false, &pieces), expected, "in pieces of {len}");
        }
        // What is half there when the answer ends is read again as a whole.
        assert_eq!(records(false, &[&all[..all.len() - 3]]), expected.trim_end_matches("T stdout F \n"));
    }

    #[test]
    fn a_terminal_has_lines_and_no_frames() {
        let text = format!("{NOW} one\r\n{NOW} \r\n{NOW} last");
        assert_eq!(records(true, &[text.as_bytes()]), "T stdout F one\nT stdout F \nT stdout F last\n");
        let long = format!("{NOW} {}{NOW} rest\r\n", "x".repeat(SPLIT));
        let expected = format!("T stdout P {}\nT stdout F rest\n", "x".repeat(SPLIT));
        assert_eq!(records(true, &[long.as_bytes()]), expected);
    }

    #[test]
    fn long_messages_become_several_records_of_one_line() {
        let found = records(false, &[&frame(1, &format!("{}\n", "y".repeat(MAX_TEXT + 5)))]);
        assert_eq!(found, format!("T stdout P {}\nT stdout F yyyyy\n", "y".repeat(MAX_TEXT)));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let take = |bytes: &[u8]| Frames::new(false).take(bytes, |_| ());
        assert_eq!(take(b"2026-11-21T10:00:00Z a line\n"), Err(FrameError::NoFrame));
        assert_eq!(take(&[1, 0, 0, 0, 255, 0, 0, 0]), Err(FrameError::NoFrame));
        assert_eq!(take(&[9, 0, 0, 0, 0, 0, 0, 0]), Err(FrameError::NoFrame));
        let told = [&[3, 0, 0, 0, 0, 0, 0, 5][..], b"oops\n"].concat();
        assert_eq!(take(&told), Err(FrameError::Told("oops".to_owned())));
        assert_eq!(take(&[1, 0, 0]), Ok(()));
    }
}
