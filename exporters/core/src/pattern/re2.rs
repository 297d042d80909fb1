//! Regular expressions in RE2's syntax, written again for Rust's `regex`.
//!
//! <https://github.com/google/re2/wiki/Syntax>, as Go's `regexp` has it: what that refuses is refused, and what the two
//! read differently is spelled out. That is the ASCII meaning of `\d \w \s \b`, classes without set operators, braces that
//! repeat nothing, octal and quoted text, and the flags that there are.

mod class;

use std::iter::Peekable;
use std::str::Chars;

/// The most that something is repeated, repetitions within repetitions multiplied.
const MOST: u32 = 1000;

/// An expression in Rust's syntax.
#[derive(Debug, Default)]
pub(super) struct Translated {
    /// Its text.
    pub(super) rust: String,
    /// The names of its groups, from the first one on.
    pub(super) names: Vec<Option<String>>,
}

/// Translates `text`; an error says what is wrong with it.
pub(super) fn translate(text: &str) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: text.chars().peekable(),
        out: Translated::default(),
        last: Last::Nothing,
        groups: Vec::new(),
        most: 1,
    };
    while let Some(c) = translator.rest.next() {
        translator.token(c)?;
    }
    match translator.groups.is_empty() {
        true => Ok(translator.out),
        false => Err("a group is not closed: `)` is missing".to_owned()),
    }
}

struct Translator<'t> {
    rest: Peekable<Chars<'t>>,
    out: Translated,
    last: Last,
    /// The products of repetitions (`most`) outside of the groups that are open.
    groups: Vec<u32>,
    /// The greatest product of repetitions within the group that is open.
    most: u32,
}

/// What stands before a repetition.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// Nothing that can be repeated.
    Nothing,
    /// Something, with the greatest product of repetitions in it.
    Thing(u32),
    /// A repetition.
    Repetition,
}

