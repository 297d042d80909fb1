//! The golden-file kit: a subject run on a fixture tree must write exactly the committed page.
//!
//! `TAFFRAIL_GOLDEN=rewrite cargo test` (or `make golden`) rewrites the pages; read the difference before you commit it.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use crate::out::Out;
use crate::sample::Collected;
use crate::subject::{CollectError, Run, Subject};
use crate::text::{self, Format};

/// Runs `subject` once at time 0 and returns its page, families sorted by name, series in the order written.
pub fn page(subject: &mut Subject) -> Result<String, CollectError> {
    page_with(subject, &[])
}

/// The same for a subject whose series may have labels of these names behind those declared.
pub fn page_with(subject: &mut Subject, more: &[Cow<'_, str>]) -> Result<String, CollectError> {
    let mut out = Out::default();
    out.begin(0);
    match &mut subject.run {
        Run::Blocking(run) => run(&mut out)?,
        Run::Async(_) => {
            return Err(CollectError::Other("an asynchronous subject: page_async makes its page".into()));
        }
    }
    finish(subject, out, more)
}

/// The same for a subject of either kind.
pub async fn page_async(subject: &mut Subject) -> Result<String, CollectError> {
    let mut out = Out::default();
    out.begin(0);
    match &mut subject.run {
        Run::Blocking(run) => run(&mut out)?,
        Run::Async(collect) => collect.collect(&mut out).await?,
    }
    finish(subject, out, &[])
}

fn finish(subject: &Subject, mut out: Out, more: &[Cow<'_, str>]) -> Result<String, CollectError> {
    let collected = out.finish();
    undeclared(subject, &collected, more)?;
    Ok(String::from_utf8_lossy(&text::page(&collected, Format::Prometheus)).into_owned())
}

/// Compares `page` with the file, or rewrites the file when the switch is set. The error is fit for a test's panic.
pub fn compare(page: &str, file: &Path) -> Result<(), String> {
    if std::env::var_os("TAFFRAIL_GOLDEN").is_some_and(|v| v == "rewrite") {
        return fs::write(file, page).map_err(|e| format!("{}: {e}", file.display()));
    }
    let expected =
        fs::read_to_string(file).map_err(|e| format!("{}: {e}; `make golden` writes it", file.display()))?;
    let differs = page.lines().zip(expected.lines()).position(|(a, b)| a != b);
    match differs {
        None if page.lines().count() == expected.lines().count() => Ok(()),
        differs => {
            let at = differs.unwrap_or_else(|| page.lines().count().min(expected.lines().count()));
            let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
            Err(format!(
                "{} line {}:\n  expected: {}\n  got:      {}\nif the new one is right: make golden",
                file.display(),
                at + 1,
                line(&expected),
                line(page)
            ))
        }
    }
}

/// A subject publishes only what it declared, with the labels and the type declared.
fn undeclared(subject: &Subject, collected: &Collected, more: &[Cow<'_, str>]) -> Result<(), CollectError> {
    for (_, def) in &collected.new {
        let declared = subject.metrics.iter().any(|m| {
            m.covers(&def.family.name)
                && m.kind == def.family.kind
                && m.labels.iter().copied().eq(def
                    .labels
                    .iter()
                    .map(|(name, _)| &**name)
                    .filter(|name| m.labels.contains(name) || !more.iter().any(|more| more == name)))
        });
        if !declared {
            return Err(CollectError::Other(format!(
                "{} is not among the subject's metrics",
                def.family.name
            )));
        }
    }
    Ok(())
}
