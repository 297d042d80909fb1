//! `taffrail metrics`: the catalogue, as a table or as JSON.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::print;
use crate::registry::{self, Entry};

/// `taffrail metrics`
#[derive(Args, Debug)]
pub struct Metrics {
    /// Only metrics whose names begin so
    prefix: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One metric in JSON.
#[derive(Serialize)]
struct Row {
    name: String,
    r#type: &'static str,
    labels: &'static [&'static str],
    unit: Option<&'static str>,
    exporter: &'static str,
    subject: Option<&'static str>,
    help: &'static str,
}

impl Metrics {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let mut found: Vec<Entry> = registry::catalogue();
        found.retain(|entry| entry.metric.pattern().starts_with(prefix));
        found.sort_by_key(|entry| entry.metric.pattern());
        if self.json {
            print::json(&found.iter().map(row).collect::<Vec<_>>())?;
        } else if found.is_empty() {
            print::err(&format!("no metric begins with `{prefix}`; `taffrail metrics` lists all"));
        } else {
            print::out(&table(&found))?;
        }
        Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn row(entry: &Entry) -> Row {
    Row {
        name: entry.metric.pattern(),
        r#type: entry.metric.kind.as_str(),
        labels: entry.metric.labels,
        unit: entry.metric.unit(),
        exporter: entry.exporter,
        subject: entry.subject,
        help: entry.metric.help,
    }
}

fn table(entries: &[Entry]) -> String {
    let name = |entry: &Entry| match entry.metric.labels {
        [] => entry.metric.pattern(),
        labels => format!("{}{{{}}}", entry.metric.pattern(), labels.join(",")),
    };
    let width = entries.iter().map(|entry| name(entry).len()).max().unwrap_or(0).min(72);
    let mut text = String::new();
    for entry in entries {
        let kind = entry.metric.kind.as_str();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{:width$}  {kind:7}  {}", name(entry), entry.metric.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_metric() {
        let entries = registry::catalogue();
        let text = table(&entries);
        assert_eq!(text.lines().count(), entries.len());
        assert!(text.contains("node_cpu_seconds_total{cpu,mode}"));
    }
}
