//! Side-by-side measurements: `make bench`.
//!
//! Every program does the same work in the same run, in turn, and is measured by the kernel's own accounting: CPU time
//! from a cgroup made for it, the largest resident size from `/proc`. Figures depend on the machine; ratios do so less.

mod agents;
mod away;
mod cgroups;
mod containers;
mod far;
mod fixture;
mod floor;
mod growth;
mod host;
mod http;
mod log_lines;
mod log_sink;
mod logs;
mod logs_floor;
mod logs_idle;
mod measure;
mod pages;
mod postgres;
mod postgres_server;
mod probe;
mod program;
mod relay;
mod replay;
mod scrape;
mod scrape_floor;
mod series;
mod sink;
mod start;
mod webs;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

/// The names of the parts, in the order in which they are measured. `away` and `far` are parts too: one takes too long to
/// be one of all, the other is about the way to a receiver.
const PARTS: [&str; 9] =
    ["host", "growth", "containers", "start", "scrape", "replay", "logs", "probe", "postgres"];

/// Where the programs are.
struct Programs {
    taffrail: PathBuf,
}

impl Programs {
    fn node_exporter(&self) -> Result<PathBuf> {
        program("NODE_EXPORTER", "make setup")
    }

    fn blackbox_exporter(&self) -> Result<PathBuf> {
        program("BLACKBOX_EXPORTER", "make setup")
    }

    fn postgres(&self) -> Result<PathBuf> {
        program("POSTGRES", "make setup")
    }

    fn postgres_exporter(&self) -> Result<PathBuf> {
        program("POSTGRES_EXPORTER", "make setup")
    }

    fn vmagent(&self) -> Result<PathBuf> {
        program("VMAGENT", "make setup")
    }

    fn prometheus(&self) -> Result<PathBuf> {
        program("PROMETHEUS", "make setup")
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((first, rest)) = arguments.split_first() else {
        return PARTS.iter().try_for_each(|name| part(name, &[]));
    };
    match first.as_str() {
        // What the parts start beside the programs, in processes of their own.
        "floor" => floor::serve(rest),
        "log-sink" => log_sink::run(rest),
        "logs-floor" => logs_floor::run(rest),
        "pages" => pages::run(rest),
        "sink" => sink::run(rest),
        "webs" => webs::run(rest),
        "scrape-floor" => scrape_floor::run(rest),
        name => part(name, rest),
    }
}

fn part(name: &str, arguments: &[String]) -> Result<()> {
    let programs = || -> Result<Programs> { Ok(Programs { taffrail: taffrail()? }) };
    match (name, arguments) {
        ("host", []) => host::run(&programs()?),
        ("logs", []) => logs::run(&programs()?),
        ("growth", []) => growth::run(),
        ("containers", []) => containers::run(),
        ("containers", arguments) => containers::one(arguments),
        ("start", []) => start::run(&programs()?),
        ("away", arguments) => away::run(&programs()?, arguments),
        ("far", arguments) => far::run(&programs()?, arguments),
        ("probe", []) => probe::run(&programs()?),
        ("postgres", []) => postgres::run(&programs()?),
        ("postgres", [size]) => postgres::one(&programs()?, size),
        ("replay", []) => replay::run(&programs()?),
        ("scrape", []) => scrape::run(&programs()?),
        ("scrape", arguments) => scrape::one(&programs()?, arguments),
        _ => bail!(
            "there is no part {:?}; there are {}, away, far",
            arguments_of(name, arguments),
            PARTS.join(", ")
        ),
    }
}

fn arguments_of(name: &str, arguments: &[String]) -> String {
    [&[name.to_owned()], arguments].concat().join(" ")
}

/// A program named by the environment, by `make bench`.
fn program(variable: &str, made_by: &str) -> Result<PathBuf> {
    let path =
        std::env::var_os(variable).with_context(|| format!("${variable} is not set; run `make bench`"))?;
    existing(PathBuf::from(path), variable, made_by)
}

/// The program that is measured: `$TAFFRAIL`, else the one that was built beside this.
fn taffrail() -> Result<PathBuf> {
    let path = match std::env::var_os("TAFFRAIL") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("taffrail"),
    };
    existing(path, "TAFFRAIL", "make build")
}

fn existing(path: PathBuf, variable: &str, made_by: &str) -> Result<PathBuf> {
    if !path.exists() {
        bail!("{} (${variable}) does not exist; `{made_by}` makes it", path.display());
    }
    Ok(path)
}

/// Prints a line. Results go to standard output, so that they can be kept.
#[expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]
fn say(line: &str) {
    println!("{line}");
}
