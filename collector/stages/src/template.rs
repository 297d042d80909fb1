//! Templates: text with `{{ .field }}` in it, and a few functions on the way.
//!
//! The part of Go's templates that log pipelines use. There are no loops, conditions or variables, and no function makes
//! a text longer than it is times what it is given, so that filling one is linear.

use std::borrow::Cow;

/// The longest result of a template, in bytes; more is cut.
pub const MAX_BYTES: usize = 1 << 20;

/// A template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Field(Operand, Vec<Call>),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Field(String),
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
struct Call {
    function: Function,
    arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Lower,
    Upper,
    TrimSpace,
    Trim,
    TrimPrefix,
    TrimSuffix,
    Replace,
    Default,
    Trunc,
    Quote,
}

/// Names of functions, and how many arguments they take beside the value. Those with a capital are promtail's: the value
/// comes first there, `Replace .x "a" "b" -1`. Those without are as in Helm: it comes last, `.x | replace "a" "b"`.
const FUNCTIONS: [(&str, Function, usize); 16] = [
    ("ToLower", Function::Lower, 0),
    ("ToUpper", Function::Upper, 0),
    ("TrimSpace", Function::TrimSpace, 0),
    ("Trim", Function::Trim, 1),
    ("TrimPrefix", Function::TrimPrefix, 1),
    ("TrimSuffix", Function::TrimSuffix, 1),
    ("Replace", Function::Replace, 3),
    ("lower", Function::Lower, 0),
    ("upper", Function::Upper, 0),
    ("trim", Function::TrimSpace, 0),
    ("trimPrefix", Function::TrimPrefix, 1),
    ("trimSuffix", Function::TrimSuffix, 1),
    ("replace", Function::Replace, 2),
    ("default", Function::Default, 1),
    ("trunc", Function::Trunc, 1),
    ("quote", Function::Quote, 0),
];

impl Template {
    /// Reads a template. An error says what is wrong, then, behind a line feed, what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after
                .split_once("}}")
                .ok_or("`{{` has no `}}`\nwrite {{ .field }}, or {{ \"{{\" }} for two brackets")?;
            // `{{-` and `-}}` take the space beside them away.
            let (before, inside) = match inside.strip_prefix("- ") {
                Some(inside) => (before.trim_end(), inside),
                None => (before, inside),
            };
            let (inside, after) = match inside.strip_suffix(" -") {
                Some(inside) => (inside, after.trim_start()),
                None => (inside, after),
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(action(inside)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Template { parts })
    }

    /// The text that it makes, where `field` says what fields hold.
    pub fn fill<'v>(&self, field: &dyn Fn(&str) -> &'v str) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(operand, calls) => {
                    let value = match operand {
                        Operand::Field(name) => Cow::Borrowed(field(name)),
                        Operand::Text(text) => Cow::Borrowed(text.as_str()),
                    };
                    out.push_str(&calls.iter().fold(value, |value, call| call.on(value)));
                }
            }
            if out.len() > MAX_BYTES {
                out.truncate(out.floor_char_boundary(MAX_BYTES));
                break;
            }
        }
        out
    }
}

impl Call {
    fn on<'v>(&self, value: Cow<'v, str>) -> Cow<'v, str> {
        let argument = |at: usize| self.arguments.get(at).map_or("", String::as_str);
        let part = |value: Cow<'v, str>, of: &dyn for<'x> Fn(&'x str) -> &'x str| match value {
            Cow::Borrowed(text) => Cow::Borrowed(of(text)),
            Cow::Owned(text) => Cow::Owned(of(&text).to_owned()),
        };
        match self.function {
            Function::Lower => Cow::Owned(value.to_lowercase()),
            Function::Upper => Cow::Owned(value.to_uppercase()),
            Function::TrimSpace => part(value, &|text| text.trim()),
            Function::Trim => part(value, &|text| text.trim_matches(|c| argument(0).contains(c))),
            Function::TrimPrefix => part(value, &|text| text.strip_prefix(argument(0)).unwrap_or(text)),
            Function::TrimSuffix => part(value, &|text| text.strip_suffix(argument(0)).unwrap_or(text)),
            Function::Replace => {
                let most = argument(2).parse::<usize>().unwrap_or(usize::MAX);
                Cow::Owned(bounded_replace(&value, argument(0), argument(1), most))
            }
            Function::Default if value.is_empty() => Cow::Owned(argument(0).to_owned()),
            Function::Default => value,
            Function::Trunc => {
                let most = argument(0).parse::<usize>().unwrap_or(usize::MAX);
                part(value, &|text| &text[..text.floor_char_boundary(most)])
            }
            Function::Quote => Cow::Owned(format!("{:?}", &*value)),
        }
    }
}

