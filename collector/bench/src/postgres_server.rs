//! A PostgreSQL server of the benchmark's own: small, or with hundreds of databases and thousands of tables.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::program::free_address;

/// The user that a server runs as where the benchmark is root, which servers refuse to be.
const NOBODY: u32 = 65_534;
/// Tables that are made at once.
const BATCH: usize = 500;

/// How large a server is.
#[derive(Clone, Copy)]
pub struct Size {
    /// What it is called in the table.
    pub name: &'static str,
    /// Databases, beside those that a new server has.
    pub databases: usize,
    /// Tables in the database `postgres`, each with a primary key.
    pub tables: usize,
}

/// A running server. It ends, and its files are removed, when this is dropped.
pub struct Server {
    /// Its port on the loopback address.
    pub port: u16,
    runtime: Runtime,
    folder: PathBuf,
    process: Child,
}

impl Server {
    /// Makes one, and fills it.
    pub fn start(program: &Path, size: Size) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("taffrail-bench-pg-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        if rustix::process::getuid().is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let data = folder.join("data");
        let mut initdb = command(&program.with_file_name("initdb"));
        initdb.arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]);
        let made = initdb.stdout(Stdio::null()).status().context("initdb cannot be started")?;
        ensure!(made.success(), "initdb: {made}");
        let port = free_address()?.port();
        let mut server = command(program);
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"]).arg(&folder);
        for setting in [
            "fsync=off",
            "shared_preload_libraries=pg_stat_statements",
            "pg_stat_statements.track_planning=on",
            "pg_stat_statements.track=all",
            "max_locks_per_transaction=1024",
            // What runs by itself would be measured as well, now and then.
            "autovacuum=off",
        ] {
            server.args(["-c", setting]);
        }
        let process = server.stderr(Stdio::null()).spawn().context("the server cannot be started")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let server = Server { port, runtime, folder, process };
        server.wait()?;
        server.fill(size)?;
        Ok(server)
    }

    fn wait(&self) -> Result<()> {
        for _ in 0..400 {
            if self.number("select 1::float8").is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
        bail!("the server does not start")
    }

    fn fill(&self, size: Size) -> Result<()> {
        for role in ["taffrail", "postgres_exporter"] {
            self.run(&format!("create role {role} login; grant pg_monitor to {role}"))?;
        }
        self.run("create extension pg_stat_statements")?;
        // Before the tables: each writes out what is not written yet.
        for database in 0..size.databases {
            self.run(&format!("create database d{database}"))?;
        }
        for from in (0..size.tables).step_by(BATCH) {
            let to = (from + BATCH).min(size.tables) - 1;
            self.run(&format!(
                "do $$ begin for i in {from}..{to} loop \
                 execute format('create table t%s (id int primary key)', i); \
                 execute format('insert into t%s values (1)', i); end loop; end $$"
            ))?;
        }
        self.run("analyze")?;
        self.run("checkpoint")
    }

    /// Runs statements.
    pub fn run(&self, text: &str) -> Result<()> {
        self.runtime.block_on(async { Ok(self.client().await?.batch_execute(text).await?) })
    }

    /// The number that a statement answers with.
    pub fn number(&self, text: &str) -> Result<f64> {
        self.runtime.block_on(async { Ok(self.client().await?.query_one(text, &[]).await?.try_get(0)?) })
    }

    async fn client(&self) -> Result<Client> {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await?;
        let mut config = tokio_postgres::Config::new();
        config.user("postgres").dbname("postgres");
        let (client, connection) = config.connect_raw(stream, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its own processes follow it, and write no more.
        sleep(Duration::from_millis(500));
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark starts the programs it measures")]
fn command(program: &Path) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}
