//! The place of one session: opened when it is needed, kept while it is good.

use std::sync::Arc;

use taffrail_core::Clock;
use tokio_postgres::Row;

use crate::config::Server;
use crate::error::Error;
use crate::session::{Answer, MAX_AGE, Session};

/// The place of one session. There are two a server, so no more sessions than that.
pub struct Keeper {
    /// The server.
    pub server: Arc<Server>,
    /// The one clock.
    pub clock: Clock,
    session: Option<Session>,
}

impl Keeper {
    /// No session yet.
    pub fn new(server: Arc<Server>, clock: Clock) -> Self {
        Keeper { server, clock, session: None }
    }

    /// The database of the session that there is.
    pub fn database(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.database.as_str())
    }

    /// A session for `database`: the one that there is, or a new one. Whether it is new is told beside.
    pub async fn session(&mut self, database: &str) -> Result<(&mut Session, bool), Error> {
        let now = self.clock.monotonic();
        let good = |session: &Session| {
            session.database == database
                && !session.is_closed()
                && now.saturating_sub(session.began) < MAX_AGE
        };
        let kept = self.session.take().filter(good);
        let new = kept.is_none();
        // The old one is gone before the new one comes: at most one at a time.
        let session = match kept {
            Some(session) => session,
            None => Session::open(self.server.clone(), database.to_owned(), self.clock.clone()).await?,
        };
        Ok((self.session.insert(session), new))
    }

    /// The rows of a statement in `database`.
    pub async fn ask(&mut self, database: &str, text: &str) -> Result<Vec<Row>, Error> {
        let (limit, clock) = (self.server.timeout, self.clock.clone());
        let (session, _) = self.session(database).await?;
        let texts = [text.to_owned()];
        session.prepare(&texts, limit).await?.into_iter().collect::<Result<(), _>>()?;
        let mut answer = Ok(Vec::new());
        let mut each = |_, _, given: Answer| answer = given.map(|(rows, _)| rows);
        let ran = session.run(&texts, limit, &clock, &mut each).await;
        if ran.is_err() {
            self.drop_session();
        }
        ran.and(answer)
    }

    /// Gives the session up.
    pub fn drop_session(&mut self) {
        self.session = None;
    }
}
