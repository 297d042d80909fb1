//! Faults in how lines of the text format are written.

use super::Fault;
use crate::text;

/// Of the page as a whole.
pub(super) fn of_page(page: &[u8]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if page.last().is_some_and(|last| *last != b'\n') {
        faults.push(Fault::NoLineEnd);
    }
    // A zero byte is read in labels and comments; where a line would begin it ends the page.
    let ends = |at: usize| {
        page[..at].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t')).is_none_or(|b| *b == b'\n')
    };
    if memchr::memchr_iter(0, page).any(ends) {
        faults.push(Fault::Zero);
    }
    faults
}

/// Of a `# HELP` line that begins at an index.
pub(super) fn of_help(page: &[u8], start: usize) -> Option<Fault> {
    let line = &page[start..];
    let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let name = line.split(is_blank).filter(|word| !word.is_empty() && *word != b"#").nth(1)?;
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    (name[0] != b'"' && !name.iter().all(good)).then_some(Fault::HelpName)
}

/// Of a sample whose line begins at an index.
pub(super) fn of_sample(page: &[u8], start: usize, series: &[u8], faults: &mut Vec<Fault>) {
    if start > 0 && page[start - 1] != b'\n' {
        faults.push(Fault::Indented);
    }
    if !page.get(start + series.len()).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        faults.push(Fault::NoBlank);
    }
    let found = text::looseness(series);
    let kinds =
        [(found.comma, Fault::NoComma), (found.line_end, Fault::LineEnd), (found.escape, Fault::Escape)];
    faults.extend(kinds.into_iter().filter_map(|(is, fault)| is.then_some(fault)));
}
