//! Configurations: every example loads, every bad one is refused with its exact message, every excerpt in the
//! documentation is one that works.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use taffrail_collector::config::{Config, Errors, Source, load_text};

use crate::files;

/// The variables that examples may use.
fn env(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/ada".to_owned()),
        "PASSWORD" => Some("hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        "WORD" => Some("maybe".to_owned()),
        "EVIL" => Some("x\nself: false\n- {a: 'b".to_owned()),
        _ => None,
    }
}

/// Loads a text as `taffrail.yml`, with the `--set` arguments that its first lines hold as comments.
fn load(text: &str) -> Result<Config, Errors> {
    let sets: Vec<String> =
        text.lines().map_while(|line| line.strip_prefix("# --set ")).map(str::to_owned).collect();
    load_text(Source::new("taffrail.yml", text, ""), &sets, &env)
}

/// What is wrong with the yaml blocks of a page: each names its file in a comment, and a `taffrail.yml` loads.
fn check_page(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for block in blocks(text) {
        let first = block.lines().next().unwrap_or_default();
        let file = first.strip_prefix("# ").and_then(|comment| comment.split([':', ',', ' ']).next());
        match file {
            Some("taffrail.yml") => {
                // Secrets of the machine that an example is about.
                let secrets = files::root().join("collector/tests/configs/secrets");
                let block = block.replace("/run/secrets", &secrets.to_string_lossy());
                if let Err(errors) = load(&block) {
                    problems.push(format!("{name}: an example does not load:\n{errors}"));
                }
            }
            Some(file) if file.contains('.') => {}
            _ => problems.push(format!("{name}: the yaml block that begins with `{first}` does not name its file: begin it with `# taffrail.yml`")),
        }
    }
    problems
}

/// The texts of ```yaml blocks.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match &mut open {
            None if line.trim_start().starts_with("```yaml") => open = Some((indent, String::new())),
            None => {}
            Some(_) if line.trim_start().starts_with("```") => {
                blocks.extend(open.take().map(|(_, block)| block));
            }
            Some((outer, block)) => {
                block.push_str(line.get(*outer..).unwrap_or_default());
                block.push('\n');
            }
        }
    }
    blocks
}

/// Compares the message of a bad configuration with the file beside it.
fn check_bad(text: &str, message: &Path) -> Result<()> {
    let errors = load(text).err().context("it loads, and should not")?;
    for problem in &errors.problems {
        ensure!(problem.line > 0 && problem.snippet.is_some(), "no place: {problem}");
    }
    let shown = format!("{errors}\n");
    ensure!(!shown.contains("hunter2"), "the message shows a secret:\n{shown}");
    taffrail_core::golden::compare(&shown, message).map_err(anyhow::Error::msg)
}

#[test]
fn good_ones_load() -> Result<()> {
    for name in files::list("collector/tests/configs/good", ".yml")? {
        let text = files::read(&format!("collector/tests/configs/good/{name}"))?;
        load(&text).map_err(|errors| anyhow::anyhow!("{name}:\n{errors}"))?;
    }
    Ok(())
}

#[test]
fn bad_ones_are_refused_with_their_message() -> Result<()> {
    let folder = "collector/tests/configs/bad";
    for name in files::list(folder, ".yml")? {
        let text = files::read(&format!("{folder}/{name}"))?;
        let message = files::root().join(folder).join(name.replace(".yml", ".err"));
        check_bad(&text, &message).with_context(|| name.clone())?;
    }
    for name in files::list(folder, ".err")? {
        let config = files::root().join(folder).join(name.replace(".err", ".yml"));
        ensure!(config.exists(), "{name} is the message of no configuration: remove it");
    }
    Ok(())
}

#[test]
fn pages_show_what_works() -> Result<()> {
    let mut examples = 0;
    for name in files::pages()? {
        let text = files::read(&name)?;
        examples += blocks(&text).len();
        let problems = check_page(&name, &text);
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
    }
    ensure!(examples > 2, "no examples found");
    Ok(())
}

#[test]
fn variables_stay_what_they_are() -> Result<()> {
    let text = files::read("collector/tests/configs/good/variables.yml")?;
    let config = load(&text)?;
    assert_eq!(config.interval.as_secs(), 15);
    assert!(!config.own_metrics);
    assert_eq!(config.labels["dollar"], "a$b");
    assert_eq!(config.labels["injected"], "x\nself: false\n- {a: 'b");
    assert_eq!(config.host.as_ref().map(|host| host.job.as_str()), Some("node-exporter"));
    assert_eq!(config.loki[0].receiver.url, "http://loki/loki/api/v1/push");
    Ok(())
}

#[test]
fn a_broken_one_is_noticed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let message = folder.path().join("x.err");
    std::fs::write(&message, "another message\n")?;
    if std::env::var_os("TAFFRAIL_GOLDEN").is_none() {
        assert!(check_bad("intervall: 15s\n", &message).is_err(), "another message");
    }
    assert!(check_bad("interval: 15s\n", &message).is_err(), "nothing is wrong");
    let page = |block: &str| check_page("x.md", &format!("Text.\n\n```yaml\n{block}\n```\n")).len();
    assert_eq!(page("# taffrail.yml\nhost: {}"), 0);
    assert_eq!(page("# values.yml\nanything: 1"), 0);
    assert_eq!(page("# taffrail.yml\nhots: {}"), 1);
    assert_eq!(page("host: {}"), 1);
    Ok(())
}
