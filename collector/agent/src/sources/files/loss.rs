//! Losses: bytes that nobody can read any longer, counted by reason, and told.

use std::path::Path;
use std::sync::Arc;

use taffrail_core::Note;
use taffrail_core::note::Level;
use taffrail_stages::timeformat;

use super::source::Source;

/// Why bytes cannot be read any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The file was truncated before all of it was read and settled.
    Truncated,
    /// They were on their way when the file was truncated or deleted, and came back.
    Gone,
    /// Other contents were found at the start.
    Replaced,
    /// It was not found at the start, and its folder was.
    Deleted,
    /// Its file system was not found for a day.
    Away,
    /// It was deleted, and the bound on what is held of deleted files was reached.
    Bound,
    /// It was deleted, and its space was needed.
    Disk,
}

impl Why {
    /// All of them.
    pub(super) const ALL: [Why; 7] =
        [Why::Truncated, Why::Gone, Why::Replaced, Why::Deleted, Why::Away, Why::Bound, Why::Disk];

    /// A word for labels.
    pub(super) fn word(self) -> &'static str {
        match self {
            Why::Truncated => "truncated",
            Why::Gone => "gone",
            Why::Replaced => "replaced",
            Why::Deleted => "deleted",
            Why::Away => "away",
            Why::Bound => "bound",
            Why::Disk => "disk",
        }
    }

    /// The same for people.
    fn text(self) -> &'static str {
        match self {
            Why::Truncated => "the file was truncated before they were read and settled",
            Why::Gone => "they were truncated or deleted before any output had them",
            Why::Replaced => "it was truncated or replaced while nobody read it",
            Why::Deleted => "it was deleted while nobody read it",
            Why::Away => "its file system has been away for a day",
            Why::Bound => "it was deleted, and deleted files that are held reached 1 GiB",
            Why::Disk => "it was deleted, and its disk is nearly full",
        }
    }
}

/// A loss.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss<'a> {
    /// The stream.
    pub(super) name: &'a Arc<Path>,
    /// How many bytes, at least.
    pub(super) bytes: u64,
    pub(super) why: Why,
    /// The time of the last line that is known to be before it, in Unix nanoseconds; 0 when there is none.
    pub(super) from_ns: i64,
    /// The number under which the gap stands among the stream's files; `None`: behind all that are there now.
    pub(super) at: Option<u64>,
}

impl Source {
    /// Counts bytes that nobody can read any longer, and says so: in the log, as a note, and in the stream.
    pub(super) fn lose(&mut self, loss: Loss<'_>) {
        let Loss { name, bytes, why, from_ns, at } = loss;
        if bytes == 0 {
            return;
        }
        self.tally.lost[why as usize] += bytes;
        let to_ns = self.clock.now_ns();
        let mut facts = vec![
            ("source", self.name.clone()),
            ("file", name.display().to_string()),
            ("bytes", bytes.to_string()),
            ("reason", why.word().to_owned()),
        ];
        let labels = self.streams.get(name).into_iter().flat_map(|stream| stream.feed.labels.iter());
        let container = labels.into_iter().find(|(label, _)| label == "container");
        facts.extend(container.map(|(_, container)| ("container", container.clone())));
        if from_ns != 0 {
            facts.push(("from", timeformat::show(from_ns)));
        }
        facts.push(("to", timeformat::show(to_ns)));
        facts.push(("why", why.text().to_owned()));
        let text = format!("{}: at least {bytes} bytes are lost: {}", name.display(), why.text());
        self.complain(text.clone());
        let level = Level::Error;
        self.notes.send(Note { level, event: "log_lost", text, facts: facts.clone() });
        let text = format!("at least {bytes} bytes of this log are missing here: {}", why.text());
        self.tell_gap(name, at, &Note { level, event: "log_gap", text, facts });
    }
}
