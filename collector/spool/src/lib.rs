//! The log with named cursors: what stands between sources and outputs, so that none waits for another.
//!
//! A [`Log`] takes records from one writer and gives them, in order and unchanged, to any number of named [`Cursor`]s.
//! It knows nothing of what they hold. [`MemoryLog`] keeps them in memory; [`DiskLog`] in segment files that survive a
//! crash. Both are bounded in bytes and age, and count by reason what they give up.
//!
//! [`StateFile`] keeps a small state through a crash at any moment; [`DirLock`] keeps a second process out.

mod count;
mod cursor;
mod dir_lock;
mod disk;
mod engine;
mod error;
mod inspect;
mod ledger;
mod log;
mod loss;
mod memory;
mod places;
mod repair;
mod segment;
mod state_file;
mod ticket;

pub use cursor::Cursor;
pub use dir_lock::{DirLock, Holder, LockError};
pub use disk::{DiskLog, DiskOptions, WriteMode};
pub use error::FileError;
pub use inspect::{CursorFile, Damage, Inspect, Inspection, SegmentFile, inspect};
pub use log::{
    AppendError, CursorError, CursorStats, Log, LogStats, Peeked, Position, Pressure, Record, SegmentId,
    Start, Tally,
};
pub use loss::Loss;
pub use memory::{MemoryLog, MemoryOptions};
pub use repair::{Repaired, repair};
pub use state_file::{Durability, Loaded, StateFile};
pub use ticket::{Reason, Settled, Ticket};
