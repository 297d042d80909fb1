//! Tidiness that a tool can see: sizes of files, words, ends of lines, documentation of modules, links.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, ensure};

use crate::files;

/// A longer Rust file needs its reason.
const LONG: usize = 400;

/// A file that is long for a reason may have as many lines as this.
const TOO_LONG: usize = 900;

/// As many files may be long.
const MOST_LONG: usize = 10;

/// How the reason begins, in a file's first line.
const REASON: &str = "//! Long because ";

/// Where a name may stand that is forbidden elsewhere: this file, which has to name it.
const SELF: &str = "collector/tests/contract/tidy.rs";

/// Words for work that is not done, and traces of one machine. Pieces, so that this list does not find itself.
const FORBIDDEN: [(&str, &str); 6] = [
    ("TO|DO", "do it, or open an issue"),
    ("FIX|ME", "fix it"),
    ("/wo|rk/", "a path of one machine"),
    ("to|do!(", "do it"),
    ("As an A|I", "write what is, not who wrote it"),
    ("this ses|sion", "write what is, not when it was written"),
];

/// Crates that would bring a second TLS library, or that nobody maintains. deny.toml says more: what is only optional in
/// another crate is in the lock file too.
const BANNED: [&str; 4] = ["openssl", "openssl-sys", "native-tls", "serde_yaml"];

/// The only source of crates.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Endings of files that are text of this project.
const TEXT: [&str; 20] = [
    ".rs",
    ".toml",
    ".md",
    ".yml",
    ".yaml",
    ".json",
    ".sh",
    ".py",
    ".mjs",
    ".cjs",
    ".js",
    ".css",
    ".html",
    ".tpl",
    ".txt",
    ".err",
    ".svg",
    "Makefile",
    "Dockerfile",
    "run",
];

/// Whether a file is ours to keep tidy: not what others wrote, and not recorded input or output.
fn ours(path: &str) -> bool {
    let recorded = path.contains("/fixtures/") || path.contains("/golden/") || path.contains("/configs/bad/");
    let theirs = path.contains("/uplot/") || path == "LICENSE";
    !recorded && !theirs && TEXT.iter().any(|ending| path.ends_with(ending))
}

/// What is wrong with one text.
fn check_text(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        problems.push(format!("{path}: the file does not end with one line feed"));
    }
    for (number, line) in text.lines().enumerate() {
        let place = format!("{path}:{}", number + 1);
        if line.ends_with([' ', '\t', '\r']) {
            problems.push(format!("{place}: spaces at the end of the line"));
        }
        for (word, help) in FORBIDDEN {
            let word = word.replace('|', "");
            if line.contains(&word) && path != SELF {
                problems.push(format!("{place}: `{word}`: {help}"));
            }
        }
    }
    if path.ends_with(".rs") {
        problems.extend(check_rust(path, text));
    }
    problems
}

/// A Rust file says first what it is for, and has a bounded size.
fn check_rust(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let first = text.lines().next().unwrap_or_default();
    // A file of tests is about what its name says it tests.
    if !first.starts_with("//! ") && !path.ends_with("tests.rs") {
        problems.push(format!("{path}: the first line is not `//! ` and what the file is for"));
    }
    let lines = text.lines().count();
    if lines > TOO_LONG {
        problems.push(format!("{path}: {lines} lines; {TOO_LONG} are the most for any file"));
    } else if lines > LONG && !first.starts_with(REASON) {
        problems.push(format!(
            "{path}: {lines} lines; over {LONG} the first line is `{REASON}…`, or the file is split"
        ));
    }
    problems
}

/// The files that are long for a reason are few.
fn check_long(reasons: &[String]) -> Vec<String> {
    if reasons.len() <= MOST_LONG {
        return Vec::new();
    }
    vec![format!("{} files are long, {MOST_LONG} may be: {}", reasons.len(), reasons.join(", "))]
}

