//! What is wrong with a configuration: where, shown, and what would be right.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::source::{Source, Span};

/// The most errors that are shown at once.
const MAX_SHOWN: usize = 20;

/// The longest piece of a line that is shown, in characters.
const MAX_LINE: usize = 100;

/// One thing that is wrong, as found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// Where, when it has a place.
    pub span: Option<Span>,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Fault {
    /// A fault at a place.
    pub fn at(span: Span, what: impl Into<String>) -> Self {
        Fault { span: Some(span), what: what.into(), help: None }
    }

    /// Adds what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// One thing that is wrong, as shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// The file's path, or `--set`.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// From 1, in characters; 0 when the whole file is meant.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
    /// The line, with a caret under the place. Secrets are not in it.
    pub snippet: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        } else {
            write!(f, "{}: {}", self.file, self.what)?;
        }
        if let Some(snippet) = &self.snippet {
            write!(f, "\n{snippet}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
pub struct Errors {
    /// One or more.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().take(MAX_SHOWN).enumerate() {
            if at > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        match self.problems.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n\n… and {more} more"),
        }
    }
}

impl Errors {
    /// A single error about a file as a whole.
    pub fn file(name: impl Into<String>, what: impl Into<String>, help: Option<String>) -> Self {
        let (file, what) = (name.into(), what.into());
        Errors { problems: vec![Problem { file, line: 0, column: 0, what, help, snippet: None }] }
    }

    /// Shows faults in their sources, sorted by place.
    pub fn show(mut faults: Vec<Fault>, sources: &[Source]) -> Self {
        faults.sort_by_key(|fault| fault.span.map(|span| (span.source, span.start)));
        faults.dedup();
        Errors { problems: faults.into_iter().map(|fault| show(fault, sources)).collect() }
    }
}

fn show(fault: Fault, sources: &[Source]) -> Problem {
    let Fault { span, what, help } = fault;
    let place = span.and_then(|span| Some((span.range(), sources.get(span.source as usize)?)));
    let Some((range, source)) = place else {
        let file = sources.first().map(|s| s.name.clone()).unwrap_or_default();
        return Problem { file, line: 0, column: 0, what, help, snippet: None };
    };
    let (line, column) = source.position(range.start);
    let snippet = Some(snippet(source, line, range));
    Problem { file: source.name.clone(), line, column, what, help, snippet }
}

/// The line, its number, and carets under `range`.
fn snippet(source: &Source, number: usize, range: Range<usize>) -> String {
    let (start, line) = source.line(range.start);
    let from = range.start.saturating_sub(start).min(line.len());
    let to = range.end.saturating_sub(start).clamp(from, line.len());
    let (shown, from, to) = mask(line, start, &source.hidden, from..to);
    // Counted in characters from here on.
    let width = shown.chars().count();
    let skip = from.saturating_sub(MAX_LINE / 3).min(width.saturating_sub(MAX_LINE));
    let text: String = shown.chars().skip(skip).take(MAX_LINE).collect();
    let carets = "^".repeat((to - from).clamp(1, MAX_LINE.saturating_sub(from - skip).max(1)));
    let gutter = number.to_string();
    let blank = " ".repeat(gutter.len());
    let lead = " ".repeat(from - skip);
    format!("  {gutter} | {}\n  {blank} | {lead}{carets}", text.trim_end())
}

/// The line with hidden ranges replaced, tabs and control characters as spaces, and the caret's range moved along,
/// in characters.
fn mask(line: &str, start: usize, hidden: &[Range<usize>], caret: Range<usize>) -> (String, usize, usize) {
    let mut shown = String::with_capacity(line.len());
    let (mut from, mut to, mut width, mut masked) = (None, 0, 0, false);
    for (at, c) in line.char_indices() {
        if at >= caret.start && from.is_none() {
            from = Some(width);
        }
        if at < caret.end {
            to = width;
        }
        if hidden.iter().any(|range| range.contains(&(start + at))) {
            if !masked {
                shown.push_str("***");
                width += 3;
            }
            masked = true;
        } else {
            shown.push(if c.is_control() { ' ' } else { c });
            width += 1;
            masked = false;
        }
        if at < caret.end {
            to = width;
        }
    }
    let from = from.unwrap_or(width);
    (shown, from.min(width), to.max(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("t.yml", text, "")
    }

    #[test]
    fn a_problem_is_shown_with_its_place() {
        let sources = [source("a: 1\n  intervall: 15s\n")];
        let fault =
            Fault::at(Span { source: 0, start: 7, end: 16 }, "unknown key").help("did you mean `interval`?");
        assert_eq!(
            Errors::show(vec![fault], &sources).to_string(),
            "t.yml:2:3: unknown key\n  2 |   intervall: 15s\n    |   ^^^^^^^^^\n  did you mean `interval`?"
        );
    }

    #[test]
    fn hidden_text_is_not_shown_and_the_caret_stays_under_its_word() {
        let mut source = source("{password: hunter2, oops: 1}");
        source.hidden.push(11..18);
        let fault = Fault::at(Span { source: 0, start: 20, end: 24 }, "unknown key");
        assert_eq!(
            Errors::show(vec![fault], &[source]).to_string(),
            "t.yml:1:21: unknown key\n  1 | {password: ***, oops: 1}\n    |                 ^^^^"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let sources = [source(&format!("{}oops", "é".repeat(5000)))];
        let shown =
            Errors::show(vec![Fault::at(Span { source: 0, start: 10_000, end: 10_004 }, "x")], &sources);
        let text = shown.to_string();
        assert!(text.contains("oops\n") && text.contains("^^^^"), "{text}");
        assert!(text.chars().count() < 300, "{text}");
    }

    #[test]
    fn a_place_behind_the_end_is_shown_too() {
        let sources = [source("a: 1")];
        let shown = Errors::show(vec![Fault::at(Span { source: 0, start: 90, end: 95 }, "x")], &sources);
        assert!(shown.to_string().contains('^'));
    }
}
