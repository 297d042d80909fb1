//! What a source hands over with a record, to learn what became of it.

use std::fmt;

/// The last word on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Every cursor has committed it.
    Delivered,
    /// It is safe in the log on disk: the source need not keep it any longer.
    Spooled,
    /// At least one cursor will never see it, for a reason that was counted.
    Dropped(Reason),
}

/// Why a record was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The log has no cursor: there is nobody to deliver to. Not a loss, and not counted as one.
    NoOutput,
    /// The log was full, and this was the oldest.
    Full,
    /// It was older than the log keeps records.
    Age,
    /// The disk was full, below its floor of free space or broken, and the memory that stands in for it was full too.
    Disk,
    /// It is larger than a record of this log may be.
    TooLarge,
    /// The reader skipped it, for a reason of its own.
    Skipped(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NoOutput => "no_output",
            Reason::Full => "full",
            Reason::Age => "age",
            Reason::Disk => "disk",
            Reason::TooLarge => "too_large",
            Reason::Skipped(why) => why,
        })
    }
}

/// Called exactly once when a record is settled for all cursors.
///
/// A ticket that is dropped without having been called says that the record is *not* settled: the source must read it
/// again later. The call is made on the thread that settled the record, with no lock held; it must be short.
pub struct Ticket(Option<Box<dyn FnOnce(Settled) + Send>>);

impl Ticket {
    /// A ticket that calls `settle`.
    pub fn new(settle: impl FnOnce(Settled) + Send + 'static) -> Self {
        Ticket(Some(Box::new(settle)))
    }

    /// For a source that does not ask.
    pub fn none() -> Self {
        Ticket(None)
    }

    /// Whether nobody asks.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Says what became of the record.
    pub fn settle(self, how: Settled) {
        if let Some(settle) = self.0 {
            settle(how);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "Ticket(none)" } else { "Ticket" })
    }
}
