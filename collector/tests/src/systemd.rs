//! The real systemd, as an instance that is nobody's, with a bus and units of its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::process::Process;
use crate::tools::tool;

/// What the bus and the targets need, that every unit depends on.
const BASE: [(&str, &str); 8] = [
    ("default.target", "[Unit]\nRequires=basic.target dbus.socket dbus.service\nAfter=basic.target\n"),
    ("basic.target", "[Unit]\nWants=sockets.target timers.target\n"),
    ("sockets.target", "[Unit]\nDescription=Sockets\n"),
    ("timers.target", "[Unit]\nDescription=Timers\n"),
    ("shutdown.target", "[Unit]\nDefaultDependencies=no\n"),
    ("exit.target", "[Unit]\nDefaultDependencies=no\n"),
    ("dbus.socket", "[Socket]\nListenStream=%t/bus\n"),
    (
        "dbus.service",
        "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\n\
         ExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation\n",
    ),
];

/// A systemd. Dropping it kills it with all that it started. Needs root.
#[derive(Debug)]
pub struct Systemd {
    process: Process,
    pid: Pid,
    dir: TempDir,
}

impl Systemd {
    /// Starts one with units, as names and texts; those that say `WantedBy=default.target` are enabled. `DIR` in a text
    /// becomes a temporary folder. Waits until the bus is there.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn start(units: &[(&str, &str)]) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-systemd-")?;
        // Where systemd looks for what is enabled, too.
        let folder = dir.path().join(".config/systemd/user");
        let wants = folder.join("default.target.wants");
        fs::create_dir_all(&wants)?;
        for (name, text) in BASE.iter().chain(units) {
            fs::write(folder.join(name), text.replace("DIR", &dir.path().display().to_string()))?;
            if text.contains("WantedBy=default.target") {
                std::os::unix::fs::symlink(folder.join(name), wants.join(name))?;
            }
        }
        let mut command = Command::new(tool("SYSTEMD")?);
        command.arg(dir.path());
        let mut process = Process::start("systemd", &mut command, &dir.path().join("log"))?;
        let outer = process.pid();
        process.wait_ready(Duration::from_secs(30), || {
            ensure!(dir.path().join("bus").exists(), "its bus is not there");
            Ok(())
        })?;
        let pid = find_below(outer, "systemd").context("systemd runs, and is not found")?;
        Ok(Self { process, pid, dir })
    }

    /// The address of its bus, as `DBUS_SYSTEM_BUS_ADDRESS` has it.
    pub fn bus(&self) -> String {
        format!("unix:path={}/bus", self.dir.path().display())
    }

    /// Its folder: `DIR` in the units.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops it where it is, without a word, as one that is stuck.
    ///
    /// # Errors
    /// When it has ended.
    pub fn hang(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn go_on(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Its user and system time so far, in ticks of 10 ms.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_ticks(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let [user, system] = fields.get(11..13).context("a short stat")? else { bail!("a short stat") };
        Ok(user.parse::<u64>()? + system.parse::<u64>()?)
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        ensure!(self.process.running(), "systemd has ended");
        Ok(kill_process(self.pid, signal)?)
    }
}

/// The process of this name that another one has started, directly or not.
fn find_below(pid: u32, name: &str) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
        let is_it = fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == name);
        let found = if is_it { Pid::from_raw(child.cast_signed()) } else { find_below(child, name) };
        if found.is_some() {
            return found;
        }
    }
    None
}
