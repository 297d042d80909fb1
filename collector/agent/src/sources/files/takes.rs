//! How many of the whole lines that a file has may go: those of a line in parts, or of an entry of several lines, stay
//! together.

use std::time::Duration;

use taffrail_stages::format;
use taffrail_stages::multiline::{self, Join};

use crate::logs::{self, Shape};

/// How long the rest of a line is waited for that stands in several records: what follows it in the file waits too.
const PARTS: Duration = Duration::from_secs(5);

/// What may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Takes {
    /// So many bytes.
    Bytes(usize),
    /// Nothing, for so long, unless more comes.
    Nothing {
        /// How long.
        wait: Duration,
        /// Counted from when the file last changed, not from when the wait began.
        anew: bool,
    },
}

/// What of these lines, each with its end, may go; `full` when there is no room for more, `flush` when nothing is waited
/// for any longer.
pub(in crate::sources) fn takes(
    bytes: &[u8],
    shape: Shape,
    join: Option<&Join>,
    full: bool,
    flush: bool,
) -> Takes {
    let lines = format::whole(shape.format, bytes);
    if lines == 0 {
        let all = Takes::Bytes(bytes.len());
        return if full || flush { all } else { Takes::Nothing { wait: PARTS, anew: false } };
    }
    let Some(join) = join else { return Takes::Bytes(lines) };
    let bytes = &bytes[..lines];
    let whole = multiline::whole(join, shape.format, bytes, logs::lines(bytes));
    match whole.entries {
        0 if full => Takes::Bytes(whole.most),
        0 if flush => Takes::Bytes(lines),
        0 => Takes::Nothing { wait: Duration::from_nanos(join.max_wait_ns.unsigned_abs()), anew: true },
        entries => Takes::Bytes(entries),
    }
}
