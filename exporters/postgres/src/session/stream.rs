//! A statement of a user's own: asked under the role's search path, and its rows taken in up to a bound.

use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::try_join3;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row, Statement};

use super::{Asking, Session, drive};
use crate::error::Error;

/// What the role, the database or the server says: names of tables need no schema.
const THEIRS: &str = "set search_path to default";
/// As the session has it for statements of its own.
const OURS: &str = "set search_path to pg_catalog";
/// The most bytes of rows that are held at once.
const MOST_BYTES: usize = 16 << 20;

/// The rows of a statement, as many as are wanted.
#[derive(Debug)]
pub struct Rows {
    /// The first ones.
    pub rows: Vec<Row>,
    /// What their columns are.
    pub statement: Statement,
    /// Why there are more than these.
    pub cut: Option<String>,
}

/// Why it does not go on.
enum Stop {
    Failed(tokio_postgres::Error),
    Enough(Vec<Row>, String),
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Self {
        Stop::Failed(error)
    }
}

impl Session {
    /// Runs `text`, and takes in at most `most` rows. Where there are more, or no answer within `limit`, the server is
    /// told to stop, and the session has to be given up.
    pub async fn rows(&mut self, text: &str, most: usize, limit: Duration) -> Result<Rows, Error> {
        let mut kept = self.statements.contains_key(text);
        loop {
            let asked = tokio::time::timeout(limit, self.ask_rows(text, most)).await;
            let Ok(asked) = asked else {
                self.cancel().await;
                return Err(Error::Late(limit));
            };
            match asked {
                Ok(rows) => {
                    if rows.cut.is_some() {
                        self.cancel().await;
                    }
                    return Ok(rows);
                }
                Err((error, changed)) => {
                    // What it reads may look otherwise the next time.
                    self.statements.remove(text);
                    if !(kept && changed) {
                        return Err(error);
                    }
                    kept = false;
                }
            }
        }
    }

    /// Runs it once. The error says whether a table changed since the statement was prepared.
    async fn ask_rows(&mut self, text: &str, most: usize) -> Result<Rows, (Error, bool)> {
        let user = self.server.user.clone();
        let client = &self.client;
        let statement = match self.statements.get(text) {
            Some(statement) => statement.clone(),
            None => {
                let prepared = drive(&mut self.connection, preparing(client, text), &user).await;
                let statement = prepared.map_err(|error| (error, false))?;
                self.statements.insert(text.to_owned(), statement.clone());
                statement
            }
        };
        let answer = drive(&mut self.connection, asking(client, &statement, most), &user).await;
        match answer.map_err(|error| (error, false))? {
            Ok(rows) => Ok(Rows { rows, statement, cut: None }),
            Err(Stop::Enough(rows, cut)) => Ok(Rows { rows, statement, cut: Some(cut) }),
            Err(Stop::Failed(error)) => {
                // "cached plan must not change result type"
                let changed = error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
                Err((Error::statement(&error, &user), changed))
            }
        }
    }
}

fn preparing<'a>(client: &'a Client, text: &'a str) -> Asking<'a, Statement> {
    Box::pin(async move {
        // All three are sent before the first is answered, and the last one whatever becomes of the second.
        let all = try_join3(client.batch_execute(THEIRS), client.prepare(text), client.batch_execute(OURS));
        all.await.map(|((), statement, ())| statement)
    })
}

fn asking<'a>(
    client: &'a Client,
    statement: &'a Statement,
    most: usize,
) -> Asking<'a, Result<Vec<Row>, Stop>> {
    Box::pin(async move {
        let set = |text| async move { client.batch_execute(text).await.map_err(Stop::from) };
        let all = try_join3(set(THEIRS), gather(client, statement, most), set(OURS));
        Ok(all.await.map(|((), rows, ())| rows))
    })
}

async fn gather(client: &Client, statement: &Statement, most: usize) -> Result<Vec<Row>, Stop> {
    let stream = client.query_raw::<_, i32, [i32; 0]>(statement, []).await?;
    let mut stream = std::pin::pin!(stream);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await? {
        bytes += row.raw_size_bytes();
        if rows.len() == most {
            return Err(Stop::Enough(rows, format!("more than {most} rows")));
        }
        if bytes > MOST_BYTES {
            return Err(Stop::Enough(rows, format!("more than {} MiB", MOST_BYTES >> 20)));
        }
        rows.push(row);
    }
    Ok(rows)
}
