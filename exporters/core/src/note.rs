//! Notes: what happened, for people, where a number would not say it. The log source `taffrail` reads them.

/// How loud a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Somebody should look in working hours.
    Warn,
    /// Data was lost, or something does not work.
    Error,
}

impl Level {
    /// The level's name in a log line.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// One event. It becomes a log line; notes about notes do not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How loud.
    pub level: Level,
    /// A fixed word for the kind of event: `container_oom`, `log_lost`.
    pub event: &'static str,
    /// What happened, in one line.
    pub text: String,
    /// Facts, as names and values.
    pub facts: Vec<(&'static str, String)>,
}
