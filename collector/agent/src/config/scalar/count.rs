//! Whole numbers of things.

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl Count {
    /// Reads a whole number.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Count).map_err(|_| format!("`{text}` is not a whole number\nwrite 1, or 14"))
    }
}

super::from_text!(Count, { "type": ["integer", "string"], "format": "number" });
