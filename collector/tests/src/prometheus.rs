//! A real Prometheus that takes remote write and answers queries.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::Client;
use crate::process::{Process, behind};
use crate::tools::tool;
use crate::wait::{free_port, wait_for};

/// Scrapes itself each second, so that a fresh one has something to ask for.
const CONFIG: &str = "\
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ['127.0.0.1:PORT']}]
";

/// Which Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The newest 3.x of Debian's packages.
    V3,
    /// The 2.x of an older suite.
    V2,
}

/// One series of a query's answer, with its value now.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Labels with `__name__`.
    pub labels: BTreeMap<String, String>,
    /// Time in seconds and value, oldest first; one for an instant query.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A label's value, empty where it has none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The last value; NaN where there is none.
    pub fn value(&self) -> f64 {
        self.points.last().map_or(f64::NAN, |(_, value)| *value)
    }
}

/// The server, with its data in a temporary folder.
#[derive(Debug)]
pub struct Prometheus {
    binary: PathBuf,
    prefix: Vec<String>,
    args: Vec<String>,
    port: u16,
    /// None while it is stopped.
    process: Option<Process>,
    // Last, so that the server ends before its folder goes.
    dir: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes itself only, and waits until it is ready.
    ///
    /// # Errors
    /// When `setup.sh` could not provide it, or it does not come up; with its log.
    pub fn start(version: Version, extra_args: &[&str]) -> Result<Self> {
        Self::start_with(version, CONFIG, extra_args)
    }

    /// The same with a `prometheus.yml` of one's own; `PORT` in it becomes the server's own port and
    /// `DIR` its folder.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn start_with(version: Version, config: &str, extra_args: &[&str]) -> Result<Self> {
        Self::start_behind(&[], version, config, extra_args)
    }

    /// The same behind other programs, that end by becoming it.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn start_behind(
        prefix: &[String],
        version: Version,
        config: &str,
        extra_args: &[&str],
    ) -> Result<Self> {
        let binary = tool(match version {
            Version::V3 => "PROMETHEUS",
            Version::V2 => "PROMETHEUS2",
        })?;
        let dir = TempDir::with_prefix("taffrail-prometheus-")?;
        let port = free_port()?;
        let path = dir.path().display().to_string();
        let config = config.replace("PORT", &port.to_string()).replace("DIR", &path);
        fs::write(dir.path().join("prometheus.yml"), config)?;
        let mut args = vec![
            format!("--config.file={path}/prometheus.yml"),
            format!("--storage.tsdb.path={path}/data"),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--web.enable-remote-write-receiver".to_owned(),
            "--web.enable-lifecycle".to_owned(),
        ];
        args.extend(extra_args.iter().map(|arg| (*arg).to_owned()));
        let mut server = Self { binary, prefix: prefix.to_vec(), args, port, process: None, dir };
        server.restart()?;
        Ok(server)
    }

    /// The port it listens on, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where remote write goes.
    pub fn write_url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1/write", self.port)
    }

    /// Its folder, with `prometheus.yml` and `data`.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Stops it as an operator would; its data and port stay.
    ///
    /// # Errors
    /// When it is not running, or does not end within 20 s.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("Prometheus is not running")?;
        process.terminate(Duration::from_secs(20)).map(drop)
    }

    /// `kill -9`: ends it at once, wherever it is; its data and port stay.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again, on the same data and port.
    ///
    /// # Errors
    /// When it does not come up within 30 s; with its log.
    pub fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.stop()?;
        }
        let log = self.dir.path().join("log");
        let mut command = behind(&self.prefix, &self.binary);
        let mut process = Process::start("Prometheus", command.args(&self.args), &log)?;
        let client = self.client();
        process.wait_ready(Duration::from_secs(30), || client.get_ok("/-/ready").map(drop))?;
        self.process = Some(process);
        Ok(())
    }

    /// All it has logged.
    ///
    /// # Errors
    /// When it has not been started.
    pub fn log(&self) -> Result<String> {
        self.process.as_ref().context("Prometheus is stopped")?.log()
    }

    /// For requests of one's own.
    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// An instant query, now.
    ///
    /// # Errors
    /// When Prometheus refuses the expression or gives no series (a scalar).
    pub fn query(&self, expr: &str) -> Result<Vec<Series>> {
        self.ask(&format!("/api/v1/query?query={}", escape(expr)))
    }

    /// A range query; times in seconds since 1970.
    ///
    /// # Errors
    /// As [`Prometheus::query`].
    pub fn query_range(&self, expr: &str, from: f64, to: f64, step: f64) -> Result<Vec<Series>> {
        self.ask(&format!("/api/v1/query_range?query={}&start={from}&end={to}&step={step}", escape(expr)))
    }

    /// Waits until a query gives at least one series.
    ///
    /// # Errors
    /// When it gives none within `timeout`.
    pub fn wait_for(&self, expr: &str, timeout: Duration) -> Result<Vec<Series>> {
        wait_for(&format!("{expr} in Prometheus"), timeout, || {
            let series = self.query(expr)?;
            if series.is_empty() {
                bail!("no series");
            }
            Ok(series)
        })
    }

    fn ask(&self, path: &str) -> Result<Vec<Series>> {
        let answer: Value = serde_json::from_slice(&self.client().get_ok(path)?.body)?;
        let result =
            answer["data"]["result"].as_array().with_context(|| format!("not a list of series: {answer}"))?;
        result.iter().map(series).collect()
    }
}

fn series(value: &Value) -> Result<Series> {
    let labels =
        serde_json::from_value(value["metric"].clone()).with_context(|| format!("not a series: {value}"))?;
    let points = match &value["values"] {
        Value::Array(points) => points.iter().map(point).collect::<Result<_>>()?,
        _ => vec![point(&value["value"])?],
    };
    Ok(Series { labels, points })
}

fn point(value: &Value) -> Result<(f64, f64)> {
    let time = value[0].as_f64();
    let number = value[1].as_str().and_then(|text| text.parse().ok());
    time.zip(number).with_context(|| format!("not a point: {value}"))
}

/// An expression as part of a URL.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}
