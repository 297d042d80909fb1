//! The `taffrail` binary as it is shipped: as a child process, through its command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::http::Client;
use crate::process::{Process, behind, output};
use crate::tools::repo_root;
use crate::wait::free_port;

/// A running `taffrail run`, with config, data and log in a temporary folder.
#[derive(Debug)]
pub struct Taffrail {
    port: u16,
    /// None while it is stopped.
    process: Option<Process>,
    dir: TempDir,
    variables: Vec<(String, String)>,
    prefix: Vec<String>,
}

impl Taffrail {
    /// Starts it with a config and waits until `/-/ready` answers. `listen` and `data_dir` are set by
    /// the harness; `DIR` in the config becomes the temporary folder.
    ///
    /// # Errors
    /// When it cannot be built, or does not come up within 30 s; with its log.
    pub fn start(config: &str) -> Result<Self> {
        let mut taffrail = Self::prepare(config)?;
        taffrail.spawn()?;
        taffrail.wait_ready(Duration::from_secs(30))?;
        Ok(taffrail)
    }

    /// Writes config and folder, starts nothing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn prepare(config: &str) -> Result<Self> {
        let dir = TempDir::with_prefix("taffrail-run-")?;
        let taffrail =
            Self { port: free_port()?, process: None, dir, variables: Vec::new(), prefix: Vec::new() };
        taffrail.configure(config)?;
        Ok(taffrail)
    }

    /// A variable in the environment of all later starts.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Programs to start it behind, that end by becoming it.
    pub fn set_prefix(&mut self, prefix: Vec<String>) {
        self.prefix = prefix;
    }

    /// Starts the process without waiting for it to be ready.
    ///
    /// # Errors
    /// When the binary cannot be built or started.
    pub fn spawn(&mut self) -> Result<()> {
        self.spawn_with(&[])
    }

    /// The same with more arguments of `run`.
    ///
    /// # Errors
    /// As [`Taffrail::spawn`].
    pub fn spawn_with(&mut self, args: &[&str]) -> Result<()> {
        self.process = None;
        let mut command = behind(&self.prefix, Self::binary()?);
        command
            .arg("run")
            .arg("--config")
            .arg(self.config_path())
            .arg("--set")
            .arg(format!("listen=127.0.0.1:{}", self.port))
            .arg("--set")
            .arg(format!("data_dir={}", self.data_dir().display()))
            .args(args)
            .envs(self.variables.iter().cloned());
        self.process = Some(Process::start("taffrail", &mut command, &self.log_path())?);
        Ok(())
    }

    /// Waits until `/-/ready` answers 200.
    ///
    /// # Errors
    /// When it ends before, or takes longer; with its log.
    pub fn wait_ready(&mut self, timeout: Duration) -> Result<()> {
        let client = self.client();
        self.process()?.wait_ready(timeout, || client.get_ok("/-/ready").map(drop))
    }

    /// Writes another config where the running one was read from; it is not reloaded by that.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, config: &str) -> Result<()> {
        let config = config.replace("DIR", &self.dir().display().to_string());
        // Moved into place, as editors and config management do.
        let new = self.dir().join("taffrail.yml.new");
        fs::write(&new, config)?;
        fs::rename(&new, self.config_path())?;
        Ok(())
    }

    /// Its temporary folder: `taffrail.yml`, `data`, `log`, and what the test puts there.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The config file.
    pub fn config_path(&self) -> PathBuf {
        self.dir().join("taffrail.yml")
    }

    /// Where it keeps its state.
    pub fn data_dir(&self) -> PathBuf {
        self.dir().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.dir().join("log")
    }

    /// All it has written to its outputs, over restarts.
    ///
    /// # Errors
    /// When it has never been started.
    pub fn log(&self) -> Result<String> {
        let path = self.log_path();
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// The port of its page, the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// For requests to its page and API.
    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// The process, while it has been started.
    ///
    /// # Errors
    /// When it has not.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("taffrail is not started")
    }

    /// `kill -9`: ends it at once, wherever it is.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and waits; gives the exit code.
    ///
    /// # Errors
    /// When it is not running, or takes longer than `timeout`.
    pub fn terminate(&mut self, timeout: Duration) -> Result<Option<i32>> {
        let status = self.process()?.terminate(timeout)?;
        self.process = None;
        Ok(status.code())
    }

    /// SIGHUP: asks it to read its config again.
    ///
    /// # Errors
    /// When it is not running.
    pub fn hang_up(&mut self) -> Result<()> {
        self.process()?.signal(Signal::HUP)
    }

    /// Starts it again on the same folder and port, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Taffrail::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.spawn()?;
        self.wait_ready(Duration::from_secs(30))
    }

    /// Runs `taffrail ARGS` to its end: exit code (none where a signal ended it) and both outputs.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub fn command(args: &[&str]) -> Result<(Option<i32>, String)> {
        output(Self::binary()?, args)
    }

    /// The binary under test: `$TAFFRAIL_BIN`, else built once a run beside the test binary.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn binary() -> Result<&'static Path> {
        static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let built = BINARY.get_or_init(|| build().map_err(|err| format!("{err:#}")));
        match built {
            Ok(path) => Ok(path),
            Err(err) => bail!("{err}"),
        }
    }
}

fn build() -> Result<PathBuf> {
    if let Some(path) = env::var_os("TAFFRAIL_BIN") {
        return Ok(PathBuf::from(path));
    }
    // target/<profile>/deps/<test binary>
    let test = env::current_exe()?;
    let profile =
        test.ancestors().nth(2).with_context(|| format!("{} is not in a target folder", test.display()))?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--quiet", "--locked", "-p", "taffrail-collector"])
        .args(["--bin", "taffrail", "--target-dir"])
        .arg(profile.parent().unwrap_or(profile))
        .current_dir(repo_root());
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo could not build the taffrail binary: {status}");
    }
    Ok(profile.join("taffrail"))
}
