//! The guide to stages: what it says becomes of its example lines is what becomes of them, and no stage is without one.

use anyhow::{Context as _, Result, ensure};
use taffrail_collector::cli::tail;
use taffrail_collector::config::{Source, load_text, reference};
use taffrail_core::golden;

use crate::files;

const GUIDE: &str = "docs/guides/stages.md";

/// When the example lines are read: 2026-11-21 15:00:00 UTC.
const READ_NS: i64 = 1_795_273_200_000_000_000;

/// The guide with what its examples print: a block of yaml, one of lines, and one of the result follow each other.
fn filled(text: &str) -> Result<String> {
    let (mut out, mut rest) = (String::new(), text);
    let (mut config, mut lines) = (None, None);
    while let Some((before, block)) = rest.split_once("```") {
        let (kind, block) = block.split_once('\n').context("a block does not begin")?;
        let (body, after) =
            block.split_once("```").with_context(|| format!("a block of {kind} does not end"))?;
        out.push_str(before);
        out.push_str(&format!("```{kind}\n"));
        match kind {
            "yaml" => config = Some(body),
            "log" => lines = Some(body),
            "result" | "explain" => {
                let config = config.context("a result without a configuration")?;
                // Secrets of the machine that an example is about.
                let secrets = files::root().join("collector/tests/configs/secrets");
                let config = config.replace("/run/secrets", &secrets.to_string_lossy());
                let config = load_text(Source::new("taffrail.yml", &config, ""), &[], &|_| None)?;
                let lines = lines.take().context("a result without lines")?;
                let source = config.logs.first().context("an example without logs")?;
                let passed = tail::pass(source, lines.as_bytes(), READ_NS);
                let shown: String = passed.iter().map(|line| line.text(kind == "explain")).collect();
                out.push_str(shown.trim_end());
                out.push('\n');
            }
            _ => {}
        }
        if !matches!(kind, "result" | "explain") {
            out.push_str(body);
        }
        out.push_str("```");
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[test]
fn stages_do_what_the_guide_says() -> Result<()> {
    let page = filled(&files::read(GUIDE)?)?;
    golden::compare(&page, &files::root().join(GUIDE)).map_err(anyhow::Error::msg)
}

#[test]
fn every_stage_is_in_the_guide() -> Result<()> {
    let schema = reference::schema();
    let stages = schema["$defs"]["Stage"]["properties"].as_object().context("no stages in the schema")?;
    ensure!(stages.len() > 10, "{} stages are not all", stages.len());
    let guide = files::read(GUIDE)?;
    for name in stages.keys() {
        ensure!(guide.contains(&format!("      - {name}:")), "{GUIDE} has no example with `{name}`");
    }
    Ok(())
}

#[test]
fn an_example_that_is_wrong_is_noticed() -> Result<()> {
    let example = |result: &str| {
        format!(
            "```yaml\n# taffrail.yml\nlogs: [{{files: {{include: [/a]}}}}]\n```\n```log\na\n```\n```result\n{result}\n```\n"
        )
    };
    assert_eq!(filled(&example("a"))?, example("a"));
    assert_ne!(filled(&example("b"))?, example("b"));
    Ok(())
}
