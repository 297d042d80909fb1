//! statfs(2) on many mounts, none of which may hold up the others.
//!
//! One thread asks all mounts, one after the other: with healthy mounts that is all there is to it. When it has not come
//! through in a tenth of the time, more threads take the mounts that are left, so that a dead server with many mounts
//! costs no more than its own. What has no answer when the time is over is late: its thread is left to it, and the mount
//! is not asked again before that thread comes back.
//!
//! File systems whose answer is in memory, on paths that lead through such ones only, are asked at once: to wake a thread
//! takes longer than they do.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taffrail_core::worker::Worker;

/// The most threads that hang in statfs at one time; mounts beyond are not asked while so many do.
pub(crate) const MAX_STUCK: usize = 64;

/// How much there is, and how much is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in all.
    pub size: u64,
    /// Bytes free.
    pub free: u64,
    /// Bytes free for those who are not root.
    pub available: u64,
    /// Inodes in all.
    pub files: u64,
    /// Inodes free.
    pub files_free: u64,
}

/// The call that is made for a path.
pub type Ask = fn(&Path) -> io::Result<Usage>;

/// statfs(2), in bytes.
pub fn ask_kernel(path: &Path) -> io::Result<Usage> {
    let stat = rustix::fs::statfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(u64::try_from(stat.f_bsize).unwrap_or_default());
    Ok(Usage {
        size: bytes(stat.f_blocks),
        free: bytes(stat.f_bfree),
        available: bytes(stat.f_bavail),
        files: stat.f_files,
        files_free: stat.f_ffree,
    })
}

/// One mount to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The mount's id, by which it is known again.
    pub(crate) id: u32,
    /// Where it is reached.
    pub(crate) path: Vec<u8>,
    /// It answers from memory, whatever has become of the disk or the server.
    pub(crate) prompt: bool,
}

impl Target {
    fn ask(&self, ask: Ask) -> io::Result<Usage> {
        ask(Path::new(OsStr::from_bytes(&self.path)))
    }
}

/// What came of asking a mount.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It answered.
    Usage(Usage),
    /// It refused.
    Failed(io::Error),
    /// It has not answered in time, in this run or in one before.
    Late,
    /// It was not asked, because too many others are late.
    NotAsked,
}

/// Asks mounts, run after run.
pub(crate) struct Asker {
    ask: Ask,
    worker: Worker,
    late: Vec<Late>,
}

/// A mount whose answer is still awaited.
struct Late {
    id: u32,
    round: Arc<Round>,
    at: usize,
}

impl Asker {
    pub(crate) fn new(ask: Ask) -> Self {
        Asker { ask, worker: Worker::new("statfs"), late: Vec::new() }
    }

    /// Asks all `targets` and waits at most `limit`. The answers are in the order of the targets.
    pub(crate) fn run(&mut self, targets: &Arc<[Target]>, limit: Duration) -> io::Result<Vec<Answer>> {
        self.late.retain(|late| !late.round.has_answer(late.at));
        let is_late = |target: &Target| self.late.iter().any(|late| late.id == target.id);
        let waiting: Vec<bool> = targets.iter().map(is_late).collect();
        let round = Arc::new(Round::new(targets.clone(), &waiting, self.ask));
        if round.wait(Duration::ZERO) {
            return Ok(self.close(&round, targets, &waiting));
        }
        self.worker.submit(round.walker(self.ask))?;
        let patience = limit / 10;
        if !round.wait(patience) {
            self.add_walkers(&round)?;
            if !round.wait(limit - patience) {
                self.worker.abandon();
            }
        }
        Ok(self.close(&round, targets, &waiting))
    }

    /// A thread for each mount that nobody has taken yet, within the bound.
    fn add_walkers(&self, round: &Arc<Round>) -> io::Result<()> {
        let room = MAX_STUCK.saturating_sub(self.late.len() + 1);
        for _ in 0..round.not_taken().min(room) {
            Worker::new("statfs").submit(round.walker(self.ask))?;
        }
        Ok(())
    }

