//! A mount that does not answer: start and stop do not wait for it. Needs root and `/dev/fuse`; else it is left out.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use taffrail_collector::config::valid::Start;
use taffrail_collector::sources::files::{Left, start};
use taffrail_core::Clock;
use taffrail_spool::Settled;
use tokio::sync::mpsc;

use super::rig::{Rig, body};

/// A file system whose every call hangs until this is dropped.
struct Hanging {
    server: Child,
    at: PathBuf,
}

impl Hanging {
    /// Mounts it at `at`; `None` where that cannot be done.
    #[expect(clippy::disallowed_methods, reason = "only another process may hang so")]
    fn mount(at: &Path) -> Option<Hanging> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hangfs.py");
        let mut python = std::process::Command::new("python3");
        let mut server =
            python.arg(script).arg(at).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut said = String::new();
        let _ = BufReader::new(server.stdout.take()?).read_line(&mut said);
        let hanging = Hanging { server, at: at.to_owned() };
        (said == "mounted\n").then_some(hanging)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Without its server all waiting calls fail at once.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::DETACH);
    }
}

#[tokio::test]
async fn a_dead_mount_holds_up_neither_start_nor_stop() {
    let mut rig = Rig::with(Start::Beginning, &["*.log"], |_| ());
    rig.clock = Clock::system();
    rig.append("a.log", "1\n2\n");
    let (sender, mut chunks) = mpsc::channel(10);
    let running = start(&rig.config, rig.context(sender)).unwrap();
    chunks.recv().await.unwrap().ticket.settle(Settled::Delivered);
    assert_eq!(running.stop(Duration::from_secs(5)).await, Left::default());

    let logs = rig.dir.path().join("logs");
    let Some(mount) = Hanging::mount(&logs) else { return };
    let (sender, _chunks) = mpsc::channel(10);
    let (config, context) = (rig.config.clone(), rig.context(sender));
    let starting = tokio::task::spawn_blocking(move || start(&config, context).unwrap());
    let stuck = tokio::time::timeout(Duration::from_secs(2), starting).await;
    let stuck = stuck.expect("start waits for no file system").unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let holding = rig.status().holding.unwrap_or_default();
    assert!(holding.contains("does not answer"), "{holding}");
    let began = rig.clock.monotonic();
    let left = stuck.stop(Duration::from_millis(200)).await;
    let took = rig.clock.monotonic() - began;
    assert!(took < Duration::from_millis(1300), "it took {took:?}");
    assert!(left.stuck);
    assert!(left.to_string().contains("its file system does not answer"), "{left}");

    // A successor over other files is not held up by the thread that still hangs, ...
    let other = rig.dir.path().join("other.log");
    std::fs::write(&other, "3\n").unwrap();
    let mut config = rig.config.clone();
    config.files.include = vec![other.display().to_string()];
    let (sender, mut chunks) = mpsc::channel(10);
    let running = start(&config, rig.context(sender)).unwrap();
    let chunk = tokio::time::timeout(Duration::from_secs(5), chunks.recv()).await.unwrap().unwrap();
    assert_eq!(body(&chunk).0, b"3\n");
    chunk.ticket.settle(Settled::Delivered);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(running.stop(Duration::from_secs(5)).await, Left::default());
    // ... which, when it is let go, leaves the positions of its successor alone.
    let positions =
        || ["positions.0", "positions.1", "journal"].map(|name| std::fs::read(rig.state().join(name)).ok());
    let before = positions();
    drop(mount);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(positions() == before, "a thread that was given up wrote positions");
}
