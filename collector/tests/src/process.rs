//! A child process with its log, that ends when its value is dropped.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::wait_for;

/// A command that runs `program` behind others, such as one that changes what it sees; none is the program itself.
pub(crate) fn behind(prefix: &[String], program: &Path) -> Command {
    let Some((first, rest)) = prefix.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// Lines of a log that a failed test prints.
const LOG_TAIL: usize = 60;

/// A program under test. Dropping it kills it by its pid; while a test is failing, that also prints
/// the end of its log.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// How it ended, once somebody has waited for it: its pid may belong to another by then.
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with both of its outputs appended to `log`.
    ///
    /// # Errors
    /// When the program cannot be started or the log not be written.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = append(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name} ({:?})", command.get_program()))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf(), ended: None })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it has written so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        let bytes =
            std::fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// True while it runs.
    pub fn running(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended.is_none()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if !self.running() {
            bail!("{} has ended already: {:?}", self.name, self.ended);
        }
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it still runs after `timeout`.
    pub fn wait_end(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        wait_for(&format!("{name} to end"), timeout, || {
            if self.running() {
                bail!("it still runs");
            }
            self.ended.context("it ended, nobody knows how")
        })
    }

    /// Asks it to end with SIGTERM and waits.
    ///
    /// # Errors
    /// When it has ended already, or still runs after `timeout`.
    pub fn terminate(&mut self, timeout: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_end(timeout)
    }

    /// Ends it at once, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        if self.running() {
            // Both fail only when it has ended meanwhile, which is what is asked for.
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    /// Waits until `ready` succeeds; stops waiting when the program ends before that.
    ///
    /// # Errors
    /// When it ended, or was not ready after `timeout`; with the end of its log.
    pub fn wait_ready(&mut self, timeout: Duration, mut ready: impl FnMut() -> Result<()>) -> Result<()> {
        let name = self.name.clone();
        let waited = wait_for(&format!("{name} to be ready"), timeout, || {
            if self.running() {
                return ready().map(Ok);
            }
            Ok(Err(anyhow::anyhow!("{name} ended at once: {:?}", self.ended)))
        });
        waited
            .and_then(|ended_or_ready| ended_or_ready)
            .with_context(|| format!("the end of its log:\n{}", self.log_tail()))
    }

    fn log_tail(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!(
                "--- {} ({}), end of its log:\n{}\n---",
                self.name,
                self.log.display(),
                self.log_tail()
            );
        }
    }
}

/// Runs a program to its end and gives its exit code and both outputs together.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn output<S: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = S>,
) -> Result<(Option<i32>, String)> {
    let out = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let text = [out.stdout, out.stderr].concat();
    Ok((out.status.code(), String::from_utf8_lossy(&text).into_owned()))
}

fn append(log: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Process) {
        let dir = tempfile::tempdir().unwrap();
        let process =
            Process::start("a script", Command::new("sh").args(["-c", script]), &dir.path().join("log"))
                .unwrap();
        (dir, process)
    }

    #[test]
    fn is_killed_on_drop() {
        let (_dir, process) = shell("exec sleep 600");
        let pid = process.pid();
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_program_that_ends_at_once_is_told_with_its_log() {
        let (_dir, mut process) = shell("echo no such thing; exit 3");
        let err = process.wait_ready(Duration::from_secs(10), || bail!("not yet")).unwrap_err();
        let text = format!("{err:#}");
        assert!(text.contains("no such thing"), "{text}");
        assert!(text.contains("ended at once"), "{text}");
    }

    #[test]
    fn terminates_and_gives_the_exit_code() {
        let (_dir, mut process) = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        wait_for("the trap", Duration::from_secs(10), || {
            if process.log()?.contains("ready") {
                return Ok(());
            }
            bail!("not yet")
        })
        .unwrap();
        let status = process.terminate(Duration::from_secs(10)).unwrap();
        assert_eq!(status.code(), Some(7));
        assert!(process.signal(Signal::TERM).is_err(), "never by a stale pid");
    }
}