    fn close(&mut self, round: &Arc<Round>, targets: &[Target], waiting: &[bool]) -> Vec<Answer> {
        let mut state = round.lock();
        state.closed = true;
        let slots = state.slots.iter_mut().zip(targets).zip(waiting).enumerate();
        slots
            .map(|(at, ((slot, target), waiting))| match std::mem::replace(slot, Slot::Taken) {
                Slot::Answered(Ok(usage)) => Answer::Usage(usage),
                Slot::Answered(Err(error)) => Answer::Failed(error),
                Slot::Free => Answer::NotAsked,
                Slot::Taken => {
                    if !waiting {
                        self.late.push(Late { id: target.id, round: round.clone(), at });
                    }
                    Answer::Late
                }
            })
            .collect()
    }
}

/// One run over all mounts, shared with the threads that ask.
struct Round {
    targets: Arc<[Target]>,
    state: Mutex<State>,
    finished: Condvar,
}

struct State {
    slots: Vec<Slot>,
    /// Slots before this one are taken.
    next: usize,
    /// Slots without an answer that is to come.
    open: usize,
    /// Nobody waits any more: threads that come back take no further mount.
    closed: bool,
}

enum Slot {
    Free,
    Taken,
    Answered(io::Result<Usage>),
}

impl Round {
    /// A round in which the mounts that are still `waiting` for an earlier answer are not asked, and prompt ones have
    /// answered.
    fn new(targets: Arc<[Target]>, waiting: &[bool], ask: Ask) -> Self {
        let slot = |(target, waiting): (&Target, &bool)| match (target.prompt, *waiting) {
            (true, _) => Slot::Answered(target.ask(ask)),
            (false, true) => Slot::Taken,
            (false, false) => Slot::Free,
        };
        let slots: Vec<Slot> = targets.iter().zip(waiting).map(slot).collect();
        let open = slots.iter().filter(|slot| matches!(slot, Slot::Free)).count();
        let state = State { slots, next: 0, open, closed: false };
        Round { targets, state: Mutex::new(state), finished: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The work of one thread: takes mounts until none is left.
    fn walker(self: &Arc<Self>, ask: Ask) -> impl FnOnce() + Send + 'static {
        let round = self.clone();
        move || {
            while let Some(at) = round.take() {
                let answer = round.targets[at].ask(ask);
                let mut state = round.lock();
                state.slots[at] = Slot::Answered(answer);
                state.open -= 1;
                if state.open == 0 {
                    round.finished.notify_one();
                }
            }
        }
    }

    fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let at = (state.next..state.slots.len()).find(|at| matches!(state.slots[*at], Slot::Free))?;
        state.slots[at] = Slot::Taken;
        state.next = at + 1;
        Some(at)
    }

    fn not_taken(&self) -> usize {
        self.lock().slots.iter().filter(|slot| matches!(slot, Slot::Free)).count()
    }

    fn has_answer(&self, at: usize) -> bool {
        matches!(self.lock().slots[at], Slot::Answered(_))
    }

    /// Waits until all have answered; false when the time is over first.
    fn wait(&self, limit: Duration) -> bool {
        let unfinished = |state: &mut State| state.open > 0;
        let waited = self.finished.wait_timeout_while(self.lock(), limit, unfinished);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.open == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(300);

    /// Threads hang in here as in statfs on a dead mount, until the path is released.
    static HELD: (Mutex<BTreeSet<String>>, Condvar) = (Mutex::new(BTreeSet::new()), Condvar::new());
    static CALLS: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn hold(path: &str) {
        HELD.0.lock().unwrap().insert(path.into());
    }

    fn release(path: &str) {
        HELD.0.lock().unwrap().remove(path);
        HELD.1.notify_all();
    }

    fn calls(path: &str) -> usize {
        CALLS.lock().unwrap().iter().filter(|call| *call == path).count()
    }

    fn ask(path: &Path) -> io::Result<Usage> {
        let path = path.to_string_lossy().into_owned();
        CALLS.lock().unwrap().push(path.clone());
        let held = HELD.0.lock().unwrap();
        drop(HELD.1.wait_while(held, |held| held.contains(&path)).unwrap());
        if path.ends_with("refused") {
            return Err(io::Error::from_raw_os_error(13));
        }
        Ok(Usage { size: path.len() as u64, free: 0, available: 0, files: 0, files_free: 0 })
    }

    fn targets(paths: &[&str]) -> Arc<[Target]> {
        paths
            .iter()
            .zip(1..)
            .map(|(path, id)| Target { id, path: path.as_bytes().into(), prompt: false })
            .collect()
    }

    fn word(answer: &Answer) -> &'static str {
        match answer {
            Answer::Usage(_) => "usage",
            Answer::Failed(_) => "failed",
            Answer::Late => "late",
            Answer::NotAsked => "not asked",
        }
    }

