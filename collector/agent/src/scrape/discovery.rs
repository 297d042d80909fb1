//! Discovery: where targets come from. Lists of them are read here; what asks a service is below.

pub mod dns;
pub mod docker;
pub mod http;
pub mod refresh;
mod resolv;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use taffrail_wire::relabel::Labels;

use super::target::Group;

/// The largest file of targets, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// A group as files and HTTP services write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    targets: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
}

/// Reads groups in JSON, or in YAML, which the file's name says.
pub fn groups(text: &str, yaml: bool, source: &str) -> Result<Vec<Group>, String> {
    let written: Vec<Written> = if yaml && text.trim().is_empty() {
        Vec::new()
    } else if yaml {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    };
    let group = |(at, written): (usize, &Written)| {
        let labels = written.labels.iter().flatten().collect();
        fixed(written.targets.as_deref().unwrap_or_default(), labels, format!("{source}:{at}"))
    };
    Ok(written.iter().enumerate().map(group).collect())
}

/// The groups in a file of `file_sd_configs`.
pub fn read_file(path: &Path) -> Result<Vec<Group>, String> {
    let name = path.display().to_string();
    let wrong = |what: String| format!("{name}: {what}");
    let mut text = String::new();
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(wrong("larger than 64 MB".into()));
    }
    let yaml = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => false,
        Some("yml" | "yaml") => true,
        _ => return Err(wrong("its name ends in none of .json, .yml and .yaml".into())),
    };
    let mut groups = groups(&text, yaml, &name).map_err(wrong)?;
    for group in &mut groups {
        group.labels.set("__meta_filepath", &name);
    }
    Ok(groups)
}

/// The files that a pattern names, sorted; `*`, `?` and `[a-z]` stand for parts of names of files and folders.
pub fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in Path::new(pattern).components() {
        let name = part.as_os_str().to_str().unwrap_or_default();
        if !name.contains(['*', '?', '[']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        // Braces have a meaning to the library that they do not have to Prometheus.
        let name = name.replace('{', "\\{").replace('}', "\\}");
        let Ok(glob) = globset::Glob::new(&name) else { return Vec::new() };
        let glob = glob.compile_matcher();
        let here = |folder: PathBuf| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let entries =
            found.into_iter().flat_map(|folder| std::fs::read_dir(here(folder)).into_iter().flatten());
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        found = paths.filter(|path| path.file_name().is_some_and(|name| glob.is_match(name))).collect();
    }
    // One that is there and cannot be read stays: that has to be said.
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort();
    found
}

/// A list of addresses as one group.
pub fn fixed(addresses: &[String], labels: Labels, source: String) -> Group {
    let targets = addresses.iter().map(|address| [("__address__", address.as_str())].into_iter().collect());
    Group { targets: targets.collect(), labels, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_groups() {
        let json = r#"[{"targets": ["a:1", "b:2"], "labels": {"env": "test"}}, {"targets": []}]"#;
        let yaml = "- targets: ['a:1', 'b:2']\n  labels: {env: test}\n- targets: []\n";
        let groups = groups(json, false, "f").unwrap();
        assert_eq!(super::groups(yaml, true, "f").unwrap(), groups);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].targets[1].get("__address__"), "b:2");
        assert_eq!((groups[0].labels.get("env"), &*groups[0].source), ("test", "f:0"));
        // As Prometheus has it: an empty YAML file is an empty list, an empty JSON file is none.
        assert!(super::groups("", true, "f").unwrap().is_empty());
    }

    #[test]
    fn what_is_half_written_is_an_error() {
        for (text, yaml) in [
            ("[{\"targets\": [\"a:", false),
            ("- targets: [a", true),
            ("[{\"target\": []}]", false),
            ("{}", false),
            ("", false),
        ] {
            assert!(groups(text, yaml, "f").is_err(), "{text}");
        }
    }

    #[test]
    fn files_are_found_and_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.json"), r#"[{"targets": ["a:1"]}]"#).unwrap();
        std::fs::write(dir.path().join("b.yml"), "- targets: [b:1]\n").unwrap();
        std::fs::write(dir.path().join("c.txt"), "c:1").unwrap();
        let pattern = |name: &str| dir.path().join(name).display().to_string();
        let found = matching(&pattern("*.json"));
        let groups = read_file(&found[0]).unwrap();
        assert_eq!((found.len(), groups[0].labels.get("__meta_filepath")), (1, &*pattern("a.json")));
        assert_eq!(matching(&pattern("*")).len(), 3);
        assert!(read_file(&dir.path().join("c.txt")).unwrap_err().contains("ends in none of"));
        assert!(matching("/nowhere/*.json").is_empty());
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/{d}.json"), "[]").unwrap();
        assert_eq!(matching(&pattern("s?b/{[c-e]}.json")), [dir.path().join("sub/{d}.json")]);
        assert_eq!(matching(&pattern("a.json")).len(), 1);
        assert!(matching(&pattern("x.json")).is_empty());
    }
}
