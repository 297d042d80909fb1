//! The programs that scrape and send: how each is told to do the same work.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::Programs;
use crate::program::{Program, free_address};

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// The least that must be done, with remote write 1.0.
    Floor,
    /// This project's program, with this version of remote write.
    Taffrail(&'static str),
    /// VictoriaMetrics' agent; it knows 1.0.
    Vmagent,
    /// Prometheus in agent mode, with this version of remote write.
    Prometheus(&'static str),
}

impl Agent {
    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Agent::Floor => "floor",
            Agent::Taffrail("1.0") => "taffrail, 1.0",
            Agent::Taffrail(_) => "taffrail, 2.0",
            Agent::Vmagent => "vmagent, 1.0",
            Agent::Prometheus("1.0") => "Prometheus agent, 1.0",
            Agent::Prometheus(_) => "Prometheus agent, 2.0",
        }
    }
}

/// What an agent has to do.
#[derive(Clone, Debug)]
pub struct Work {
    /// Whose page is scraped.
    pub targets: Vec<SocketAddr>,
    /// Who gets the samples.
    pub sink: SocketAddr,
    /// How often.
    pub interval: Duration,
    /// A folder of its own, for its log.
    pub folder: PathBuf,
}

/// A running agent, and where it answers when it is ready.
pub struct Running {
    /// The process.
    pub program: Program,
    /// Its address and a path, where it has one.
    pub ready: Option<(SocketAddr, &'static str)>,
}

impl Agent {
    /// Starts it.
    pub fn start(self, programs: &Programs, work: &Work) -> Result<Running> {
        fs::create_dir_all(&work.folder)?;
        match self {
            Agent::Floor => floor(work),
            Agent::Taffrail(version) => taffrail(&programs.taffrail, work, version),
            Agent::Vmagent => vmagent(&programs.vmagent()?, work),
            Agent::Prometheus(version) => prometheus(&programs.prometheus()?, work, version),
        }
    }
}

fn floor(work: &Work) -> Result<Running> {
    let [target, sink] = [work.targets[0], work.sink].map(|address| address.to_string());
    let milliseconds = work.interval.as_millis().to_string();
    let file = work.folder.join("log").display().to_string();
    let program = Program::role("floor", &["scrape-floor", &target, &sink, &milliseconds, &file])?;
    Ok(Running { program, ready: None })
}

/// The block that all of them read.
fn scrape_configs(work: &Work, more: &str) -> String {
    let targets: Vec<String> = work.targets.iter().map(|target| format!("\"{target}\"")).collect();
    let ms = work.interval.as_millis();
    format!(
        "scrape_configs:\n  - job_name: bench\n    scrape_interval: {ms}ms\n    scrape_timeout: {ms}ms\n{more}    \
         static_configs:\n      - targets: [{}]\n",
        targets.join(", ")
    )
}

fn taffrail(path: &Path, work: &Work, version: &str) -> Result<Running> {
    let address = free_address()?;
    let config = work.folder.join("taffrail.yml");
    let text = format!(
        "listen: {address}\ndata_dir: {}\nself: false\n{}outputs:\n  prometheus:\n    \
         - {{url: \"http://{}/api/v1/write\", version: \"{version}\"}}\n",
        work.folder.join("data").display(),
        scrape_configs(work, "    body_size_limit: 1GB\n"),
        work.sink,
    );
    fs::write(&config, text)?;
    let program = Program::start("taffrail", path, &["run", "--config", &config.to_string_lossy()])?;
    Ok(Running { program, ready: Some((address, "/-/healthy")) })
}

fn vmagent(path: &Path, work: &Work) -> Result<Running> {
    let address = free_address()?;
    let config = work.folder.join("vmagent.yml");
    fs::write(&config, scrape_configs(work, ""))?;
    let arguments = [
        format!("-httpListenAddr={address}"),
        format!("-promscrape.config={}", config.display()),
        "-promscrape.maxScrapeSize=1GB".to_owned(),
        format!("-remoteWrite.url=http://{}/api/v1/write", work.sink),
        format!("-remoteWrite.tmpDataPath={}", work.folder.join("queue").display()),
        // Snappy from the beginning, and not zstd, which only its own receiver takes.
        "-remoteWrite.forcePromProto=true".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ok(Running {
        program: Program::start("vmagent", path, &arguments)?,
        ready: Some((address, "/-/healthy")),
    })
}

fn prometheus(path: &Path, work: &Work, version: &str) -> Result<Running> {
    let address = free_address()?;
    let config = work.folder.join("prometheus.yml");
    let message = match version {
        "1.0" => "prometheus.WriteRequest",
        _ => "io.prometheus.write.v2.Request",
    };
    let text = format!(
        "{}remote_write:\n  - url: http://{}/api/v1/write\n    protobuf_message: {message}\n",
        scrape_configs(work, ""),
        work.sink
    );
    fs::write(&config, text)?;
    let arguments = [
        "--agent".to_owned(),
        format!("--config.file={}", config.display()),
        format!("--storage.agent.path={}", work.folder.join("wal").display()),
        format!("--web.listen-address={address}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ok(Running {
        program: Program::start("Prometheus", path, &arguments)?,
        ready: Some((address, "/-/ready")),
    })
}
