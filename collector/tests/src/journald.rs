//! The real journald, as an instance that is nobody's, with a socket and files of its own.

use std::fs;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, UCred, sendmsg};
use rustix::process::{Gid, Signal, Uid, getpid};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::tools::tool;
use crate::wait::wait_for;

const SOON: Duration = Duration::from_secs(60);

/// A journald. Dropping it kills it. Needs root.
#[derive(Debug)]
pub struct Journald {
    process: Option<Process>,
    variables: Vec<(String, String)>,
    dir: TempDir,
}

impl Journald {
    /// Starts one with lines of `journald.conf`, and variables of its environment, and waits until it takes messages.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn start(config: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-journald-")?;
        let folder = dir.path().join("run/systemd/journald.conf.d");
        fs::create_dir_all(&folder)?;
        let always = "Storage=persistent\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=\nForwardToSyslog=no\n";
        fs::write(folder.join("tests.conf"), format!("[Journal]\n{always}{config}\n"))?;
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut journald = Journald { process: None, variables: variables.collect(), dir };
        journald.again()?;
        Ok(journald)
    }

    /// Starts it once more, after it was killed.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn again(&mut self) -> Result<()> {
        let mut command = Command::new(tool("JOURNALD")?);
        command.arg(self.dir.path()).envs(self.variables.iter().cloned());
        let _ = fs::remove_file(self.socket());
        let mut process = Process::start("journald", &mut command, &self.dir.path().join("output"))?;
        process
            .wait_ready(SOON, || self.send(&[("MESSAGE", b"ready?"), ("SYSLOG_IDENTIFIER", b"harness")]))?;
        self.process = Some(process);
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("run/systemd/journal/socket")
    }

    /// The folder of the journal.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("log/journal")
    }

    /// The files of the journal.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for machine in fs::read_dir(self.folder())? {
            for file in fs::read_dir(machine?.path())? {
                files.push(file?.path());
            }
        }
        files.sort();
        Ok(files)
    }

    /// Writes an entry. Waits while journald does not take it.
    ///
    /// # Errors
    /// When it is not there.
    pub fn send(&self, fields: &[(&str, &[u8])]) -> Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.send_to(&native(fields), self.socket())?;
        Ok(())
    }

    /// The same as another user, whose entries have a file of their own from 1000 on.
    ///
    /// # Errors
    /// When it is not there.
    pub fn send_as(&self, user: u32, fields: &[(&str, &[u8])]) -> Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(self.socket())?;
        let who = UCred { pid: getpid(), uid: Uid::from_raw(user), gid: Gid::from_raw(user) };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut more = SendAncillaryBuffer::new(&mut space);
        ensure!(more.push(SendAncillaryMessage::ScmCredentials(who)), "no room for the user");
        sendmsg(&socket, &[IoSlice::new(&native(fields))], &mut more, SendFlags::empty())?;
        Ok(())
    }

    /// Has it put its files aside and begin new ones; waits until it has.
    ///
    /// # Errors
    /// When it does not.
    pub fn rotate(&mut self) -> Result<()> {
        let before = self.files()?.len();
        self.signal(Signal::USR2)?;
        wait_for("journald to rotate", SOON, || {
            ensure!(self.files()?.len() > before, "no new file");
            Ok(())
        })
    }

    /// Kills it as it is.
    ///
    /// # Errors
    /// When it had ended.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.process = None;
        Ok(())
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.as_mut().context("it was killed")?.signal(signal)
    }

    /// What journalctl reads there, entry by entry, in its order.
    ///
    /// # Errors
    /// When it cannot.
    pub fn journalctl(&self, args: &[&str]) -> Result<Vec<Value>> {
        journalctl(&self.folder(), args)
    }
}

/// What journalctl reads in a folder.
fn journalctl(folder: &Path, args: &[&str]) -> Result<Vec<Value>> {
    let output = Command::new(tool("JOURNALCTL")?)
        .args(["--no-pager", "-q", "-a", "-o", "json", "-D"])
        .arg(folder)
        .args(args)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Ok(serde_json::from_slice(line)?))
        .collect()
}

/// journald's own protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL>.
fn native(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        if value.contains(&b'\n') {
            out.push(b'\n');
            out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out
}
