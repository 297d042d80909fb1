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

/// The names of a folder's folders, sorted.
pub(crate) fn folders(folder: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).with_context(|| format!("cannot list {folder}"))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ensure!(!names.is_empty(), "{folder} has no folders");
    names.sort();
    Ok(names)
}

/// All files of the source tree, by their paths from the root, sorted: without what is built, fetched or hidden, but
/// with `.ci` and `.gitignore`.
pub(crate) fn all() -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        for entry in
            std::fs::read_dir(root().join(&folder)).with_context(|| format!("cannot list {folder}"))?
        {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci" && name != ".gitignore";
            if hidden || matches!(name.as_str(), "target" | "node_modules" | "__pycache__") {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The pages that people read: those in the root, and all under docs.
pub(crate) fn pages() -> Result<Vec<String>> {
    let mut found = all()?;
    found.retain(|path| path.ends_with(".md") && (!path.contains('/') || path.starts_with("docs/")));
    Ok(found)
}

/// The golden pages of all exporters.
pub(crate) fn golden() -> Result<Vec<String>> {
    let mut found = all()?;
    found.retain(|path| path.starts_with("exporters/") && path.contains("/golden/"));
    ensure!(!found.is_empty(), "no golden files");
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
