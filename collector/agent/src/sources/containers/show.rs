//! How the source goes, both ways of reading together.

use taffrail_container::inventory::Engine as Answers;

use super::task::{Known, Task};
use crate::status::{Failure, lock};

impl Task {
    /// Shows it on the board.
    pub(super) fn show(&self) {
        let files = lock(&self.by_file).clone();
        let (mut lines, mut bytes) = self.past;
        let (mut unsettled, mut unreadable, mut error) =
            (0, self.known.values().filter(|k| Known::is_held(k)).count(), None);
        for follower in self.followers.values() {
            let progress = follower.progress();
            lines += progress.lines;
            bytes += progress.bytes;
            unsettled += progress.unsettled_bytes;
            if let Some(why) = &progress.error {
                unreadable += 1;
                error.get_or_insert_with(|| why.clone());
            }
        }
        let now_ms = self.context.clock.now_ms();
        let error = error.map(|text| Failure { at_ms: now_ms, text });
        let mut status = lock(&self.context.status);
        status.inputs = files.inputs + self.followers.len();
        status.lines = files.lines + lines;
        status.bytes = files.bytes + bytes;
        status.behind_bytes = files.behind_bytes;
        status.unsettled_bytes = files.unsettled_bytes + unsettled;
        status.lost_bytes = files.lost_bytes;
        status.lost = files.lost;
        status.streams = files.streams;
        status.unreadable = files.unreadable + unreadable;
        status.cut_lines = files.cut_lines;
        status.holding = self.waits_for().or(files.holding).or_else(|| self.held.clone());
        let newest = [error, self.failure.clone(), files.last_error].into_iter().flatten();
        if let Some(newest) = newest.max_by_key(|failure| failure.at_ms) {
            status.last_error = Some(newest);
        }
    }

    /// Why nothing is read before the engine has named the containers.
    fn waits_for(&self) -> Option<String> {
        if self.begun {
            return None;
        }
        Some(match &self.engine.inventory().state().engine {
            Answers::None => "there is no engine of containers: is it running, and its socket mounted here? `docker` names \
                              another"
                .to_owned(),
            Answers::Away(why) => format!("the engine, which knows the containers, does not answer: {why}"),
            Answers::Unknown | Answers::Connected(_) => "it waits for the engine to name its containers".to_owned(),
        })
    }
}
