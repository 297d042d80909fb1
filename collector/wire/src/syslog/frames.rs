//! Messages in a stream of bytes, RFC 6587: each with its length before it (`5 <1>ab`), or each with a line feed behind it.
//! The first byte of a connection tells which.

use thiserror::Error;

/// The most digits of a length.
const MAX_DIGITS: usize = 8;

/// A message in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message, or its beginning.
    pub bytes: &'a [u8],
    /// How many bytes of it are left out at its end.
    pub missing: u64,
}

/// A connection on which messages had their lengths before them, and then one has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "where the length of the next message should be, there is none: the sender counts its bytes wrongly, or is no syslog"
)]
pub struct FramingError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte.
    Start,
    /// In the length of a message: its digits so far, and their value.
    Length(usize, u64),
    /// In a message of which so many bytes are to come.
    Counted(u64),
    /// In a line.
    Line,
}

/// Finds messages in a stream that comes in pieces.
#[derive(Debug)]
pub struct Frames {
    state: State,
    /// The message so far, at most `max` bytes.
    held: Vec<u8>,
    missing: u64,
    max: usize,
}

impl Frames {
    /// Of a new connection. Of each message, `max` bytes are kept.
    pub fn new(max: usize) -> Self {
        Frames { state: State::Start, held: Vec::new(), missing: 0, max }
    }

    /// Takes the next bytes; `each` gets the messages that end in them.
    ///
    /// # Errors
    /// When the bytes cannot be told apart any longer; the connection is of no use then.
    pub fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), FramingError> {
        while let Some(first) = bytes.first() {
            match self.state {
                State::Start if first.is_ascii_digit() => self.state = State::Length(0, 0),
                State::Start => self.state = State::Line,
                State::Length(0, _) if matches!(first, b'\n' | b'\r') => bytes = &bytes[1..],
                State::Length(digits, value) => {
                    bytes = &bytes[1..];
                    self.state = match first {
                        b'0'..=b'9' if digits < MAX_DIGITS => {
                            State::Length(digits + 1, value * 10 + u64::from(first - b'0'))
                        }
                        b' ' if digits > 0 => State::Counted(value),
                        _ => return Err(FramingError),
                    };
                }
                State::Counted(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    self.hold(&bytes[..here]);
                    bytes = &bytes[here..];
                    let left = left - here as u64;
                    self.state = State::Counted(left);
                    if left == 0 {
                        self.state = State::Length(0, 0);
                        self.give(&mut each);
                    }
                }
                State::Line => {
                    // Some senders end messages with a NUL.
                    let Some(end) = memchr::memchr2(b'\n', 0, bytes) else {
                        self.hold(bytes);
                        return Ok(());
                    };
                    self.hold(&bytes[..end]);
                    bytes = &bytes[end + 1..];
                    self.give(&mut each);
                }
            }
        }
        Ok(())
    }

    /// Whether a message has begun and not ended.
    pub fn is_open(&self) -> bool {
        !self.held.is_empty() || matches!(self.state, State::Length(1.., _) | State::Counted(_))
    }

    /// The connection has ended: what was open is the last message.
    pub fn end(&mut self, mut each: impl FnMut(Frame<'_>)) {
        self.give(&mut each);
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = (self.max - self.held.len()).min(bytes.len());
        self.held.extend_from_slice(&bytes[..room]);
        self.missing += (bytes.len() - room) as u64;
    }

    /// Gives the message on, without line ends at its end; an empty one is none.
    fn give(&mut self, each: &mut impl FnMut(Frame<'_>)) {
        let mut len = self.held.len();
        while self.missing == 0 && len > 0 && matches!(self.held[len - 1], b'\n' | b'\r' | 0) {
            len -= 1;
        }
        if len > 0 {
            each(Frame { bytes: &self.held[..len], missing: self.missing });
        }
        self.held.clear();
        self.missing = 0;
        // A connection that sent one long message need not keep its room.
        self.held.shrink_to(4 << 10);
    }
}
