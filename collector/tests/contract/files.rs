//! Finds and reads the project's files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The root of the source tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file's text; the path is from the root.
pub(crate) fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

/// The names of a folder's files that end so, sorted; at least one, so that a check over them cannot pass by finding
/// nothing.
pub(crate) fn list(folder: &str, ending: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(root().join(folder)).with_context(|| format!("cannot list {folder}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(ending) {
            names.push(name);
        }
    }
    ensure!(!names.is_empty(), "no file in {folder} ends in {ending}");
    names.sort();
    Ok(names)
}

/// The pages that people read: those in the root, and all under docs.
pub(crate) fn pages() -> Result<Vec<String>> {
    let mut found = list(".", ".md")?;
    let mut open = vec!["docs".to_owned()];
    while let Some(folder) = open.pop() {
        for entry in
            std::fs::read_dir(root().join(&folder)).with_context(|| format!("cannot list {folder}"))?
        {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if path.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Asserts that a change to a good text is refused with a sentence that holds `wanted`.
#[cfg(test)]
pub(crate) fn refused(good: &str, change: (&str, &str), wanted: &str, check: impl Fn(&str) -> Vec<String>) {
    let (from, to) = change;
    assert!(good.contains(from), "the good fixture has no {from:?}");
    let problems = check(&good.replacen(from, to, 1));
    assert!(
        problems.iter().any(|problem| problem.contains(wanted)),
        "{to:?}: wanted {wanted:?}, got {problems:#?}"
    );
}
