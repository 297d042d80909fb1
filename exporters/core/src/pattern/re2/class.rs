//! Classes of characters: in brackets, by a letter behind a backslash, by their names in Unicode and POSIX.

use super::{Translator, code};

impl Translator<'_> {
    /// The class behind a backslash, if it is one.
    pub(super) fn known_class(&mut self) -> Result<Option<String>, String> {
        let class = match self.rest.peek() {
            Some('d') => "[0-9]",
            Some('w') => "[0-9A-Za-z_]",
            Some('s') => "[\\t\\n\\f\\r ]",
            Some('D') => "[^0-9]",
            Some('W') => "[^0-9A-Za-z_]",
            Some('S') => "[^\\t\\n\\f\\r ]",
            Some('p' | 'P') => return self.unicode().map(Some),
            _ => return Ok(None),
        };
        self.rest.next();
        Ok(Some(class.to_owned()))
    }

    /// `pL`, `p{Greek}`, `p{^Greek}`, or `P` for all others.
    fn unicode(&mut self) -> Result<String, String> {
        let wrong = || "behind `\\p` there is a letter, or a name in braces".to_owned();
        let mut negative = self.rest.next() == Some('P');
        let mut name = String::new();
        match self.rest.next().ok_or_else(wrong)? {
            '{' => loop {
                match self.rest.next().ok_or_else(wrong)? {
                    '}' => break,
                    '^' if name.is_empty() => negative = !negative,
                    c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                    _ => return Err(wrong()),
                }
            },
            c => name.push(c),
        }
        let p = if negative { 'P' } else { 'p' };
        // Categories have a letter or two; all other names are those of scripts.
        Ok(match (name.as_str(), name.len()) {
            ("Any", _) => format!("\\{p}{{any}}"),
            (_, 1 | 2) => format!("\\{p}{{gc={name}}}"),
            _ => format!("\\{p}{{sc={name}}}"),
        })
    }

    /// A class in brackets, after the first one.
    pub(super) fn class(&mut self) -> Result<(), String> {
        let mut class = "[".to_owned();
        if self.rest.next_if_eq(&'^').is_some() {
            class.push('^');
        }
        let mut first = true;
        loop {
            let c = self.rest.next().ok_or("a class is not closed: `]` is missing")?;
            match c {
                ']' if !first => break,
                '[' if self.rest.peek() == Some(&':') => match self.posix()? {
                    Some(known) => class.push_str(&known),
                    None => self.member('[', &mut class)?,
                },
                '\\' => match self.known_class()? {
                    Some(known) => class.push_str(&known),
                    None => {
                        let c = self.character_of_escape()?;
                        self.member(c, &mut class)?;
                    }
                },
                c => self.member(c, &mut class)?,
            }
            first = false;
        }
        class.push(']');
        self.out.rust.push_str(&class);
        self.thing(1);
        Ok(())
    }

    /// A character of a class, or the range that begins with it.
    fn member(&mut self, from: char, class: &mut String) -> Result<(), String> {
        let mut ahead = self.rest.clone();
        let range = ahead.next() == Some('-') && ahead.next().is_some_and(|next| next != ']');
        class.push_str(&code(from));
        if !range {
            return Ok(());
        }
        self.rest.next();
        let to = match self.rest.next() {
            Some('\\') => self.character_of_escape()?,
            Some(c) => c,
            None => return Err("a class is not closed: `]` is missing".to_owned()),
        };
        if to < from {
            return Err(format!("the range `{from}-{to}` ends before it begins"));
        }
        class.push('-');
        class.push_str(&code(to));
        Ok(())
    }

    /// `[:alpha:]` and the like, after the first bracket; nothing where it is not closed, which makes the bracket one.
    fn posix(&mut self) -> Result<Option<String>, String> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let mut ahead = self.rest.clone();
        ahead.next();
        let mut name = String::new();
        loop {
            match ahead.next() {
                Some(':') if ahead.peek() == Some(&']') => break,
                Some(c) => name.push(c),
                None => return Ok(None),
            }
        }
        ahead.next();
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(&name)) {
            return Err(format!("there is no class `[:{name}:]`"));
        }
        self.rest = ahead;
        Ok(Some(format!("[:{name}:]")))
    }
}
