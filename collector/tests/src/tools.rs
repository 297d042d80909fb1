//! Where the programs are that `setup.sh` unpacked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The root of the checkout.
pub fn repo_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn cache() -> PathBuf {
    std::env::var_os("TAFFRAIL_CACHE").map_or_else(|| repo_root().join(".cache"), PathBuf::from)
}

/// The path of a tool by its variable's name (`PROMETHEUS`, `PROMTOOL`, `CHROMIUM`, …): from the
/// environment, else from the `env.sh` that `setup.sh` wrote, so that a plain `cargo test` works too.
///
/// # Errors
/// When neither names it, or the file is gone; the message says which script mends it.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = match std::env::var_os(name) {
        Some(path) => PathBuf::from(path),
        None => from_env_file(&cache().join("env.sh"), name)?,
    };
    if !path.exists() {
        bail!("{name} is {}, which does not exist; run collector/tests/setup.sh", path.display());
    }
    Ok(path)
}

fn from_env_file(file: &Path, name: &str) -> Result<PathBuf> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read {}; run collector/tests/setup.sh first", file.display()))?;
    let start = format!("export {name}='");
    text.lines()
        .find_map(|line| line.strip_prefix(&start)?.strip_suffix('\''))
        .map(PathBuf::from)
        .with_context(|| {
            format!("setup.sh could not set up {name}; run collector/tests/setup.sh and see why")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_setup_writes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env.sh");
        fs::write(&file, "# Written by\nexport A='/x y/a'\nexport AB='/b'\n").unwrap();
        assert_eq!(from_env_file(&file, "A").unwrap(), Path::new("/x y/a"));
        let err = from_env_file(&file, "C").unwrap_err().to_string();
        assert!(err.contains("could not set up C"), "{err}");
        let err = from_env_file(&dir.path().join("none"), "A").unwrap_err();
        assert!(err.to_string().contains("run collector/tests/setup.sh"));
    }
}
