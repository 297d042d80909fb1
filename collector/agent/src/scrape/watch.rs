//! Files of targets, looked at for changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::discovery;
use super::target::Group;
use crate::status::lock;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What a discovery has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Its place in the job.
    pub at: usize,
    /// All that it knows of.
    pub groups: Vec<Group>,
    /// What it could not find out.
    pub problems: Vec<String>,
}

/// Says what files of targets hold, at once and whenever one changes.
pub async fn watch_files(
    at: usize,
    patterns: Vec<String>,
    files: Arc<Mutex<Files>>,
    news: mpsc::Sender<News>,
) {
    lock(&files).said = None;
    loop {
        let (patterns, looked) = (patterns.clone(), files.clone());
        let looking = spawn_blocking(move || lock(&looked).look(at, &patterns));
        let Ok(found) = looking.await else { return };
        if let Some(found) = found
            && news.send(found).await.is_err()
        {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What tells a file's state from another.
type State = Option<(SystemTime, u64)>;

/// What files hold. One that cannot be read keeps the groups it had: half a file must not end the targets of the whole
/// one.
#[derive(Debug, Default)]
pub struct Files {
    known: BTreeMap<PathBuf, File>,
    said: Option<News>,
}

#[derive(Debug, Default)]
struct File {
    state: State,
    groups: Vec<Group>,
    problem: Option<String>,
}

impl Files {
    /// What is found now, if that is not what was said before.
    fn look(&mut self, at: usize, patterns: &[String]) -> Option<News> {
        let paths: Vec<PathBuf> = patterns.iter().flat_map(|pattern| discovery::matching(pattern)).collect();
        self.known.retain(|path, _| paths.contains(path));
        for path in paths {
            let state = std::fs::metadata(&path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
            let known = self.known.entry(path.clone()).or_default();
            // What could not be read is tried again: a clock's step may be too coarse to tell that it was mended.
            if known.state == state && state.is_some() && known.problem.is_none() {
                continue;
            }
            known.state = state;
            known.problem = match discovery::read_file(&path) {
                Ok(groups) => {
                    known.groups = groups;
                    None
                }
                Err(problem) => Some(problem),
            };
        }
        let news = News {
            at,
            groups: self.known.values().flat_map(|file| file.groups.clone()).collect(),
            problems: self.known.values().filter_map(|file| file.problem.clone()).collect(),
        };
        if self.said.as_ref() == Some(&news) {
            return None;
        }
        self.said = Some(news.clone());
        Some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_file_keeps_its_targets_and_the_others_change() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let patterns = [dir.path().join("*.json").display().to_string()];
        let mut files = Files::default();
        let mut look = || {
            let news = files.look(0, &patterns)?;
            let targets = news.groups.iter().flat_map(|group| &group.targets);
            let addresses: Vec<String> = targets.map(|target| target.get("__address__").to_owned()).collect();
            Some((addresses.join(" "), news.problems.len()))
        };
        write("a.json", r#"[{"targets": ["a:1"]}]"#);
        write("b.json", r#"[{"targets": ["b:1"]}]"#);
        assert_eq!(look().unwrap(), ("a:1 b:1".to_owned(), 0));
        assert_eq!(look(), None);
        write("a.json", r#"[{"targets": ["a:"#);
        write("b.json", r#"[{"targets": ["b:1", "b:2"]}]"#);
        assert_eq!(look().unwrap(), ("a:1 b:1 b:2".to_owned(), 1));
        assert_eq!(look(), None, "said already");
        write("b.json", r#"[{"targets": ["b:22"]}]"#);
        assert_eq!(look().unwrap(), ("a:1 b:22".to_owned(), 1), "still half");
        write("a.json", r#"[{"targets": ["a:11"]}]"#);
        assert_eq!(look().unwrap(), ("a:11 b:22".to_owned(), 0));
        std::fs::remove_file(dir.path().join("a.json")).unwrap();
        assert_eq!(look().unwrap(), ("b:22".to_owned(), 0));
    }
}
