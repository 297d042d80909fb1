//! `taffrail version`

use std::process::ExitCode;

use clap::Args;

use super::print;

/// The commit that was built, when the build said it: `TAFFRAIL_COMMIT=$(git rev-parse --short HEAD) cargo build`.
const COMMIT: Option<&str> = option_env!("TAFFRAIL_COMMIT");

/// `taffrail version`
#[derive(Args, Debug)]
pub struct Version {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Version {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let version = env!("CARGO_PKG_VERSION");
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        if self.json {
            print::json(&serde_json::json!({ "version": version, "commit": COMMIT, "target": target }))?;
        } else {
            let commit = COMMIT.map(|commit| format!(", commit {commit}")).unwrap_or_default();
            print::out(&format!("taffrail {version} ({target}{commit})\n"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
