//! One message, in either form: told apart by what stands behind the priority.

use std::borrow::Cow;

use super::bsd;
use super::time::{When, rfc3339};

/// The most parameters of structured data that are read.
const MAX_PARAMETERS: usize = 64;

/// A message taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who sent it and how bad it is; none where the message does not begin with one.
    pub priority: Option<Priority>,
    /// When it was sent.
    pub time: Option<When>,
    /// The sender's name or address.
    pub hostname: Option<&'a str>,
    /// The program.
    pub app_name: Option<&'a str>,
    /// Its process.
    pub proc_id: Option<&'a str>,
    /// The kind of message.
    pub msg_id: Option<&'a str>,
    /// Structured data: the element's id, the parameter's name, its value.
    pub parameters: Vec<(&'a str, &'a str, Cow<'a, str>)>,
    /// The message itself.
    pub text: &'a str,
}

/// Facility and severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(u8);

/// Names of facilities, RFC 5424 6.2.1, as `logger` has them.
const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

/// Names of severities, worst first.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

impl Priority {
    /// Of the numbers of a facility and a severity.
    pub fn of(facility: u8, severity: u8) -> Option<Self> {
        (facility < 24 && severity < 8).then_some(Priority(facility * 8 + severity))
    }

    /// Reads `<34>` at the beginning of a text, and gives the rest.
    fn read(text: &str) -> Option<(Self, &str)> {
        let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
        let good = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let value: u8 = good.then(|| digits.parse().ok())??;
        (value < 192).then_some((Priority(value), rest))
    }

    /// The facility's name.
    pub fn facility(self) -> &'static str {
        FACILITIES[usize::from(self.0 / 8)]
    }

    /// The severity's name: `emerg`, `alert`, `crit`, `err`, `warning`, `notice`, `info`, `debug`.
    pub fn severity(self) -> &'static str {
        SEVERITIES[usize::from(self.0 % 8)]
    }
}

/// Takes a message apart. There is none that cannot be read: what is not understood is part of its text.
pub fn parse(message: &str) -> Message<'_> {
    let Some((priority, rest)) = Priority::read(message) else {
        return bsd::parse(message);
    };
    let read = rest.strip_prefix("1 ").and_then(rfc5424).unwrap_or_else(|| bsd::parse(rest));
    Message { priority: Some(priority), ..read }
}

/// RFC 5424, behind the version.
fn rfc5424(text: &str) -> Option<Message<'_>> {
    let (time, rest) = text.split_once(' ')?;
    let time = match time {
        "-" => None,
        time => Some(rfc3339(time).filter(|(_, rest)| rest.is_empty())?.0),
    };
    let mut words = rest.splitn(5, ' ');
    let mut word = || words.next().map(|word| (word != "-" && !word.is_empty()).then_some(word));
    let (hostname, app_name, proc_id, msg_id) = (word()?, word()?, word()?, word()?);
    let rest = words.next().unwrap_or("-");
    let (parameters, text) = structured_data(rest)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Some(Message { priority: None, time, hostname, app_name, proc_id, msg_id, parameters, text })
}

type Parameters<'a> = Vec<(&'a str, &'a str, Cow<'a, str>)>;

/// `-` or `[id name="value" …]…`, and the message behind it.
fn structured_data(text: &str) -> Option<(Parameters<'_>, &str)> {
    let mut parameters = Vec::new();
    if let Some(rest) = text.strip_prefix('-') {
        return Some((parameters, message(rest)?));
    }
    let mut rest = text;
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']', '=', '"'])?;
        let id = &element[..end];
        if id.is_empty() {
            return None;
        }
        rest = &element[end..];
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(after) = rest.strip_prefix(']') {
                rest = after;
                break;
            }
            let (name, after) = rest.split_once("=\"")?;
            if name.is_empty() || name.contains([' ', ']', '"']) {
                return None;
            }
            let (value, after) = value(after)?;
            if parameters.len() < MAX_PARAMETERS {
                parameters.push((id, name, value));
            }
            rest = after;
        }
    }
    (rest.len() < text.len()).then_some((parameters, message(rest)?))
}

/// What stands behind the structured data: nothing, or a space and the message.
fn message(rest: &str) -> Option<&str> {
    if rest.is_empty() { Some("") } else { rest.strip_prefix(' ') }
}

/// A parameter's value up to its quote, and what follows. Only `\"`, `\\` and `\]` are escapes.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let at = rest.find(['"', '\\'])?;
        let (plain, found) = (&rest[..at], &rest[at..]);
        if let Some(after) = found.strip_prefix('"') {
            if value.is_empty() {
                return Some((Cow::Borrowed(plain), after));
            }
            value.to_mut().push_str(plain);
            return Some((value, after));
        }
        let escaped = found[1..].chars().next()?;
        let value = value.to_mut();
        value.push_str(plain);
        if !matches!(escaped, '"' | '\\' | ']') {
            value.push('\\');
        }
        value.push(escaped);
        rest = &found[1 + escaped.len_utf8()..];
    }
}
