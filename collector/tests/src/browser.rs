//! Chromium, to see a page as a person would.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::tools::{repo_root, tool};

/// What was seen on a page.
#[derive(Debug, Clone, Deserialize)]
pub struct Seen {
    /// The page's title.
    pub title: String,
    /// The text of the first element the selector found.
    pub text: String,
    /// Errors that the page threw or logged.
    pub errors: Vec<String>,
    /// The screenshot, in `target/screenshots`.
    #[serde(skip)]
    pub screenshot: PathBuf,
}

/// Opens a page at a size in pixels, waits up to `timeout` until `selector` is visible and keeps a
/// screenshot as `target/screenshots/<name>.png`.
///
/// # Errors
/// When Chromium or the Node tools are missing, or the selector stays away; with what was there.
pub fn open_page(url: &str, name: &str, size: (u32, u32), selector: &str, timeout: Duration) -> Result<Seen> {
    let folder = repo_root().join("target/screenshots");
    std::fs::create_dir_all(&folder)?;
    let screenshot = folder.join(format!("{name}.png"));
    let script = repo_root().join("collector/tests/browser/open.cjs");
    let (size, patience) = (format!("{}x{}", size.0, size.1), timeout.as_millis().to_string());
    let out = run_node(&script, &[url, &screenshot.display().to_string(), &size, selector, &patience])?;
    let mut seen: Seen = serde_json::from_str(&out).with_context(|| format!("not JSON: {out}"))?;
    seen.screenshot = screenshot;
    Ok(seen)
}

/// Runs a script (CommonJS: it may `require` what `package.json` lists) with Node and gives its
/// standard output. `CHROMIUM` is set for it.
///
/// # Errors
/// When a tool is missing or the script fails; with its standard error.
pub fn run_node(script: &Path, args: &[&str]) -> Result<String> {
    let out = Command::new("node")
        .arg(script)
        .args(args)
        .env("NODE_PATH", tool("NODE_MODULES")?)
        .env("CHROMIUM", tool("CHROMIUM")?)
        .stdin(Stdio::null())
        .output()
        .context("cannot start node")?;
    if !out.status.success() {
        bail!("{}: {}", script.display(), String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
