//! Files whose bytes are gone, and others in their place: truncated, and written to again.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::beside::Present;
use super::file::LogFile;
use super::loss::{Loss, Why};
use super::source::Source;

impl Source {
    /// The bytes that were known are gone, others stand in their place: the file begins anew, under a new number.
    pub(super) fn begin_anew(&mut self, id: u64, now: Duration) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let Some(handle) = file.handle.take() else { return };
        let (name, path, seen) = (file.name.clone(), file.path.take(), file.seen);
        let from_ns = file.tracker.due_ns();
        let original = file.original();
        let inode = (file.identity.device, file.identity.inode);
        let copy = self.go_on_in_copy(id, now);
        let after_ns = copy.map_or_else(|| self.known_until(&name), |(born_ns, _)| born_ns);
        let present = match &path {
            Some(path) if *path == name => {
                self.adopt_later_copies(&name, after_ns, (&original, &handle), now)
            }
            // Copies are made of what has the name.
            _ => Present::of(&handle),
        };
        // What is missing is between the two.
        let (gap, new_id) = (self.new_id(), self.new_id());
        let Some(file) = self.files.get_mut(&id) else { return };
        let bytes = copy
            .and_then(|(_, missing)| missing)
            .unwrap_or_else(|| file.size.saturating_sub(file.tracker.end()) + file.tracker.give_up_due());
        self.note_file(id);
        match present {
            Ok(present) => {
                let at = path.clone().unwrap_or_else(|| name.clone());
                let mut anew = LogFile::new(new_id, (handle, &present.meta), name.clone(), at, 0, now);
                anew.linked = present.meta.nlink() > 0;
                anew.path = path;
                anew.seen = seen;
                anew.holds(&present);
                self.follow(anew);
            }
            Err(e) => {
                // It is looked at as a file that nobody knows.
                self.by_inode.remove(&inode);
                self.complain(format!("cannot look at {}: {e}", name.display()));
            }
        }
        let from_ns = from_ns.unwrap_or_else(|| self.last_ns(&name));
        self.lose(Loss { name: &name, bytes, why: Why::Truncated, from_ns, at: Some(gap) });
    }
}