    fn run(asker: &mut Asker, targets: &Arc<[Target]>, limit: Duration) -> Vec<&'static str> {
        asker.run(targets, limit).unwrap().iter().map(word).collect()
    }

    #[test]
    fn answers_are_in_order() {
        let mut asker = Asker::new(ask);
        let targets = targets(&["/o/a", "/o/refused", "/o/c"]);
        for _ in 0..3 {
            assert_eq!(run(&mut asker, &targets, LONG), ["usage", "failed", "usage"]);
        }
        assert!(run(&mut asker, &self::targets(&[]), LONG).is_empty());
    }

    #[test]
    fn prompt_mounts_need_no_thread() {
        let mut asker = Asker::new(ask);
        let prompt = |mut target: Target| {
            target.prompt = true;
            target
        };
        let all: Arc<[Target]> = targets(&["/p/a", "/p/refused"]).iter().cloned().map(prompt).collect();
        assert_eq!(run(&mut asker, &all, SHORT), ["usage", "failed"]);
        // Beside one that hangs they have answered all the same.
        hold("/p/dead");
        let mut list = targets(&["/p/dead", "/p/a", "/p/b"]).to_vec();
        list[1].prompt = true;
        assert_eq!(run(&mut asker, &list.into(), SHORT), ["late", "usage", "usage"]);
        release("/p/dead");
    }

    #[test]
    fn a_late_mount_costs_its_own_answer_and_is_not_asked_again() {
        let mut asker = Asker::new(ask);
        let targets = targets(&["/l/a", "/l/dead", "/l/c"]);
        hold("/l/dead");
        for _ in 0..3 {
            assert_eq!(run(&mut asker, &targets, SHORT), ["usage", "late", "usage"]);
        }
        assert_eq!((calls("/l/dead"), calls("/l/c")), (1, 3));
        let round = asker.late[0].round.clone();
        release("/l/dead");
        while !round.has_answer(1) {
            std::thread::yield_now();
        }
        assert_eq!(run(&mut asker, &targets, LONG), ["usage", "usage", "usage"]);
        assert_eq!(calls("/l/dead"), 2);
    }

    #[test]
    fn many_dead_mounts_are_bounded_and_hold_up_no_other() {
        let mut asker = Asker::new(ask);
        let names: Vec<String> = (0..100).map(|n| format!("/m/{n}")).collect();
        let mut paths: Vec<&str> = names.iter().map(|name| &**name).collect();
        paths[..MAX_STUCK - 1].iter().for_each(|path| hold(path));
        paths.push("/m/good");
        let got = run(&mut asker, &targets(&paths), SHORT);
        assert_eq!(got.iter().filter(|word| **word == "late").count(), MAX_STUCK - 1);
        assert_eq!(got.last(), Some(&"usage"));
        paths.iter().for_each(|path| release(path));
    }

    #[test]
    fn another_mount_on_the_same_path_is_asked() {
        let mut asker = Asker::new(ask);
        hold("/n/x");
        let mut list = targets(&["/n/x"]).to_vec();
        assert_eq!(run(&mut asker, &list.clone().into(), SHORT), ["late"]);
        list[0].id = 99;
        list[0].path = b"/n/y".to_vec();
        assert_eq!(run(&mut asker, &list.into(), LONG), ["usage"]);
        release("/n/x");
    }
}
