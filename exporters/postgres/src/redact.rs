//! Statements made fit to be shown: no literal, and nothing of statements that are no queries, as those hold passwords.

/// The longest text that is shown, in characters.
const MOST: usize = 200;
/// What queries begin with. Of all else only the first word is shown.
const QUERIES: [&str; 7] = ["select", "insert", "update", "delete", "merge", "with", "values"];

/// A statement without its literals, in one line, cut.
pub fn statement(text: &str) -> String {
    let rest = without_comments(text);
    let first: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    if !QUERIES.contains(&first.to_ascii_lowercase().as_str()) {
        return if first.is_empty() {
            "…".to_owned()
        } else {
            format!("{} …", first.to_ascii_uppercase())
        };
    }
    let shown = without_literals(&rest);
    let mut cut: String = shown.chars().take(MOST).collect();
    if cut.len() < shown.len() {
        cut.push('…');
    }
    cut
}

/// Blanks instead of comments: they may hold anything, and hide the first word.
fn without_comments(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        if quote.is_none() && rest.starts_with("--") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        if quote.is_none() && rest.starts_with("/*") {
            rest = after_comment(rest);
            shown.push(' ');
            continue;
        }
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            _ => {}
        }
        shown.push(c);
        rest = &rest[c.len_utf8()..];
    }
    shown.trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == ';').to_owned()
}

/// What follows a comment, which may hold others.
fn after_comment(text: &str) -> &str {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return &text[at..];
            }
        } else {
            at += 1;
        }
    }
    ""
}

/// `?` instead of every text and number; white space becomes one blank.
fn without_literals(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        let word = before.is_alphanumeric() || before == '_' || before == '$';
        match c {
            '\'' => {
                // `E'…'` knows backslashes. A text that is cut off ends with the statement.
                let escapes = before.eq_ignore_ascii_case(&'e');
                taken = literal(rest, escapes);
                shown.push('?');
            }
            '"' => {
                // A name, not a literal.
                taken = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
                shown.push_str(&rest[..taken]);
            }
            '$' if !word && dollar(rest).is_some() => {
                taken = dollar(rest).unwrap_or(rest.len());
                shown.push('?');
            }
            '0'..='9' if !word => {
                let number = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
                taken = rest.find(|c: char| !number(c)).unwrap_or(rest.len());
                shown.push('?');
            }
            c if c.is_whitespace() => {
                if !shown.ends_with(' ') {
                    shown.push(' ');
                }
            }
            c => shown.push(c),
        }
        before = rest[..taken].chars().next_back().unwrap_or(' ');
        rest = &rest[taken..];
    }
    shown.trim_end().to_owned()
}

/// The bytes of the text literal that `text` begins with.
fn literal(text: &str, escapes: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The bytes of the text between `$tag$` and `$tag$`, if `text` begins with one.
fn dollar(text: &str) -> Option<usize> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[..end];
    let name = &tag[1..tag.len() - 1];
    let good = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    good.then(|| text[end..].find(tag).map_or(text.len(), |at| end + at + tag.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_not_shown() {
        for (text, shown) in [
            ("select * from t1 where a = 'it''s' and b=1.5e3", "select * from t1 where a = ? and b=?"),
            ("/* secret /* in */ here */ UPDATE x\n SET y = $$hunter2$$", "UPDATE x SET y = ?"),
            ("insert into t values (E'a\\'b', $q$x$q$, $1)", "insert into t values (E?, ?, $1)"),
            ("-- pw\nselect 'cut off", "select ?"),
            ("(select \"Col 1\" from x)", "select \"Col 1\" from x)"),
        ] {
            assert_eq!(statement(text), shown);
        }
    }

    #[test]
    fn what_is_no_query_is_not_shown() {
        assert_eq!(statement("alter role ada password 'hunter2'"), "ALTER …");
        assert_eq!(statement("/**/;create user x password 'hunter2'"), "CREATE …");
        assert_eq!(statement(""), "…");
        let long = format!("select {}", "é".repeat(500));
        assert_eq!(statement(&long).chars().count(), MOST + 1);
    }
}
