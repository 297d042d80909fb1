//! Names, labels, paths and other short texts with rules of their own.

use std::path::PathBuf;

use crate::sources::files::Patterns;

/// The longest label value, in bytes.
const MAX_LABEL_VALUE: usize = 1024;

/// The name of a source or output: it names folders and positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub String);

impl Name {
    /// Letters, digits, `_`, `-` and `.`, at most 64 of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if text.is_empty() || text.len() > 64 || text.starts_with('.') || !text.bytes().all(good) {
            return Err(format!(
                "`{text}` cannot be a name\na name has letters, digits, _, - and ., and at most 64"
            ));
        }
        Ok(Name(text.to_owned()))
    }
}

super::from_text!(Name, { "type": "string", "pattern": "^([A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}|.*\\$\\{.*)$" });

/// The name of a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelName(pub String);

impl LabelName {
    /// Letters, digits and `_`, no digit first, no two `_` first.
    pub fn parse(text: &str) -> Result<Self, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let first = text.bytes().next().unwrap_or(b'0');
        if first.is_ascii_digit() || !text.bytes().all(good) {
            return Err(format!(
                "`{text}` cannot be a label's name\nit has letters, digits and _, and no digit first"
            ));
        }
        if text.starts_with("__") {
            return Err(format!(
                "the label `{text}` begins with __, which receivers keep for themselves\nrename it"
            ));
        }
        Ok(LabelName(text.to_owned()))
    }
}

super::from_text!(LabelName, { "type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$" });

/// The value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelValue(pub String);

impl LabelValue {
    /// Any text that is not too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LABEL_VALUE {
            return Err(format!(
                "the label's value has {} bytes\nat most {MAX_LABEL_VALUE} are allowed",
                text.len()
            ));
        }
        Ok(LabelValue(text.to_owned()))
    }
}

super::from_text!(LabelValue, { "type": ["string", "number", "boolean"] });

/// A host's name, as it stands in `instance`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

impl HostName {
    /// One word.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 253 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(
                "that cannot be a host's name\nwrite one word, like web-1 or web-1.example.com".to_owned()
            );
        }
        Ok(HostName(text.to_owned()))
    }
}

super::from_text!(HostName, { "type": "string" });

/// A path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathText(pub PathBuf);

impl PathText {
    /// Any text but none, without a NUL.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') {
            return Err("the path is empty\nwrite a path, or remove the key".to_owned());
        }
        if text == "~" || text.starts_with("~/") {
            return Err(format!("`{text}`: ~ has no meaning here\nwrite ${{HOME}}{}", &text[1..]));
        }
        Ok(PathText(text.into()))
    }
}

super::from_text!(PathText, { "type": "string", "format": "path" });

/// An absolute glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(pub String);

impl Glob {
    /// `/var/log/*.log`
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("the glob `{text}` is relative\nwrite the whole path, like /var/log/*.log"));
        }
        globset::Glob::new(text).map_err(|e| {
            format!("`{text}` is not a glob: {}\n`*`, `**`, `?`, `[a-z]` and `{{a,b}}` are known", e.kind())
        })?;
        // What the source itself would refuse, a folder for one, is refused here, with its place.
        Patterns::new(&[text.to_owned()], &[]).map_err(|e| e.to_string())?;
        Ok(Glob(text.to_owned()))
    }
}

super::from_text!(Glob, { "type": "string", "format": "glob", "pattern": "^(/|\\$\\{)" });

/// Any text but none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Text {
    /// Refuses an empty text and control characters.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err("the text is empty or has control characters\nwrite one line of text".to_owned());
        }
        Ok(Text(text.to_owned()))
    }
}

super::from_text!(Text, { "type": ["string", "number"] });

/// The value of an HTTP header. It may be a secret, and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderValue(pub String);

impl HeaderValue {
    /// Visible ASCII and spaces.
    pub fn parse(text: &str) -> Result<Self, String> {
        match http::HeaderValue::from_str(text) {
            Ok(_) => Ok(HeaderValue(text.to_owned())),
            Err(_) => Err("the header's value has characters that no header may have\n\
                 write one line of visible ASCII"
                .to_owned()),
        }
    }
}

impl std::fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<header>")
    }
}

super::from_text!(HeaderValue, { "type": ["string", "number"] });

/// The name of an HTTP header that a user may set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderName(pub String);

impl HeaderName {
    /// A header's name, but none that the protocol or the authentication sets.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name: http::HeaderName = text
            .parse()
            .map_err(|_| format!("`{text}` cannot be a header's name\nit has letters, digits and -"))?;
        match name.as_str() {
            "authorization" => Err("the header Authorization is not set here\n\
                 use `basic_auth` or `bearer_token_file`: they keep the secret out of sight"
                .to_owned()),
            "content-type"
            | "content-encoding"
            | "content-length"
            | "transfer-encoding"
            | "connection"
            | "host"
            | "user-agent"
            | "x-prometheus-remote-write-version" => {
                Err(format!("the header {text} is set by the output itself\nremove it"))
            }
            _ => Ok(HeaderName(text.to_owned())),
        }
    }
}

super::from_text!(HeaderName, { "type": "string" });

/// Which of the collector's own log lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level(pub String);

impl Level {
    /// `info`, or `warn,taffrail_collector::outputs=debug`.
    pub fn parse(text: &str) -> Result<Self, String> {
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        for part in text.split(',') {
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
            if !LEVELS.contains(&level) {
                let guess = crate::config::de::nearest(level, LEVELS)
                    .map(|meant| format!(": did you mean `{meant}`?"))
                    .unwrap_or_default();
                return Err(format!(
                    "`{level}` is not a log level{guess}\nvalid here: {}; by module: \
                     warn,taffrail_collector::outputs=debug",
                    LEVELS.join(", ")
                ));
            }
        }
        match tracing_subscriber::EnvFilter::try_new(text) {
            Ok(_) => Ok(Level(text.to_owned())),
            Err(e) => Err(format!("`{text}` is not a log level: {e}\nwrite info, or warn,module=debug")),
        }
    }
}

super::from_text!(Level, { "type": "string" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_folders_are_refused() {
        assert!(Name::parse("main-1.x").is_ok());
        for text in ["", "..", ".x", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_follow_prometheus() {
        assert!(LabelName::parse("team_1").is_ok());
        for text in ["", "1a", "a-b", "__name__", "é"] {
            assert!(LabelName::parse(text).is_err(), "{text}");
        }
        assert!(LabelValue::parse(&"x".repeat(1025)).is_err());
    }

    #[test]
    fn levels_are_words_that_exist() {
        for text in ["info", "warn,taffrail_collector::outputs=debug", "off"] {
            Level::parse(text).unwrap();
        }
        assert!(Level::parse("inof").unwrap_err().contains("did you mean `info`?"));
        assert!(Level::parse("").is_err());
        assert!(Level::parse("a=verbose").is_err());
    }

    #[test]
    fn globs_are_absolute() {
        assert!(Glob::parse("/var/log/{a,b}*.log").is_ok());
        assert!(Glob::parse("app/*.log").unwrap_err().contains("is relative"));
        assert!(Glob::parse("/var/[").is_err());
    }

    #[test]
    fn headers_that_are_not_the_users_are_refused() {
        assert!(HeaderName::parse("X-Team").is_ok());
        for text in ["Authorization", "content-type", "a b", ""] {
            assert!(HeaderName::parse(text).is_err(), "{text}");
        }
        assert!(HeaderValue::parse("a\nb").is_err());
    }
}
