//! What goes wrong with a server, in words that say what would be right.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::error::SqlState;

/// Why there is no connection, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached.
    #[error("{address}: {why}")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What the network says.
        why: String,
    },
    /// The server refuses.
    #[error("{0}")]
    Refused(String),
    /// A file that is needed cannot be used.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A statement failed; the session is as good as before.
    #[error("{0}")]
    Statement(String),
    /// The session ended.
    #[error("the session ended: {0}")]
    Closed(String),
    /// No answer in time; what ran was cancelled.
    #[error("no answer within {0:?}: cancelled")]
    Late(Duration),
}

impl Error {
    /// Whether the session cannot be used any more.
    pub fn ends_session(&self) -> bool {
        !matches!(self, Error::Statement(_))
    }

    /// What came of a login.
    pub fn login(error: &tokio_postgres::Error, user: &str) -> Self {
        let Some(said) = error.as_db_error() else { return Error::Refused(chain(error)) };
        let help = match *said.code() {
            SqlState::TOO_MANY_CONNECTIONS => {
                ": no connection is left for it; raise max_connections, or close some"
            }
            SqlState::CANNOT_CONNECT_NOW => ": it starts, stops or recovers",
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                ": see pg_hba.conf, the role and its password"
            }
            _ => "",
        };
        Error::Refused(format!("as {user}: {}{help} (SQLSTATE {})", said.message(), said.code().code()))
    }

    /// What came of a statement.
    pub fn statement(error: &tokio_postgres::Error, user: &str) -> Self {
        let Some(said) = error.as_db_error() else { return Error::Closed(chain(error)) };
        let code = said.code().code();
        let message = said.message();
        match *said.code() {
            // Class 57: an operator intervenes.
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                Error::Closed(format!("{message} (SQLSTATE {code})"))
            }
            SqlState::INSUFFICIENT_PRIVILEGE => {
                Error::Statement(format!("{message}: grant pg_monitor to {user} (SQLSTATE {code})"))
            }
            SqlState::LOCK_NOT_AVAILABLE => {
                Error::Statement(format!("left out, as what it reads is locked: {message} (SQLSTATE {code})"))
            }
            SqlState::QUERY_CANCELED => Error::Statement(format!(
                "{message}: it took longer than `timeout` allows, or somebody cancelled it (SQLSTATE {code})"
            )),
            _ => Error::Statement(format!("{message} (SQLSTATE {code})")),
        }
    }
}

/// An error with its causes, which the library keeps apart.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}
