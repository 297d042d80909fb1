//! What speaks PostgreSQL's protocol and is none: the console of a pooler, which takes commands as plain text only.

use std::sync::Arc;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::config::Server;
use crate::error::Error;
use crate::session::{Connection, drive, log_in};

/// The most rows that one command may answer with.
const MOST_ROWS: usize = 100_000;

/// The rows of an answer, each as its columns' names and values.
pub type Rows = Vec<tokio_postgres::SimpleQueryRow>;

/// A connection to a console.
pub struct Console {
    client: Client,
    connection: Connection,
    user: String,
}

impl Console {
    /// Logs in to the server's database.
    pub async fn open(server: &Arc<Server>) -> Result<Self, Error> {
        let (client, connection, _) = log_in(server, &server.database).await?;
        Ok(Console { client, connection, user: server.user.clone() })
    }

    /// The rows that a command answers with.
    pub async fn rows(&mut self, command: &str) -> Result<Rows, Error> {
        let answer = Box::pin(self.client.simple_query(command));
        let answer = drive(&mut self.connection, answer, &self.user).await?;
        let rows = answer.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let rows: Rows = rows.take(MOST_ROWS + 1).collect();
        match rows.len() > MOST_ROWS {
            true => Err(Error::Statement(format!("`{command}` has more than {MOST_ROWS} rows"))),
            false => Ok(rows),
        }
    }
}
