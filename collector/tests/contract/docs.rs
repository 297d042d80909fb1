//! The generated pages of `docs/reference`: what is committed is what the code says. `make docs` writes them again.

use std::fmt::Write;

use anyhow::Result;
use taffrail_collector::config::reference;
use taffrail_collector::registry::{self, Entry};
use taffrail_core::golden;

use crate::files;

/// What stands above the tables of metrics.
const HEAD: &str = "\
<!-- Made by `make docs` from the declarations in the code. -->

# Metrics

Every metric that can leave taffrail. `taffrail metrics` prints the same on the command line, `--json` for programs.
`<key>` stands for a name that comes from the kernel. Beside its own labels every series has `job` and `instance`.

";

/// The page `docs/reference/metrics.md`.
fn metrics_page(catalogue: &[Entry]) -> String {
    let mut page = HEAD.to_owned();
    // Writing to a text cannot fail.
    for exporter in registry::EXPORTERS {
        let entries: Vec<Entry> =
            catalogue.iter().filter(|entry| entry.exporter == exporter.name).copied().collect();
        let _ = writeln!(page, "## {}\n\n{}\n", exporter.name, exporter.description);
        section(&mut page, &entries);
    }
    let own: Vec<Entry> = catalogue.iter().filter(|entry| entry.exporter == registry::OWN).copied().collect();
    let _ = writeln!(
        page,
        "## {}\n\nThe collector itself, and what its frame adds to every job.\n",
        registry::OWN
    );
    section(&mut page, &own);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// One table for each subject, subjects and metrics sorted by name; what belongs to no subject comes first.
fn section(page: &mut String, entries: &[Entry]) {
    let mut groups: Vec<(Option<&str>, &str)> =
        entries.iter().map(|entry| (entry.subject, entry.about)).collect();
    groups.sort_unstable();
    groups.dedup();
    for (subject, about) in groups {
        let title = subject.map(|subject| format!("### {subject}\n\n{about}\n\n"));
        page.push_str(&title.unwrap_or_else(|| format!("{about}\n\n")));
        page.push_str("| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n");
        let mut rows: Vec<&Entry> =
            entries.iter().filter(|entry| (entry.subject, entry.about) == (subject, about)).collect();
        rows.sort_by_key(|entry| entry.metric.pattern());
        for entry in rows {
            let metric = entry.metric;
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let source = metric.keys.map(|keys| format!(" Keys: {}.", keys.source)).unwrap_or_default();
            let help = format!("{}{source}", metric.help).replace("{key}", "`<key>`").replace('|', "\\|");
            let (name, kind) = (metric.pattern(), metric.kind.as_str());
            let unit = metric.unit().unwrap_or_default();
            let _ = writeln!(page, "| `{name}` | {kind} | {} | {unit} | {help} |", labels.join(", "));
        }
        page.push('\n');
    }
}

fn same(page: &str, path: &str) -> Result<()> {
    golden::compare(page, &files::root().join(path)).map_err(|e| anyhow::anyhow!("{e}, or make docs"))
}

#[test]
fn docs_of_metrics_are_what_the_code_says() -> Result<()> {
    same(&metrics_page(&registry::catalogue()), "docs/reference/metrics.md")
}

#[test]
fn docs_of_the_configuration_are_what_the_code_says() -> Result<()> {
    same(&reference::page(), "docs/reference/config.md")
}

#[test]
fn docs_have_the_schema_that_the_code_has() -> Result<()> {
    let schema = serde_json::to_string_pretty(&reference::schema())?;
    same(&format!("{schema}\n"), "docs/reference/taffrail.schema.json")
}

#[test]
fn docs_that_differ_are_noticed() -> Result<()> {
    if std::env::var_os("TAFFRAIL_GOLDEN").is_some() {
        return Ok(());
    }
    let mut catalogue = registry::catalogue();
    assert!(same(&metrics_page(&catalogue), "docs/reference/metrics.md").is_ok());
    catalogue.pop();
    assert!(same(&metrics_page(&catalogue), "docs/reference/metrics.md").is_err());
    Ok(())
}
