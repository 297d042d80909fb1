//! What is said: of entries that nobody can read any longer, and of how it goes.

use taffrail_core::Note;
use taffrail_core::note::Level;
use taffrail_stages::timeformat;

use super::cursor::{Cursor, hex};
use super::task::Task;
use crate::logs::notes;
use crate::sources::Context;
use crate::status::{Failure, lock};

impl Task {
    /// Tells of entries that are gone, in their place.
    pub(super) fn tell_gap(&mut self, missing: u64, before: Cursor, behind: Cursor, context: &Context) {
        let why = "journald removed them before they were read (SystemMaxUse=, MaxRetentionSec=, vacuum)";
        let time = |cursor: Cursor| i64::try_from(cursor.realtime).unwrap_or(i64::MAX).saturating_mul(1000);
        let facts = vec![
            ("source", self.name.clone()),
            ("entries", missing.to_string()),
            ("reason", "removed".to_owned()),
            ("from", timeformat::show(time(before))),
            ("to", timeformat::show(time(behind))),
            ("cursor", format!("s={};i={:x}", hex(&before.seqnum_id), before.seqnum)),
            ("why", why.to_owned()),
        ];
        let text = format!("at least {missing} entries of the journal are missing here: {why}");
        let note = Note { level: Level::Error, event: "log_gap", text: text.clone(), facts: facts.clone() };
        let line = notes::line(&note).trim_end().to_owned();
        self.gatherer.tell(time(behind).saturating_sub(1), line);
        self.lose("removed", missing, text, facts, context);
    }

    /// Counts entries that nobody can read any longer, and says so.
    pub(super) fn lose(
        &self,
        reason: &'static str,
        entries: u64,
        text: String,
        mut facts: Vec<(&'static str, String)>,
        context: &Context,
    ) {
        if entries == 0 {
            return;
        }
        tracing::warn!(source = self.name, "{text}");
        if facts.is_empty() {
            facts = vec![("source", self.name.clone()), ("reason", reason.to_owned())];
            facts.push(("entries", entries.to_string()));
        }
        let failure = Failure { at_ms: context.clock.now_ms(), text: text.clone() };
        context.notes.send(Note { level: Level::Error, event: "log_lost", text, facts });
        let mut status = lock(&context.status);
        *status.lost_messages.entry(reason).or_default() += entries;
        status.last_error = Some(failure);
    }

    /// Shows how it goes.
    pub(super) fn show(&mut self, context: &Context) {
        let unsettled = self.unsettled();
        let Some(reader) = &mut self.reader else { return };
        let health = reader.state();
        let mut status = lock(&context.status);
        status.inputs = health.open;
        status.behind_bytes = health.behind_bytes;
        status.unsettled_bytes = unsettled;
        status.unreadable = health.unreadable;
        status.lines += std::mem::take(&mut self.gatherer.lines);
        status.bytes += std::mem::take(&mut self.gatherer.bytes);
        status.cut_lines += std::mem::take(&mut self.gatherer.cut);
        status.holding = (!health.any && health.unreadable == 0).then(|| {
            let paths: Vec<String> =
                self.config.paths.iter().map(|path| path.display().to_string()).collect();
            format!(
                "there is no journal in {}: does journald run here, and is its folder mounted? `path` names another",
                paths.join(" or ")
            )
        });
        if let Some(problem) = &health.problem
            && status.last_error.as_ref().is_none_or(|last| !last.text.contains(problem.as_str()))
        {
            let denied = problem.contains("Permission denied");
            let help = if denied {
                ". Reading the journal takes the group `systemd-journal`, or CAP_DAC_READ_SEARCH"
            } else {
                ""
            };
            let text = format!("{problem}{help}");
            tracing::warn!(source = self.name, "{text}");
            status.last_error = Some(Failure { at_ms: context.clock.now_ms(), text });
        }
    }
}
