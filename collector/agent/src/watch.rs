//! Reloads when the config file changes, or a file that it names, where that is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::scrape::discovery::matching;
use crate::server::Control;

/// How often the file is looked at though no event came: file systems over a network send none.
const LOOK: Duration = Duration::from_secs(10);
/// How long a file is left alone after an event: an editor writes in several steps.
const SETTLE: Duration = Duration::from_millis(200);

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The config file.
    pub path: PathBuf,
    /// Patterns of files that belong to it.
    pub patterns: Vec<String>,
}

/// The contents of files, by their names.
type Contents = BTreeMap<PathBuf, Vec<u8>>;

/// Asks for a reload whenever the contents of files have changed. Never returns while the process takes reloads.
pub async fn watch(watched: Watched, control: Control) {
    let (hint, mut hints) = mpsc::channel(1);
    // Kept: events end when it is dropped.
    let _watcher = watcher(&watched, hint);
    let mut known = read(&watched).await;
    loop {
        // Without a watcher no hint ever comes.
        let hint = async {
            if hints.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(LOOK, hint).await;
        tokio::time::sleep(SETTLE).await;
        let now = read(&watched).await;
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

/// Events are hints only. Folders are watched, not files: a mounted ConfigMap changes by a swap of links in it.
fn watcher(watched: &Watched, hint: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading is an event too, our own as well. Full means that somebody is about to look anyway.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = hint.try_send(());
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(folder(&watched.path), RecursiveMode::NonRecursive)?;
        for pattern in &watched.patterns {
            // A folder that is not there yet, or is a pattern itself, is looked at.
            let _ = watcher.watch(folder(Path::new(pattern)), RecursiveMode::NonRecursive);
        }
        Ok(watcher)
    });
    watching.map_err(|error| warn!("the config file is looked at every {LOOK:?} only: {error}")).ok()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

async fn read(watched: &Watched) -> Option<Contents> {
    let Watched { path, patterns } = watched.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let mut contents = Contents::new();
        contents.insert(path.clone(), std::fs::read(&path).ok()?);
        let named = patterns.iter().flat_map(|pattern| matching(pattern));
        contents.extend(named.filter_map(|path| Some((path.clone(), std::fs::read(&path).ok()?))));
        Some(contents)
    });
    reading.await.ok().flatten()
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
        let jobs = folder.path().join("jobs");
        std::fs::create_dir(&jobs).unwrap();
        let patterns = vec![jobs.join("*.yml").display().to_string()];
        let watched = Watched { path: path.clone(), patterns };
        let task = tokio::spawn(watch(watched, Control(requests)));
        // The file is read at the start; a change before that would be none.
        tokio::time::sleep(SETTLE).await;
        std::fs::write(&path, "a").unwrap();
        assert!(tokio::time::timeout(SETTLE * 4, reloads.recv()).await.is_err());
        std::fs::write(folder.path().join("new"), "b").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        let asked = tokio::time::timeout(LOOK * 2, reloads.recv()).await.unwrap().unwrap();
        asked.send(Ok(())).unwrap();
        std::fs::write(jobs.join("a.yml"), "c").unwrap();
        let asked = tokio::time::timeout(LOOK * 2, reloads.recv()).await.unwrap().unwrap();
        asked.send(Ok(())).unwrap();
        task.abort();
    }

    #[tokio::test]
    async fn its_own_reading_does_not_wake_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taffrail.yml");
        std::fs::write(&path, "a").unwrap();
        let (hint, mut hints) = mpsc::channel(1);
        let watched = Watched { path, patterns: Vec::new() };
        let _watcher = watcher(&watched, hint);
        tokio::time::sleep(SETTLE).await;
        read(&watched).await;
        assert!(tokio::time::timeout(SETTLE * 2, hints.recv()).await.is_err());
    }
}
