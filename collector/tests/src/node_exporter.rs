//! The real node_exporter, to compare with.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::http::Client;
use crate::process::Process;
use crate::tools::tool;
use crate::wait::free_port;

/// The exporter.
#[derive(Debug)]
pub struct NodeExporter {
    port: u16,
    process: Process,
    _dir: TempDir,
}

impl NodeExporter {
    /// Starts one with more arguments (`--collector.disable-defaults`, …) and waits until it serves.
    ///
    /// # Errors
    /// When `setup.sh` could not provide it, or it does not come up; with its log.
    pub fn start(args: &[&str]) -> Result<Self> {
        Self::start_with(args, &[])
    }

    /// The same with more variables in its environment.
    ///
    /// # Errors
    /// As [`NodeExporter::start`].
    pub fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-node-exporter-")?;
        let port = free_port()?;
        let mut command = Command::new(tool("NODE_EXPORTER")?);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(args);
        command.envs(variables.iter().copied());
        let mut process = Process::start("node_exporter", &mut command, &dir.path().join("log"))?;
        let client = Client::new(port);
        process.wait_ready(Duration::from_secs(30), || client.get_ok("/").map(drop))?;
        Ok(Self { port, process, _dir: dir })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id, to measure what it costs.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its metrics page.
    ///
    /// # Errors
    /// When it does not answer 200.
    pub fn metrics(&self) -> Result<String> {
        Ok(Client::new(self.port).get_ok("/metrics")?.text())
    }
}
