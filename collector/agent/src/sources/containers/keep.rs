//! The cursors of a source, from the disk when it begins, and back to it while they move.

use std::time::Duration;

use tokio::task::spawn_blocking;

use super::shelf::Shelf;
use super::task::Task;

/// How long until cursors that could not be read are tried again.
const HOLD: Duration = Duration::from_secs(5);

impl Task {
    pub(super) async fn open_shelf(&mut self) {
        let (state, now_ns) = (self.context.state.clone(), self.context.clock.now_ns());
        self.hold_until = self.context.clock.monotonic() + HOLD;
        match spawn_blocking(move || Shelf::open(&state, now_ns)).await {
            Ok(Ok((shelf, saved))) => (self.shelf, self.saved, self.held) = (Some(shelf), Some(saved), None),
            Ok(Err(why)) => {
                if self.held.is_none() {
                    tracing::error!(source = self.name, "{why}");
                }
                self.held = Some(why);
            }
            Err(error) => self.held = Some(error.to_string()),
        }
    }

    /// What is to be done now and then: cursors are saved, and how it goes is shown.
    pub(super) async fn keep(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        if self.held.is_some() && self.context.clock.monotonic() >= self.hold_until {
            self.open_shelf().await;
        }
        self.save().await;
        self.show();
    }

    async fn save(&mut self) {
        let Some(saved) = &mut self.saved else { return };
        let before = saved.clone();
        let past = &mut self.past;
        self.followers.retain(|id, follower| {
            let progress = follower.progress();
            let is_done = follower.is_done() && !self.known.contains_key(id);
            if is_done {
                *past = (past.0 + progress.lines, past.1 + progress.bytes);
                saved.cursors.remove(&**id);
            } else {
                saved.cursors.insert(id.to_string(), progress.cursor);
            }
            !is_done
        });
        if *saved == before && !self.save_failing {
            return;
        }
        let (Some(mut shelf), saved) = (self.shelf.take(), saved.clone()) else { return };
        let save = spawn_blocking(move || {
            let result = shelf.save(&saved);
            (shelf, result)
        });
        let Ok((shelf, result)) = save.await else { return };
        self.shelf = Some(shelf);
        let failed_before = std::mem::replace(&mut self.save_failing, result.is_err());
        if let Err(why) = result
            && !failed_before
        {
            self.complain(why);
        }
    }
}
