//! Reloads when the config file changes, where that is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::server::Control;

/// How often the file is looked at though no event came: file systems over a network send none.
const LOOK: Duration = Duration::from_secs(10);
/// How long a file is left alone after an event: an editor writes in several steps.
const SETTLE: Duration = Duration::from_millis(200);

/// Asks for a reload whenever the contents of `path` have changed. Never returns while the process takes reloads.
pub async fn watch(path: PathBuf, control: Control) {
    let (hint, mut hints) = mpsc::channel(1);
    // Kept: events end when it is dropped.
    let _watcher = watcher(&path, hint);
    let mut known = read(&path).await;
    loop {
        // Without a watcher no hint ever comes.
        let hint = async {
            if hints.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(LOOK, hint).await;
        tokio::time::sleep(SETTLE).await;
        let now = read(&path).await;
        // A file that is away is one that is being replaced.
        if now.is_none() || now == known {
            continue;
        }
        known = now;
        let (answer, answered) = oneshot::channel();
        if control.0.send(answer).await.is_err() {
            return;
        }
        // What came of it is in the log and on the page.
        let _ = answered.await;
    }
}

/// Events are hints only. The folder is watched, not the file: a mounted ConfigMap changes by a swap of links in it.
fn watcher(path: &Path, hint: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let watcher = notify::recommended_watcher(move |_| {
        // Full means that somebody is about to look anyway.
        let _ = hint.try_send(());
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching.map_err(|error| warn!("the config file is looked at every {LOOK:?} only: {error}")).ok()
}

async fn read(path: &Path) -> Option<Vec<u8>> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || std::fs::read(path).ok()).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_noticed_and_a_touch_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taffrail.yml");
        std::fs::write(&path, "a").unwrap();
        let (requests, mut reloads) = mpsc::channel(1);
        let task = tokio::spawn(watch(path.clone(), Control(requests)));
        // The file is read at the start; a change before that would be none.
        tokio::time::sleep(SETTLE).await;
        std::fs::write(&path, "a").unwrap();
        assert!(tokio::time::timeout(SETTLE * 4, reloads.recv()).await.is_err());
        std::fs::write(folder.path().join("new"), "b").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        let asked = tokio::time::timeout(LOOK * 2, reloads.recv()).await.unwrap().unwrap();
        asked.send(Ok(())).unwrap();
        task.abort();
    }
}
