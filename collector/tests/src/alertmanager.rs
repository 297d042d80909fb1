//! A real Alertmanager that sends to nobody.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::Client;
use crate::process::Process;
use crate::tools::tool;
use crate::wait::free_port;

const CONFIG: &str = "\
route: {receiver: nobody, group_wait: 0s, group_interval: 1s}
receivers: [{name: nobody}]
";

/// The server, with its data in a temporary folder.
#[derive(Debug)]
pub struct Alertmanager {
    port: u16,
    _process: Process,
    _dir: TempDir,
}

impl Alertmanager {
    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// When `setup.sh` could not provide it, or it does not come up; with its log.
    pub fn start() -> Result<Self> {
        Self::start_with(CONFIG)
    }

    /// The same with an `alertmanager.yml` of one's own.
    ///
    /// # Errors
    /// As [`Alertmanager::start`].
    pub fn start_with(config: &str) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-alertmanager-")?;
        let path = dir.path().display();
        fs::write(dir.path().join("alertmanager.yml"), config)?;
        let port = free_port()?;
        let mut command = Command::new(tool("ALERTMANAGER")?);
        command.args([
            format!("--config.file={path}/alertmanager.yml"),
            format!("--storage.path={path}/data"),
            format!("--web.listen-address=127.0.0.1:{port}"),
            // No cluster: it would listen beyond loopback.
            "--cluster.listen-address=".to_owned(),
        ]);
        let mut process = Process::start("Alertmanager", &mut command, &dir.path().join("log"))?;
        let client = Client::new(port);
        process.wait_ready(Duration::from_secs(30), || client.get_ok("/-/ready").map(drop))?;
        Ok(Self { port, _process: process, _dir: dir })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The alerts that are firing, as its API gives them.
    ///
    /// # Errors
    /// When it does not answer with a list.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        let answer = Client::new(self.port).get_ok("/api/v2/alerts")?;
        serde_json::from_slice(&answer.body).context("/api/v2/alerts gave no list")
    }
}
