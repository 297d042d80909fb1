//! A real name server on loopback, and programs that ask it instead of the machine's.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::Process;
use crate::tools::tool;
use crate::wait::wait_for;

/// dnsmasq, on port 53 of a loopback address that is its own. Needs root.
#[derive(Debug)]
pub struct Dnsmasq {
    process: Option<Process>,
    address: String,
    dir: TempDir,
}

impl Dnsmasq {
    /// Starts one that knows what `records` say, as its options have them; `search` is what its clients put behind names.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn start(records: &[&str], search: &str) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-dns-")?;
        let pid = std::process::id();
        let address = format!("127.53.{}.{}", pid >> 8 & 0xff, 1 + pid % 254);
        let resolv = format!("search {search}\nnameserver {address}\n");
        fs::write(dir.path().join("resolv.conf"), resolv)?;
        let mut names = Self { process: None, address, dir };
        names.restart(records)?;
        Ok(names)
    }

    /// Starts it again with other records.
    ///
    /// # Errors
    /// As [`Dnsmasq::start`].
    pub fn restart(&mut self, records: &[&str]) -> Result<()> {
        self.stop();
        let mut command = Command::new(tool("DNSMASQ")?);
        command
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
                "--user=root",
            ])
            .args(["--bind-interfaces", "--pid-file", "--log-facility=-", "--local=/example/"])
            .arg(format!("--listen-address={}", self.address))
            .args(records);
        self.process = Some(Process::start("dnsmasq", &mut command, &self.dir.path().join("log"))?);
        wait_for("dnsmasq", Duration::from_secs(10), || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
            // The root's name servers: it refuses, and that is an answer.
            let query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01";
            socket.send_to(query, (self.address.as_str(), 53))?;
            socket.recv(&mut [0; 512]).context("no answer")
        })
        .map(drop)
    }

    /// Ends it: its clients have no name server then.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// What to put before a program so that it asks this server: a mount of its own over `/etc/resolv.conf`.
    pub fn prefix(&self) -> Vec<String> {
        let resolv = self.dir.path().join("resolv.conf").display().to_string();
        let script = format!("mount --bind {resolv} /etc/resolv.conf && exec \"$@\"");
        ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).into()
    }
}