fn bounded_replace(text: &str, from: &str, to: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.splitn(most.saturating_add(1), from);
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(to);
        out.push_str(part);
        if out.len() > MAX_BYTES {
            break;
        }
    }
    out
}

/// What is between the brackets: an operand, a call, and further calls behind `|`.
fn action(text: &str) -> Result<Part, String> {
    let words = words(text)?;
    let mut stages = words.split(|word| *word == Word::Pipe);
    let first = stages.next().unwrap_or_default();
    let (operand, mut calls) = match first {
        [word] => (operand(word)?, Vec::new()),
        [Word::Name(name), rest @ ..] => {
            let function = function(name)?;
            // Promtail's take the value first, the others last.
            let (value, arguments) =
                if name.starts_with(char::is_uppercase) { rest.split_first() } else { rest.split_last() }
                    .ok_or_else(|| format!("`{name}` has no value\nwrite {{{{ {name} .field }}}}"))?;
            (operand(value)?, vec![call(function, arguments)?])
        }
        _ => return Err(format!("`{{{{{text}}}}}` is no template\n{EXAMPLE}")),
    };
    for stage in stages {
        match stage {
            [Word::Name(name), arguments @ ..] => calls.push(call(function(name)?, arguments)?),
            _ => return Err(format!("behind `|` in `{{{{{text}}}}}` has to be a function\n{EXAMPLE}")),
        }
    }
    Ok(Part::Field(operand, calls))
}

const EXAMPLE: &str = "write {{ .field }}, {{ .field | lower }} or {{ .field | default \"none\" }}";

fn operand(word: &Word) -> Result<Operand, String> {
    match word {
        Word::Field(name) => Ok(Operand::Field(name.clone())),
        Word::Text(text) => Ok(Operand::Text(text.clone())),
        Word::Name(name) => {
            Err(format!("`{name}` is no field\na field begins with a dot: {{{{ .{name} }}}}"))
        }
        Word::Pipe => Err(format!("a value is missing before `|`\n{EXAMPLE}")),
    }
}

type Known = (&'static str, Function, usize);

fn function(name: &str) -> Result<Known, String> {
    let known = FUNCTIONS.iter().find(|(known, ..)| *known == name);
    known.copied().ok_or_else(|| {
        let names: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
        format!("templates have no `{name}`\nfunctions are {}", names.join(", "))
    })
}

fn call((name, function, count): Known, words: &[Word]) -> Result<Call, String> {
    let argument = |word: &Word| match word {
        Word::Text(text) => Ok(text.clone()),
        _ => Err(format!("what `{name}` is given has to be text or a number\n{EXAMPLE}")),
    };
    let arguments = words.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
    if arguments.len() != count {
        return Err(format!("`{name}` takes {count} beside the value, not {}\n{EXAMPLE}", arguments.len()));
    }
    let number = match function {
        Function::Trunc => arguments.first(),
        Function::Replace => arguments.get(2),
        _ => None,
    };
    // A number below 0 is no bound.
    if number.is_some_and(|number| number.parse::<i64>().is_err()) {
        return Err(format!("`{name}` is given a number at the end\n{EXAMPLE}"));
    }
    Ok(Call { function, arguments })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Field(String),
    Name(String),
    /// Quoted text, or a number.
    Text(String),
    Pipe,
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let (mut words, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        let (word, next) = match first {
            '|' => (Word::Pipe, after),
            '`' => {
                let (quoted, next) = after.split_once('`').ok_or("a quote does not end\nwrite \"text\"")?;
                (Word::Text(quoted.to_owned()), next)
            }
            '"' => quoted(after)?,
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "|\"`".contains(c)).unwrap_or(rest.len());
                let (word, next) = rest.split_at(end);
                let word = match word.strip_prefix('.') {
                    Some(name) if !name.is_empty() && !name.contains('.') => Word::Field(name.to_owned()),
                    None if word.parse::<i64>().is_ok() => Word::Text(word.to_owned()),
                    None if word.chars().all(char::is_alphanumeric) => Word::Name(word.to_owned()),
                    _ => return Err(format!("`{word}` is not understood\n{EXAMPLE}")),
                };
                (word, next)
            }
        };
        words.push(word);
        rest = next.trim_start();
    }
    Ok(words)
}

