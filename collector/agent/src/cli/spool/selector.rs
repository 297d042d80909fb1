//! Which series or streams are meant: `up{job="app",instance!~"test.*"}`, as in PromQL and LogQL.

use std::iter::Peekable;
use std::str::Chars;

use taffrail_core::Pattern;

/// A name and conditions on labels; all must hold.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Selector(Vec<Matcher>);

#[derive(Clone, Debug)]
struct Matcher {
    label: String,
    wanted: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    Like(Pattern),
}

impl Selector {
    /// Reads a selector.
    pub(in crate::cli) fn read(text: &str) -> Result<Self, String> {
        let mut chars = text.trim().chars().peekable();
        let mut matchers = Vec::new();
        let name = word(&mut chars, ":");
        if !name.is_empty() {
            let test = Test::Equal(name);
            matchers.push(Matcher { label: "__name__".to_owned(), wanted: true, test });
        }
        let wrong = |what: &str| {
            format!("`{text}`: {what}\nwrite a selector such as 'up{{job=\"app\",path=~\"/a.*\"}}'")
        };
        match chars.next() {
            None if !matchers.is_empty() => return Ok(Selector(matchers)),
            Some('{') => {}
            _ => return Err(wrong("a name, or `{`, is expected first")),
        }
        loop {
            skip(&mut chars);
            match chars.peek() {
                Some('}') => break,
                None => return Err(wrong("the `}` is missing")),
                Some(_) => matchers.push(matcher(&mut chars).map_err(|what| wrong(&what))?),
            }
            skip(&mut chars);
            match chars.peek() {
                Some(',') => drop(chars.next()),
                Some('}') => {}
                _ => return Err(wrong("`,` or `}` is expected after a value")),
            }
        }
        chars.next();
        match chars.next() {
            None => Ok(Selector(matchers)),
            Some(_) => Err(wrong("nothing may follow the `}`")),
        }
    }

    /// Whether all conditions hold; a label that is not there is empty.
    pub(in crate::cli) fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|matcher| {
            let value = label(&matcher.label).unwrap_or_default();
            let holds = match &matcher.test {
                Test::Equal(wanted) => value == wanted,
                Test::Like(pattern) => pattern.matches(value.as_bytes()),
            };
            holds == matcher.wanted
        })
    }
}

fn skip(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
}

fn word(chars: &mut Peekable<Chars<'_>>, more: &str) -> String {
    std::iter::from_fn(|| chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_' || more.contains(*c)))
        .collect()
}

fn matcher(chars: &mut Peekable<Chars<'_>>) -> Result<Matcher, String> {
    // Labels in UTF-8 are quoted, as their values are.
    let label = if chars.peek() == Some(&'"') { quoted(chars)? } else { word(chars, ".") };
    if label.is_empty() {
        return Err("a label's name is expected".to_owned());
    }
    skip(chars);
    let operator: String = std::iter::from_fn(|| chars.next_if(|c| "=!~".contains(*c))).collect();
    if operator.is_empty() {
        return Err(format!("after `{label}`, one of = != =~ !~ is expected"));
    }
    skip(chars);
    let value = quoted(chars)?;
    let like = |value: &str| Pattern::whole(value).map_err(|error| error.to_string());
    let (wanted, test) = match operator.as_str() {
        "=" => (true, Test::Equal(value)),
        "!=" => (false, Test::Equal(value)),
        "=~" => (true, Test::Like(like(&value)?)),
        "!~" => (false, Test::Like(like(&value)?)),
        _ => return Err(format!("after `{label}`, one of = != =~ !~ is expected")),
    };
    Ok(Matcher { label, wanted, test })
}

fn quoted(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let raw = match chars.next() {
        Some('"') => false,
        Some('`') => true,
        _ => return Err("a value in double quotes is expected".to_owned()),
    };
    let mut text = String::new();
    loop {
        match chars.next() {
            None => return Err("a quote is not closed".to_owned()),
            Some('"') if !raw => return Ok(text),
            Some('`') if raw => return Ok(text),
            Some('\\') if !raw => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c @ ('\\' | '"')) => text.push(c),
                _ => return Err("after a backslash, one of \\ \" n t is expected".to_owned()),
            },
            Some(c) => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(selector: &str, labels: &[(&str, &str)]) -> bool {
        let find = |name: &str| labels.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        Selector::read(selector).unwrap().matches(find)
    }

    #[test]
    fn conditions_are_those_of_promql() {
        let up = [("__name__", "up"), ("job", "app"), ("path", "a\"b"), ("k8s.pod", "p")];
        for selector in [
            "up",
            "{}",
            " up{} ",
            r#"up{job="app"}"#,
            r#"{job="app", path="a\"b",}"#,
            r#"{__name__=~"u.",job!="other"}"#,
            r#"{job!~"ap",missing=""}"#,
            r#"{"k8s.pod"=~`p|q`}"#,
        ] {
            assert!(holds(selector, &up), "{selector}");
        }
        for selector in ["down", r#"up{job="ap"}"#, r#"{job=~"ap"}"#, r#"{missing!=""}"#, r#"{job!~"a.*"}"#] {
            assert!(!holds(selector, &up), "{selector}");
        }
    }

    #[test]
    fn what_does_not_read_is_told() {
        for (selector, expected) in [
            ("", "a name, or `{`"),
            ("up{", "the `}` is missing"),
            ("up{job}", "one of = != =~ !~"),
            ("up{job=app}", "in double quotes"),
            (r#"up{job="app"} or x"#, "nothing may follow"),
            (r#"up{job="app" x="y"}"#, "`,` or `}`"),
            (r#"up{job=~"("}"#, "not a regular expression"),
            (r#"up{job="app}"#, "not closed"),
        ] {
            let error = Selector::read(selector).unwrap_err();
            assert!(error.contains(expected), "{selector}: {error}");
        }
    }
}
