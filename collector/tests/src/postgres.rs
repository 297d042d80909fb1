//! A real PostgreSQL server of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustix::process::getuid;
use tempfile::TempDir;

use crate::process::Process;
use crate::tools::tool;
use crate::wait::{free_port, wait_for};

/// Whom the server's programs run as where the test runs as root: they refuse to run as root. It is `nobody`.
const USER: u32 = 65534;

/// The server, with its data in a temporary folder; `postgres` is its superuser.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    _process: Process,
    // Last, so that the server ends before its folder goes.
    dir: TempDir,
}

impl Postgres {
    /// The superuser's password.
    pub const PASSWORD: &str = "hunter2";

    /// Starts one, and waits until it takes connections.
    ///
    /// # Errors
    /// When `setup.sh` could not provide it, or it does not come up; with its log.
    pub fn start() -> Result<Self> {
        let program = tool("POSTGRES")?;
        let dir = TempDir::with_prefix("taffrail-postgres-")?;
        let (data, password) = (dir.path().join("data"), dir.path().join("password"));
        fs::write(&password, Self::PASSWORD)?;
        if getuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(USER), Some(USER))?;
            std::os::unix::fs::chown(&password, Some(USER), Some(USER))?;
        }
        let mut initdb = command(&program.with_file_name("initdb"));
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        initdb.args(["-U", "postgres", "--auth=scram-sha-256", "--no-sync", "--locale=C"]);
        let made = initdb.stdout(Stdio::null()).status()?;
        ensure!(made.success(), "initdb fails: {made}");
        let port = free_port()?;
        let mut server = command(&program);
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"]).arg(dir.path());
        server.args(["-c", "fsync=off"]);
        let process = Process::start("postgres", &mut server, &dir.path().join("log"))?;
        let log = dir.path().join("log");
        wait_for("the server", Duration::from_secs(60), || {
            if !fs::read_to_string(&log)?.contains("ready to accept connections") {
                bail!("it does not say that it is ready");
            }
            Ok(())
        })?;
        Ok(Self { port, _process: process, dir })
    }

    /// Where it logs to.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Runs statements as its superuser; false where they fail.
    ///
    /// # Errors
    /// When `psql` cannot be run.
    pub fn psql(&self, password: &str, statements: &str) -> Result<bool> {
        let mut psql = Command::new(tool("POSTGRES")?.with_file_name("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", "postgres"]);
        psql.args(["-v", "ON_ERROR_STOP=1", "-X", "-q", "-c", statements]).env("PGPASSWORD", password);
        Ok(psql.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn command(program: &Path) -> Command {
    if !getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let user = USER.to_string();
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(program);
    command
}