/// Reads the rest of a quoted text.
fn quoted(text: &str) -> Result<(Word, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Word::Text(out), &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                _ => {
                    return Err(
                        "after a backslash come n, t, \" or \\ only\nwrite `text` to quote backslashes"
                            .to_owned(),
                    );
                }
            },
            c => out.push(c),
        }
    }
    Err("a quote does not end\nwrite \"text\"".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(name: &str) -> &'static str {
        match name {
            "level" => "WARN",
            "msg" => " a \"b\" a ",
            _ => "",
        }
    }

    #[test]
    fn fields_and_functions() {
        for (template, result) in [
            ("plain", "plain"),
            ("", ""),
            ("{{ .level }}:{{.msg}}", "WARN: a \"b\" a "),
            ("{{ ToLower .level }} {{ .level | lower | upper }}", "warn WARN"),
            ("{{ .msg | trim }}|{{ TrimSpace .msg }}", "a \"b\" a|a \"b\" a"),
            ("{{ Replace .msg \"a\" `c` 1 }}{{ .msg | replace \"a\" \"\\\"\" }}", " c \"b\" a  \" \"b\" \" "),
            ("{{ .none | default \"none\" }}{{ default \"x\" .level }}", "noneWARN"),
            (
                "{{ TrimPrefix .level \"WA\" }}{{ .level | trimSuffix \"RN\" }}{{ Trim .level \"WN\" }}",
                "RNWAAR",
            ),
            ("{{ .level | trunc 2 }}{{ .level | trunc -1 }}", "WAWARN"),
            ("{{ .level | quote }} {{ \"{{\" }} ${1} $$", "\"WARN\" {{ ${1} $$"),
            ("a {{- .level -}} b", "aWARNb"),
        ] {
            let made = Template::parse(template).map(|template| template.fill(&field));
            assert_eq!(made.as_deref(), Ok(result), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (template, part) in [
            ("{{ .a", "has no `}}`"),
            ("{{ }}", "is no template"),
            ("{{ .a .b }}", "is no template"),
            ("{{ if .a }}x{{ end }}", "no `if`"),
            ("{{ level }}", "begins with a dot"),
            ("{{ .a | .b }}", "has to be a function"),
            ("{{ .a | replace \"x\" }}", "takes 2 beside the value, not 1"),
            ("{{ .a | trunc \"x\" }}", "is given a number"),
            ("{{ .a | default .b }}", "text or a number"),
            ("{{ .a.b }}", "is not understood"),
            ("{{ \"a }}", "does not end"),
            ("{{ \"\\q\" }}", "after a backslash"),
            ("{{ ToLower }}", "is no field"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.contains(part) && error.contains('\n'), "{template}: {error}");
        }
    }

    #[test]
    fn results_are_bounded() {
        let template =
            Template::parse("{{ .msg | replace \"\" \"0123456789\" | replace \"\" \"0123456789\" }}")
                .unwrap();
        let long: &'static str = Box::leak("x".repeat(MAX_BYTES).into_boxed_str());
        assert!(template.fill(&|_| long).len() <= MAX_BYTES);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in r#"(\{\{|\}\}|\.a|"|lower|replace| |\||`|1|é|\\|-){0,16}"#, value in "(?s).{0,8}") {
            if let Ok(template) = Template::parse(&text) {
                let value: &'static str = Box::leak(value.into_boxed_str());
                template.fill(&|_| value);
            }
        }
    }
}
