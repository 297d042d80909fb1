//! Side-by-side measurements: `make bench`.
//!
//! Every program does the same work in the same run, in turn, and is measured by the kernel's own accounting: CPU time
//! from a cgroup made for it, the largest resident size from `/proc`. Figures depend on the machine; ratios do so less.

mod fixture;
mod floor;
mod growth;
mod host;
mod measure;
mod program;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

/// Where the programs are.
struct Programs {
    taffrail: PathBuf,
    node_exporter: PathBuf,
}

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("floor") => floor::serve(),
        Some("growth") => growth::run(),
        Some("all") | None => all(),
        Some(other) => Err(anyhow::anyhow!(
            "unknown argument {other:?}; `growth` measures that alone, without one, everything is"
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn all() -> Result<()> {
    let programs = Programs {
        taffrail: program("TAFFRAIL", "make build")?,
        node_exporter: program("NODE_EXPORTER", "make setup")?,
    };
    host::run(&programs)?;
    growth::run()?;
    start::run(&programs)
}

/// A program named by the environment, which `make bench` sets.
fn program(variable: &str, made_by: &str) -> Result<PathBuf> {
    let path =
        std::env::var_os(variable).with_context(|| format!("${variable} is not set; run `make bench`"))?;
    let path = PathBuf::from(path);
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
