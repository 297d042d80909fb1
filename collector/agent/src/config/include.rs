//! `scrape_config_files`: more files with `scrape_configs`. Their jobs are put behind those of the configuration before
//! anything is read of either, so that they are checked alike and every error has its own file, line and column.

use std::path::Path;

use super::env::{self, Env};
use super::error::Fault;
use super::load::read;
use super::secrets;
use super::source::{Source, Span};
use super::tree::{self, Key, Node, Value};
use crate::scrape::discovery::matching;

/// The key of the files.
const FILES: &str = "scrape_config_files";
/// The only key in them.
const JOBS: &str = "scrape_configs";
/// The most files.
const MAX_FILES: usize = 1000;

/// Adds the jobs of all files that `root` names. What is wrong with a file is noted, and the others are still read.
pub fn scrape_configs(root: &mut Node, sources: &mut Vec<Source>, env: Env<'_>, faults: &mut Vec<Fault>) {
    let mut jobs = Vec::new();
    let mut files = Vec::new();
    for (at, pattern) in patterns(root, sources, env) {
        files.extend(matching(&pattern).into_iter().map(|path| (at, path)));
    }
    if let Some((at, _)) = files.get(MAX_FILES) {
        let what = format!("`{FILES}` names {} files", files.len());
        faults.push(Fault::at(*at, what).help(format!("at most {MAX_FILES} are read")));
        return;
    }
    for (at, path) in files {
        if let Some(file) = file(&path, at, sources, faults) {
            jobs.extend(of_file(file, faults));
        }
    }
    add(root, jobs);
}

/// What is in a file that stands in the configuration at `at`. It becomes a source of its own; what is wrong with it is
/// noted.
pub(super) fn file(
    path: &Path,
    at: Span,
    sources: &mut Vec<Source>,
    faults: &mut Vec<Fault>,
) -> Option<Node> {
    let mut source = match read(path) {
        Ok(source) => source,
        Err(errors) => {
            faults.extend(errors.problems.into_iter().map(|problem| Fault {
                span: Some(at),
                what: format!("{}: {}", problem.file, problem.what),
                help: problem.help,
            }));
            return None;
        }
    };
    let number = u32::try_from(sources.len()).unwrap_or(u32::MAX);
    let file = match tree::parse(&source.text, number, 0, faults) {
        Ok(file) => {
            source.hidden = secrets::in_tree(&file, &source.text);
            Some(file)
        }
        Err(fault) => {
            source.hidden = secrets::in_text(&source.text);
            faults.push(fault);
            None
        }
    };
    sources.push(source);
    file
}

/// What the key names, as absolute as its source is. What is wrong there is noted when the tree is read.
fn patterns(root: &Node, sources: &[Source], env: Env<'_>) -> Vec<(Span, String)> {
    let Value::Map(entries) = &root.value else { return Vec::new() };
    let Some((_, Node { value: Value::List(items), .. })) = entries.iter().find(|(key, _)| key.text == FILES)
    else {
        return Vec::new();
    };
    let pattern = |node: &Node| {
        let Value::Scalar { text, .. } = &node.value else { return None };
        let text = env::replace(text, env).ok()?.unwrap_or_else(|| text.clone());
        let dir = &sources.get(node.span.source as usize)?.dir;
        Some((node.span, dir.join(text).display().to_string()))
    };
    items.iter().filter_map(pattern).collect()
}

/// The jobs in a file.
fn of_file(file: Node, faults: &mut Vec<Fault>) -> Vec<Node> {
    let help = format!("such a file has the key `{JOBS}`, and nothing else");
    if file.is_null() {
        return Vec::new();
    }
    let Value::Map(entries) = file.value else {
        faults.push(Fault::at(file.span, "the file is not a mapping").help(help));
        return Vec::new();
    };
    let mut jobs = Vec::new();
    for (key, value) in entries {
        let null = value.is_null();
        match value.value {
            _ if key.text != JOBS => {
                let what = format!("unknown key `{}` in a file of `{FILES}`", key.text);
                faults.push(Fault::at(key.span, what).help(help.as_str()));
            }
            Value::List(items) => jobs.extend(items),
            _ if null => {}
            _ => faults.push(
                Fault::at(value.span, format!("`{JOBS}` has to be a list")).help("write `- job_name: …`"),
            ),
        }
    }
    jobs
}

