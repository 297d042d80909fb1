//! The program `taffrail`.

use std::process::ExitCode;

use clap::Parser;
use taffrail_collector::cli::{self, Cli, Command, RunOptions, print};
use taffrail_collector::run;

fn main() -> ExitCode {
    // Before anything can ask for TLS. It fails only when one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let answered = match (cli::answer(&cli.command), &cli.command) {
        (Some(answered), _) => answered,
        (None, Command::Run(options)) => run(options),
        (None, _) => Ok(ExitCode::SUCCESS),
    };
    answered.unwrap_or_else(|e| {
        print::err(&format!("taffrail: {e:#}"));
        ExitCode::FAILURE
    })
}

fn run(options: &RunOptions) -> anyhow::Result<ExitCode> {
    let source = options.config.clone();
    let config = match source.load() {
        Ok(config) => config,
        Err(errors) => return Ok(cli::refuse(&errors)),
    };
    let path = source.file();
    run::run(config, run::Options { path, load: Box::new(move || source.load()), leaving: options.leaving })?;
    Ok(ExitCode::SUCCESS)
}
