//! `${VAR}`, `${VAR:-default}` and `$$` in one scalar, after YAML was read: a value can hold anything, and stays one
//! value.

/// Looks a variable up.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces variables in `text`; `None` when there is nothing to replace. A `$` before anything but `{` and `$` is a
/// dollar, so that `(/|$)` needs no escape. The error says what is wrong, then what would be right.
pub fn replace(text: &str, env: Env<'_>) -> Result<Option<String>, (String, String)> {
    if !text.contains("$$") && !text.contains("${") {
        return Ok(None);
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        replaced.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            replaced.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = after.find('}').ok_or_else(|| {
                ("`${` has no `}`".to_owned(), "write ${NAME}, or $${ for a dollar and a brace".to_owned())
            })?;
            replaced.push_str(&expand(&after[..end], env)?);
            rest = &after[end + 1..];
        } else {
            replaced.push('$');
        }
    }
    replaced.push_str(rest);
    Ok(Some(replaced))
}

/// What `NAME` or `NAME:-default` stands for.
fn expand(inside: &str, env: Env<'_>) -> Result<String, (String, String)> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let first = name.bytes().next().unwrap_or(b'0');
    if first.is_ascii_digit() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let what = format!("`${{{inside}}}` does not name a variable");
        return Err((what, "write ${NAME} or ${NAME:-default}, or $${ for a dollar and a brace".to_owned()));
    }
    if default.is_some_and(|default| default.contains("${")) {
        let what = format!("the default of `{name}` holds another variable");
        return Err((what, "a default is plain text".to_owned()));
    }
    match (env(name), default) {
        // As in a shell, `:-` also stands in for what is set but empty.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("the variable `{name}` is not set, and no default is given"),
            format!("set {name} in the environment, or write ${{{name}:-default}}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("alpha".to_owned()),
            "EMPTY" => Some(String::new()),
            "EVIL" => Some("x\nhost: {}: ${A}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced() {
        let cases = [
            ("plain", None),
            ("$1 (/|$)", None),
            ("${A}-$$-${B:-b c}", Some("alpha-$-b c")),
            ("${EMPTY}${EMPTY:-e}${B:-}", Some("e")),
            ("$${A}", Some("${A}")),
            ("${EVIL}", Some("x\nhost: {}: ${A}")),
        ];
        for (text, expected) in cases {
            assert_eq!(replace(text, &env).unwrap().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        for text in ["${B}", "${A", "${}", "${1}", "${a-b}", "${A:-${B}}"] {
            assert!(replace(text, &env).is_err(), "{text}");
        }
        let (what, help) = replace("${B}", &env).unwrap_err();
        assert_eq!(what, "the variable `B` is not set, and no default is given");
        assert_eq!(help, "set B in the environment, or write ${B:-default}");
    }
}