/// Links of a page that lead nowhere in the source tree.
fn check_links(path: &str, text: &str, all: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, _) in text.match_indices("](") {
        let target = text[at + 2..].split([')', ' ', '\n']).next().unwrap_or_default();
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        let wanted = if file.is_empty() { path.to_owned() } else { normal(&folder.join(file)) };
        let is_folder =
            all.iter().any(|known| known.starts_with(&format!("{}/", wanted.trim_end_matches('/'))));
        if !all.contains(&wanted) && !is_folder {
            problems.push(format!("{path}: the link to `{target}` leads nowhere"));
        } else if !fragment.is_empty() && file.is_empty() && !anchors(text).contains(fragment) {
            problems.push(format!("{path}: no heading has the anchor `#{fragment}`"));
        }
    }
    problems
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> String {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts.to_string_lossy().into_owned()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Crates that must not be in the lock file, and sources other than the one registry.
fn check_lock(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| {
        let banned = BANNED.iter().any(|name| *line == format!("name = \"{name}\""));
        banned || (line.starts_with("source = ") && !line.contains(REGISTRY))
    });
    lines.map(|line| format!("Cargo.lock: `{line}` is not allowed; see deny.toml")).collect()
}

fn none(problems: &[String]) -> Result<()> {
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

#[test]
fn every_text_is_tidy() -> Result<()> {
    let (mut problems, mut long, mut texts) = (Vec::new(), Vec::new(), 0);
    for path in files::all()?.iter().filter(|path| ours(path)) {
        let text = files::read(path)?;
        texts += 1;
        problems.extend(check_text(path, &text));
        if text.starts_with(REASON) {
            long.push(path.clone());
        }
    }
    ensure!(texts > 100, "only {texts} texts found");
    problems.extend(check_long(&long));
    none(&problems)
}

#[test]
fn links_lead_somewhere() -> Result<()> {
    let all: BTreeSet<String> = files::all()?.into_iter().collect();
    let mut problems = Vec::new();
    for page in files::pages()? {
        problems.extend(check_links(&page, &files::read(&page)?, &all));
    }
    none(&problems)
}

#[test]
fn what_belongs_to_a_project_is_there() -> Result<()> {
    let all: BTreeSet<String> = files::all()?.into_iter().collect();
    let wanted = [
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deny.toml",
        "Makefile",
        ".ci/run",
        "docs/architecture.md",
        "rust-toolchain.toml",
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|path| !all.contains(*path)).map(str::to_owned).collect();
    none(&missing)
}

#[test]
fn the_lock_file_holds_what_is_allowed() -> Result<()> {
    none(&check_lock(&files::read("Cargo.lock")?))?;
    let from = |source: &str| check_lock(&format!("name = \"x\"\nsource = \"{source}\"\n")).len();
    assert_eq!(from(REGISTRY), 0);
    assert_eq!(from("git+https://example.com/x"), 1);
    assert_eq!(check_lock("name = \"native-tls\"\n").len(), 1);
    Ok(())
}

#[test]
fn untidiness_is_noticed() {
    let good = "//! A file.\nfn main() {}\n";
    assert_eq!(check_text("x.rs", good), Vec::<String>::new());
    let long = |first: &str, lines: usize| format!("{first}\n{}", "// A line.\n".repeat(lines));
    let unfinished = format!("//! A file.\n// {}{}: later\n", "TO", "DO");
    let elsewhere = format!("//! A file.\n// see /{}/x\n", "work");
    for (text, wanted) in [
        ("fn main() {}\n", "the first line"),
        ("//! A file.", "end with one line feed"),
        ("//! A file.\n\n", "end with one line feed"),
        ("//! A file. \n", "spaces at the end"),
        (unfinished.as_str(), "do it"),
        (elsewhere.as_str(), "a path of one machine"),
        (long("//! A file.", 450).as_str(), "over 400"),
        (long("//! Long because of a table.", 950).as_str(), "900 are the most"),
    ] {
        let problems = check_text("x.rs", text);
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{wanted}: {problems:?}");
    }
    assert_eq!(check_text("x.rs", &long("//! Long because of a table.", 450)), Vec::<String>::new());
    assert_eq!(check_long(&vec!["x.rs".to_owned(); 11]).len(), 1);
}

#[test]
fn dead_links_are_noticed() {
    let all = BTreeSet::from(["docs/a.md".to_owned(), "README.md".to_owned()]);
    let check = |text: &str| check_links("docs/a.md", text, &all).len();
    assert_eq!(check("# A b\n[x](../README.md) [x](#a-b) [x](https://example.com/) [x](../docs)\n"), 0);
    assert_eq!(check("[x](../b.md)"), 1);
    assert_eq!(check("# A\n[x](#b)"), 1);
}
