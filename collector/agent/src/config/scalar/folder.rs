//! Folders, by glob.

/// An absolute path of a folder, in which `*`, `?` and `[a-z]` stand for parts of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderGlob(pub String);

impl FolderGlob {
    /// `/var/lib/node_exporter/textfile`, `/srv/*/metrics`
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("the folder `{text}` is relative\nwrite the whole path"));
        }
        if text.contains("**") || text.contains(['{', '}', '\0']) {
            return Err(format!(
                "`{text}` cannot be a folder\n`*`, `?` and `[a-z]` stand for parts of a name"
            ));
        }
        if let Some((folder, file)) = text.rsplit_once('/')
            && file.ends_with(".prom")
        {
            let folder = if folder.is_empty() { "/" } else { folder };
            return Err(format!("`{text}` names files\nwrite {folder}: all *.prom files in it are read"));
        }
        let brackets = text.split('/').all(|part| part.matches('[').count() == part.matches(']').count());
        if !brackets {
            return Err(format!("`{text}` has a `[` without its `]`\nwrite [a-z] for one of some letters"));
        }
        Ok(FolderGlob(text.to_owned()))
    }
}

super::from_text!(FolderGlob, { "type": "string", "format": "path", "pattern": "^(/|\\$\\{)" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_whole_paths() {
        for good in ["/var/lib/node_exporter", "/srv/*/metrics", "/srv/app[0-9]/?", "/"] {
            assert_eq!(FolderGlob::parse(good), Ok(FolderGlob(good.to_owned())));
        }
        for (bad, word) in [
            ("metrics", "relative"),
            ("/a/**/b", "cannot be a folder"),
            ("/{a,b}", "cannot be a folder"),
            ("/a/x.prom", "write /a:"),
            ("/*.prom", "write /:"),
            ("/a[0-9", "without its"),
        ] {
            let said = FolderGlob::parse(bad).unwrap_err();
            assert!(said.contains(word), "{bad}: {said}");
        }
    }
}
