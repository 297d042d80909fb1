//! Prints what a page says, a JSON object a line: `page text|openmetrics|protobuf <page`. It ends with 1 where the page is
//! refused, and says why.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its result is what it prints")]

use std::io::{Read, stdin};
use std::process::ExitCode;

use taffrail_wire::page::{Entry, Exemplar, Format, Options, Parser};

fn main() -> ExitCode {
    let format = match std::env::args().nth(1).as_deref() {
        Some("text") => Format::Text,
        Some("openmetrics") => Format::OpenMetrics,
        Some("protobuf") => Format::Protobuf,
        _ => {
            eprintln!("say the page's format: text, openmetrics or protobuf");
            return ExitCode::from(2);
        }
    };
    let mut page = Vec::new();
    if let Err(error) = stdin().read_to_end(&mut page) {
        eprintln!("cannot read the page: {error}");
        return ExitCode::FAILURE;
    }
    let options = Options { native: true, created: true, ..Options::default() };
    for entry in Parser::new(&page, format, options) {
        match entry {
            Ok(entry) => println!("{}", line(&entry)),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn line(entry: &Entry<'_>) -> String {
    let time = |time: Option<i64>| time.map_or("null".to_owned(), |ms| ms.to_string());
    match entry {
        Entry::Type { family, kind } => format!(r#"{{"type":{},"is":"{kind:?}"}}"#, quoted(family)),
        Entry::Help { family, text } => format!(r#"{{"help":{},"is":{}}}"#, quoted(family), quoted(text)),
        Entry::Unit { family, unit } => format!(r#"{{"unit":{},"is":{}}}"#, quoted(family), quoted(unit)),
        Entry::Comment(text) => format!(r#"{{"comment":{}}}"#, quoted(&String::from_utf8_lossy(text))),
        Entry::Eof => r#"{"eof":true}"#.to_owned(),
        Entry::Sample(sample) => format!(
            r#"{{"series":{},"value":"{}","ms":{},"created":{},"exemplar":{}}}"#,
            labels(sample.series.labels()),
            sample.value,
            time(sample.ts_ms),
            time(sample.created_ms),
            sample.exemplar.as_deref().map_or("null".to_owned(), exemplar),
        ),
        Entry::Histogram(sample) => format!(
            r#"{{"series":{},"histogram":{},"ms":{},"created":{},"exemplars":[{}]}}"#,
            labels(sample.series.labels()),
            quoted(&format!("{:?}", sample.histogram)),
            time(sample.ts_ms),
            time(sample.created_ms),
            sample.exemplars.iter().map(exemplar).collect::<Vec<_>>().join(","),
        ),
    }
}

fn exemplar(exemplar: &Exemplar<'_>) -> String {
    let pairs = exemplar.labels.iter().map(|(name, value)| (&**name, &**value));
    let time = exemplar.ts_ms.map_or("null".to_owned(), |ms| ms.to_string());
    format!(r#"{{"labels":{},"value":"{}","ms":{time}}}"#, labels(pairs), exemplar.value)
}

fn labels<N: AsRef<str>, V: AsRef<str>>(pairs: impl Iterator<Item = (N, V)>) -> String {
    let pairs: Vec<String> =
        pairs.map(|(name, value)| format!("{}:{}", quoted(name.as_ref()), quoted(value.as_ref()))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
