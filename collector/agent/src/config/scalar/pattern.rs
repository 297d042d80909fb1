//! Regular expressions.

use taffrail_core::pattern::Pattern;

/// A regular expression in RE2's syntax.
#[derive(Clone, Debug, PartialEq)]
pub struct Regex(pub Pattern);

impl Regex {
    /// Compiles a text.
    pub fn parse(text: &str) -> Result<Self, String> {
        Pattern::new(text).map(Regex).map_err(|e| format!("{e}\na dot that is meant as a dot is written \\."))
    }
}

super::from_text!(Regex, {
    "type": "string",
    "format": "re2"
});