impl Translator<'_> {
    fn token(&mut self, c: char) -> Result<(), String> {
        match c {
            '(' => return self.open(),
            ')' => {
                let within = self.most;
                self.most = self.groups.pop().ok_or("`)` closes no group")?;
                self.out.rust.push(')');
                self.thing(within);
            }
            '|' => {
                self.out.rust.push('|');
                self.last = Last::Nothing;
            }
            '*' | '+' | '?' => return self.repeat(&c.to_string(), 1),
            '{' => match self.count() {
                Some((min, max)) => {
                    if min > MOST || max.is_some_and(|max| max > MOST || max < min) {
                        return Err(format!(
                            "repeated too often, or `{{{min},…}}` ends before it begins: {MOST} is the most"
                        ));
                    }
                    let text = match max {
                        Some(max) => format!("{{{min},{max}}}"),
                        None => format!("{{{min},}}"),
                    };
                    return self.repeat(&text, max.unwrap_or(min).max(1));
                }
                None => self.literal('{'),
            },
            '[' => self.class()?,
            '\\' => return self.escaped(),
            '^' | '$' | '.' => {
                self.out.rust.push(c);
                self.thing(1);
            }
            c => self.literal(c),
        }
        Ok(())
    }

    /// Something that can be repeated stands here.
    fn thing(&mut self, most: u32) {
        self.most = self.most.max(most);
        self.last = Last::Thing(most);
    }

    fn literal(&mut self, c: char) {
        literal(&mut self.out.rust, c);
        self.thing(1);
    }

    fn repeat(&mut self, text: &str, times: u32) -> Result<(), String> {
        let lazy = self.rest.next_if_eq(&'?').is_some();
        let most = match self.last {
            Last::Nothing => return Err(format!("there is nothing that `{text}` could repeat")),
            Last::Repetition => return Err(format!("`{text}` repeats a repetition: put that into a group")),
            Last::Thing(most) => most * times,
        };
        if most > MOST {
            return Err(format!(
                "repeated too often: {MOST} is the most, repetitions within repetitions multiplied"
            ));
        }
        self.out.rust.push_str(text);
        self.out.rust.push_str(if lazy { "?" } else { "" });
        self.most = self.most.max(most);
        self.last = Last::Repetition;
        Ok(())
    }

    /// `n}`, `n,}` or `n,m}` behind a `{`; else nothing is taken, and the brace is one. Numbers that are too large come
    /// back as more than is allowed.
    fn count(&mut self) -> Option<(u32, Option<u32>)> {
        let mut ahead = self.rest.clone();
        let mut number = || {
            let mut digits = String::new();
            while let Some(digit) = ahead.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            let good = !digits.is_empty() && (digits.len() == 1 || !digits.starts_with('0'));
            (good.then(|| digits.parse().unwrap_or(MOST + 1)), digits.is_empty(), ahead.next())
        };
        let (min, _, behind) = number();
        let min = min?;
        let max = match behind {
            Some('}') => Some(min),
            Some(',') => match number() {
                (Some(max), _, Some('}')) => Some(max),
                (None, true, Some('}')) => None,
                _ => return None,
            },
            _ => return None,
        };
        self.rest = ahead;
        Some((min, max))
    }

    fn open(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.out.names.push(None);
            return self.group("(");
        }
        let mut ahead = self.rest.clone();
        let named = match ahead.next() {
            Some('<') => true,
            Some('P') => ahead.next() == Some('<'),
            _ => false,
        };
        if !named {
            return self.flags();
        }
        self.rest = ahead;
        let mut name = String::new();
        loop {
            match self.rest.next() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                _ => {
                    return Err(
                        "the name of a group has letters, digits and _, and is closed by `>`".to_owned()
                    );
                }
            }
        }
        // Rust has no names that begin with a digit, nor two that are equal.
        let taken = name.starts_with(|c: char| c.is_ascii_digit())
            || self.out.names.iter().flatten().any(|known| *known == name);
        let text = if taken { "(".to_owned() } else { format!("(?P<{name}>") };
        self.out.names.push(Some(name));
        self.group(&text)
    }

    fn group(&mut self, text: &str) -> Result<(), String> {
        self.out.rust.push_str(text);
        self.groups.push(self.most);
        (self.most, self.last) = (1, Last::Nothing);
        Ok(())
    }

    /// Flags behind `(?`, for a group of their own or for the rest of the group that they stand in.
    fn flags(&mut self) -> Result<(), String> {
        const WRONG: &str = "behind `(?` there are the flags i, m, s and U, `:`, or `P<name>`";
        let (mut on, mut off, mut minus, mut any) = (String::new(), String::new(), false, false);
        loop {
            match self.rest.next() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    let (add, other) = if minus { (&mut off, &mut on) } else { (&mut on, &mut off) };
                    other.retain(|known| known != flag);
                    if !add.contains(flag) {
                        add.push(flag);
                    }
                    any = true;
                }
                Some('-') if !minus => (minus, any) = (true, false),
                Some(end @ (':' | ')')) if !minus || any => {
                    let off = if off.is_empty() { off } else { format!("-{off}") };
                    if end == ':' {
                        return self.group(&format!("(?{on}{off}:"));
                    }
                    if !on.is_empty() || !off.is_empty() {
                        self.out.rust.push_str(&format!("(?{on}{off})"));
                    }
                    // What stands before them can be repeated, as if they were not there; Rust would not know what.
                    self.last = Last::Nothing;
                    return Ok(());
                }
                _ => return Err(WRONG.to_owned()),
            }
        }
    }

    fn escaped(&mut self) -> Result<(), String> {
        match self.rest.peek() {
            Some('Q') => {
                self.rest.next();
                self.quoted();
                return Ok(());
            }
            Some('A' | 'z') => {
                self.out.rust.push_str(if self.rest.next() == Some('A') { "\\A" } else { "\\z" });
            }
            Some('b' | 'B') => {
                let boundary = if self.rest.next() == Some('b') { "(?-u:\\b)" } else { "(?-u:\\B)" };
                self.out.rust.push_str(boundary);
            }
            _ => match self.known_class()? {
                Some(class) => self.out.rust.push_str(&class),
                None => {
                    let c = self.character_of_escape()?;
                    literal(&mut self.out.rust, c);
                }
            },
        }
        self.thing(1);
        Ok(())
    }

    /// Everything up to `\E` as it is.
    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.peek() == Some(&'E') {
                self.rest.next();
                return;
            }
            self.literal(c);
        }
    }

    /// The one character that an escape stands for.
    fn character_of_escape(&mut self) -> Result<char, String> {
        let c = self.rest.next().ok_or("a `\\` at the end")?;
        let wrong = || format!("`\\{c}` means nothing");
        Ok(match c {
            '0'..='7' => {
                let next_is_octal = self.rest.peek().is_some_and(|next| ('0'..='7').contains(next));
                if c != '0' && !next_is_octal {
                    return Err(format!("`\\{c}` would be what a group found, which cannot be searched for"));
                }
                let mut code = c as u32 - '0' as u32;
                for _ in 0..2 {
                    let Some(digit) = self.rest.next_if(|next| ('0'..='7').contains(next)) else { break };
                    code = code * 8 + digit as u32 - '0' as u32;
                }
                char::from_u32(code).ok_or_else(wrong)?
            }
            'x' => self.hex().ok_or("behind `\\x` there are two hexadecimal digits, or some in braces")?,
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(wrong()),
        })
    }

    fn hex(&mut self) -> Option<char> {
        let mut code = 0u32;
        if self.rest.next_if_eq(&'{').is_none() {
            for _ in 0..2 {
                code = code * 16 + self.rest.next()?.to_digit(16)?;
            }
            return char::from_u32(code);
        }
        let mut digits = 0;
        loop {
            match self.rest.next()? {
                '}' if digits > 0 => return char::from_u32(code),
                digit => code = code.checked_mul(16)?.checked_add(digit.to_digit(16)?)?,
            }
            digits += 1;
        }
    }
}

/// A character as itself.
fn literal(rust: &mut String, c: char) {
    match c.is_ascii_punctuation() {
        true => rust.push_str(&code(c)),
        false => rust.push(c),
    }
}

/// A character by its number, which has no other meaning anywhere.
fn code(c: char) -> String {
    format!("\\x{{{:x}}}", c as u32)
}