fn add(root: &mut Node, jobs: Vec<Node>) {
    let (Some(first), Value::Map(entries)) = (jobs.first(), &mut root.value) else { return };
    let span = first.span;
    match entries.iter_mut().find(|(key, _)| key.text == JOBS) {
        Some((_, Node { value: Value::List(items), .. })) => items.extend(jobs),
        Some((_, node)) if node.is_null() => *node = Node { span, value: Value::List(jobs) },
        // What stands there is wrong, and is said to be.
        Some(_) => {}
        None => entries.push((Key { span, text: JOBS.to_owned() }, Node { span, value: Value::List(jobs) })),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Errors, load};

    fn of(files: &[(&str, &str)]) -> Result<Config, Errors> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("jobs")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let found = load(Some(&folder.path().join("t.yml")), &[], &|_| Some("jobs".to_owned()));
        let shown = |file: &str| file.replace(&format!("{}/", folder.path().display()), "");
        found.map_err(|mut errors| {
            errors.problems.iter_mut().for_each(|p| p.file = shown(&p.file));
            errors.problems.iter_mut().for_each(|p| p.what = shown(&p.what));
            errors
        })
    }

    const MAIN: &str = "scrape_config_files: [\"${FOLDER}/*.yml\"]\nscrape_configs: [{job_name: main}]\n";

    #[test]
    fn jobs_of_all_files_are_one_list() {
        let config = of(&[
            ("t.yml", MAIN),
            ("jobs/b.yml", "scrape_configs: [{job_name: b, authorization: {credentials_file: token}}]\n"),
            ("jobs/a.yml", "scrape_configs:\n- job_name: a1\n- job_name: a2\n"),
            ("jobs/none.yml", "# nothing yet\n"),
            ("jobs/token", "secret"),
        ])
        .unwrap();
        let names: Vec<&str> = config.scrape.iter().map(|job| job.name.as_str()).collect();
        assert_eq!(names, ["main", "a1", "a2", "b"]);
        let alone = of(&[
            ("t.yml", "scrape_config_files: [jobs/*.yml, x.yml]\n"),
            ("x.yml", "scrape_configs: [{job_name: x}]"),
        ]);
        assert_eq!(alone.unwrap().scrape.len(), 1);
    }

    #[test]
    fn errors_stand_in_their_file() {
        let errors = of(&[
            ("t.yml", MAIN),
            ("jobs/a.yml", "scrape_configs:\n  - job_name: main\n  - {job_name: x, scheme: ftp}\n"),
            ("jobs/b.yml", "global: {}\nscrape_configs: {}\n"),
            ("jobs/c.yml", "scrape_configs: [\n  {job_name: c, basic_auth: {password: hunter2"),
            ("jobs/d.yml", "[]"),
        ])
        .unwrap_err();
        let said: Vec<String> = errors
            .problems
            .iter()
            .map(|p| format!("{}:{}:{} {}", p.file, p.line, p.column, p.what))
            .collect();
        for expected in [
            "jobs/a.yml:2:15 two scrape jobs are called `main`",
            "jobs/a.yml:3:27 `scrape_configs.scheme` cannot be `ftp`",
            "jobs/b.yml:1:1 unknown key `global` in a file of `scrape_config_files`",
            "jobs/b.yml:2:17 `scrape_configs` has to be a list",
            "jobs/c.yml:2",
            "jobs/d.yml:1:1 the file is not a mapping",
        ] {
            assert!(said.iter().any(|text| text.starts_with(expected)), "{expected}: {said:#?}");
        }
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
    }
}
