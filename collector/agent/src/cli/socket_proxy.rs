//! `taffrail socket-proxy`: a filter in front of the engine's socket, in a process and a container of its own.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use taffrail_container::inventory::{Address, Client};
use taffrail_container::proxy::Proxy;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::OwnLog;
use crate::telemetry;

/// How long `--check` waits.
const CHECK_WITHIN: Duration = Duration::from_secs(3);

/// `taffrail socket-proxy`
#[derive(Args, Debug)]
pub struct SocketProxy {
    /// The engine's socket
    #[arg(long, value_name = "PATH", default_value = "/var/run/docker.sock")]
    engine: PathBuf,
    /// The socket to serve at: who may open it may look at containers
    #[arg(long, value_name = "PATH", default_value = "/run/taffrail/engine.sock")]
    listen: PathBuf,
    /// The mode of that socket, in octal; its user and group are this process's
    #[arg(long, default_value = "660", value_parser = mode)]
    mode: u32,
    /// Serve nothing: ask the one that serves at `--listen` whether the engine answers, for health checks
    #[arg(long)]
    check: bool,
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| format!("`{text}` is no mode of a file: write three octal digits, such as 660"))
}

impl SocketProxy {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            if self.check {
                let client = Client::new(Address::Unix(self.listen.clone())).within(CHECK_WITHIN);
                client.get("/_ping").await?;
            } else {
                telemetry::start(&OwnLog { json: false, level: "info".to_owned() })?;
                self.serve().await?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn serve(&self) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listener = self.listen()?;
        let engine = Client::new(Address::Unix(self.engine.clone()));
        info!(engine = %self.engine.display(), "serves at {}", self.listen.display());
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stopped.cancel();
        });
        Proxy::new(engine).serve(listener, stop).await;
        // The next one that starts would take it for a stranger's, were it not gone.
        let _ = std::fs::remove_file(&self.listen);
        Ok(())
    }

    /// Opens the socket. One that a killed process left is replaced; one that somebody serves at is not.
    fn listen(&self) -> anyhow::Result<UnixListener> {
        let shown = self.listen.display();
        clear(&self.listen)?;
        // A file is made with the rights that the mask leaves: in between, nobody else may open it.
        let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let listener = UnixListener::bind(&self.listen);
        rustix::process::umask(before);
        let listener = listener.with_context(|| {
            format!("--listen {shown}: no socket can be made there; does its folder exist, and may this user write to it?")
        })?;
        std::fs::set_permissions(&self.listen, Permissions::from_mode(self.mode))
            .with_context(|| format!("--listen {shown}: its mode cannot be set"))?;
        Ok(listener)
    }
}

/// Removes a socket that nobody serves at.
fn clear(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("--listen {shown}")),
        Ok(there) if !there.file_type().is_socket() => {
            bail!("--listen {shown}: there is something that is no socket; name another path")
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            bail!("--listen {shown}: another process serves there; end it, or name another path")
        }
        Ok(_) => std::fs::remove_file(path)
            .with_context(|| format!("--listen {shown}: a socket without a server cannot be removed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(listen: PathBuf) -> SocketProxy {
        SocketProxy { engine: "/none".into(), listen, mode: 0o660, check: false }
    }

    #[tokio::test]
    async fn a_socket_that_is_served_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let proxy = at(folder.path().join("engine.sock"));
        let first = proxy.listen().unwrap();
        let mode = std::fs::metadata(&proxy.listen).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let error = proxy.listen().unwrap_err().to_string();
        assert!(error.ends_with("another process serves there; end it, or name another path"), "{error}");
        drop(first);
        proxy.listen().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = at(folder.path().join("file")).listen().unwrap_err().to_string();
        assert!(error.contains("something that is no socket"), "{error}");
        assert!(at(folder.path().join("none/engine.sock")).listen().is_err());
        assert!(mode_of("1777").is_err() && mode_of("x").is_err() && mode_of("600") == Ok(0o600));
    }

    fn mode_of(text: &str) -> Result<u32, String> {
        mode(text)
    }
}
