//! One session with a server: statements are prepared once and kept, and what is due at one time goes out together.
//!
//! The session is driven by whoever asks, not by a task of its own: so what it costs is counted where it arises, and
//! nothing wakes while nobody asks.

mod stream;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use taffrail_core::Clock;
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{CancelToken, Client, NoTls, Row, SimpleQueryMessage, Statement};

use crate::config::{Address, Server};
use crate::error::Error;
use crate::pgpass;
use crate::socket::{Socket, connect};
use crate::tls::{Connector, Mode};

pub use stream::Rows;

/// How long a statement may wait for a lock: what is locked is left out.
const LOCK_TIMEOUT: &str = "100ms";
/// How long a connection may take beyond what a statement may.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for the network to take a cancellation.
const CANCEL: Duration = Duration::from_secs(2);
/// How old a session gets: a server's process remembers every table that it ever looked at.
pub const MAX_AGE: Duration = Duration::from_secs(3600);
/// What the sessions call themselves.
pub const APPLICATION: &str = "taffrail";

/// A session on its way.
pub type Opening = Pin<Box<dyn Future<Output = Result<Session, Error>> + Send>>;

/// The rows of a statement, and what their columns are.
pub type Answer = Result<(Vec<Row>, Statement), Error>;

pub(crate) type Connection = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// What a server says of itself when a session begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `server_version_num`: 150018 is 15.18.
    pub version: u32,
    /// `version()`
    pub version_text: String,
    /// Whether it follows another server.
    pub replica: bool,
    /// The extensions of this database, and the schema that each is in.
    pub extensions: HashMap<String, String>,
}

impl Facts {
    /// The major version.
    pub fn major(&self) -> u32 {
        self.version / 10_000
    }
}

/// A session.
pub struct Session {
    client: Client,
    connection: Connection,
    /// Prepared statements by their text.
    statements: HashMap<String, Statement>,
    server: Arc<Server>,
    tls: Option<Connector>,
    /// The database it is for.
    pub database: String,
    /// What the server said.
    pub facts: Facts,
    /// When it began, on the monotonic clock.
    pub began: Duration,
}

impl Session {
    /// Logs in to `database`.
    pub fn open(server: Arc<Server>, database: String, clock: Clock) -> Opening {
        Box::pin(async move {
            let limit = server.timeout + CONNECT;
            let login = Self::login(server, database, clock);
            tokio::time::timeout(limit, login).await.unwrap_or(Err(Error::Late(limit)))
        })
    }

    async fn login(server: Arc<Server>, database: String, clock: Clock) -> Result<Self, Error> {
        let (client, connection, tls) = log_in(&server, &database).await?;
        let mut session = Session {
            client,
            connection,
            statements: HashMap::new(),
            server,
            tls,
            database,
            facts: Facts::default(),
            began: clock.monotonic(),
        };
        session.introduce().await?;
        Ok(session)
    }

    /// Sets what binds every statement of the session, and asks what the server is: one journey.
    async fn introduce(&mut self) -> Result<(), Error> {
        let timeout = self.server.timeout.as_millis();
        // A plan without parameters need not be made anew, and compiling one never pays here. Nobody's functions stand
        // before the catalogue's.
        let text = format!(
            "set statement_timeout = {timeout}; set lock_timeout = '{LOCK_TIMEOUT}'; \
             set default_transaction_read_only = on; set idle_in_transaction_session_timeout = {timeout}; \
             set plan_cache_mode = force_generic_plan; set jit = off; set search_path = pg_catalog; \
             select current_setting('server_version_num'), version(), pg_is_in_recovery()::text, \
             (select string_agg(extname || '=' || nspname, '|') from pg_extension e \
             join pg_namespace n on n.oid = e.extnamespace)"
        );
        let user = self.server.user.clone();
        let answer = drive(&mut self.connection, Box::pin(self.client.simple_query(&text)), &user).await?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.ok_or_else(|| Error::Closed("it does not say what version it is".to_owned()))?;
        let text = |column| row.try_get(column).ok().flatten().unwrap_or_default();
        let extensions = text(3).split('|').filter_map(|pair: &str| pair.split_once('='));
        self.facts = Facts {
            version: text(0).parse().unwrap_or(0),
            version_text: text(1).to_owned(),
            replica: text(2) == "true",
            extensions: extensions.map(|(name, schema)| (name.to_owned(), schema.to_owned())).collect(),
        };
        Ok(())
    }

    /// Prepares what is not prepared yet. A text that cannot be prepared has its error in its place.
    pub async fn prepare(&mut self, texts: &[String], by: Duration) -> Result<Vec<Result<(), Error>>, Error> {
        let new: Vec<&String> = texts.iter().filter(|text| !self.statements.contains_key(*text)).collect();
        let mut refused = HashMap::new();
        if !new.is_empty() {
            let client = &self.client;
            let preparing = new.iter().copied().map(|text| prepare(client, text)).collect::<Vec<_>>();
            let all = futures_util::future::join_all(preparing);
            let user = self.server.user.clone();
            let all = tokio::time::timeout(
                by,
                drive(&mut self.connection, Box::pin(async { Ok(all.await) }), &user),
            );
            let Ok(prepared) = all.await else {
                self.cancel().await;
                return Err(Error::Late(by));
            };
            for (text, prepared) in new.into_iter().zip(prepared?) {
                match prepared {
                    Ok(statement) => drop(self.statements.insert(text.clone(), statement)),
                    Err(error) => drop(refused.insert(text.clone(), Error::statement(&error, &user))),
                }
            }
        }
        Ok(texts.iter().map(|text| refused.remove(text).map_or(Ok(()), Err)).collect())
    }

    /// Runs prepared statements, all sent at once; `each` gets the answers in their order as they come, with what the
    /// clock showed. What is not answered within `limit` in all is cancelled.
    pub async fn run(
        &mut self,
        texts: &[String],
        limit: Duration,
        clock: &Clock,
        each: &mut (dyn FnMut(usize, Duration, Answer) + Send),
    ) -> Result<(), Error> {
        let user = self.server.user.clone();
        let by = clock.monotonic() + limit;
        let mut next = 0;
        {
            let client = &self.client;
            // Polled in turn, and each is sent when it is first polled: all are under way at once.
            let mut asked = FuturesOrdered::new();
            for text in texts {
                asked.push_back(ask(client, self.statements.get(text).cloned()));
            }
            while next < texts.len() {
                let left = by.saturating_sub(clock.monotonic());
                let one = Box::pin(async { Ok(asked.next().await) });
                let answer = match tokio::time::timeout(left, drive(&mut self.connection, one, &user)).await {
                    Ok(answer) => answer?,
                    Err(_) => break,
                };
                let Some(answer) = answer else { return Ok(()) };
                let at = clock.monotonic();
                match answer {
                    Ok(Some(rows)) => each(next, at, Ok(rows)),
                    // It could not be prepared, which was said.
                    Ok(None) => {}
                    Err(error) => {
                        let error = Error::statement(&error, &user);
                        let ends = error.ends_session();
                        each(next, at, Err(error));
                        if ends {
                            return Err(Error::Closed("in the middle of a statement".to_owned()));
                        }
                    }
                }
                next += 1;
            }
        }
        if next == texts.len() {
            return Ok(());
        }
        self.cancel().await;
        Err(Error::Late(limit))
    }

    /// Whether the server has closed it.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Asks the server, on a connection of its own, to stop what the session runs.
    async fn cancel(&mut self) {
        let (token, server, tls) = (self.client.cancel_token(), self.server.clone(), self.tls.clone());
        // Whether it succeeds shows in the server only; the session is given up either way.
        let _ = tokio::time::timeout(CANCEL, cancelling(token, server, tls)).await;
    }
}

/// Logs in, and says nothing yet.
pub(crate) async fn log_in(
    server: &Arc<Server>,
    database: &str,
) -> Result<(Client, Connection, Option<Connector>), Error> {
    let (own, name) = (server.clone(), database.to_owned());
    // Files may be on a mount that hangs; the runtime must not.
    let prepared = tokio::task::spawn_blocking(move || {
        let password = pgpass::password(&own, &name)?;
        let tls = match (&own.address, own.tls.mode) {
            (_, Mode::Disable) | (Address::Socket(..), _) => None,
            (Address::Host(host, _), _) => Some(own.tls.connector(host)?),
        };
        Ok((password, tls))
    });
    let (password, tls) = prepared.await.map_err(|e| Error::Refused(e.to_string()))??;
    let mut config = tokio_postgres::Config::new();
    config.user(&server.user).dbname(database).application_name(APPLICATION);
    if let Some(password) = &password {
        config.password(password.reveal());
    }
    let stream = connect(&server.address).await?;
    let (client, connection) = match &tls {
        Some(connector) => {
            config.ssl_mode(server.tls.ssl_mode());
            start(config, stream, connector.clone(), server.user.clone()).await?
        }
        None => {
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            start(config, stream, NoTls, server.user.clone()).await?
        }
    };
    Ok((client, connection, tls))
}

fn cancelling(
    token: CancelToken,
    server: Arc<Server>,
    tls: Option<Connector>,
) -> Pin<Box<dyn Future<Output = Option<()>> + Send>> {
    Box::pin(async move {
        let stream = connect(&server.address).await.ok()?;
        match tls {
            Some(connector) => token.cancel_query_raw(stream, connector).await.ok(),
            None => token.cancel_query_raw(stream, NoTls).await.ok(),
        }
    })
}

/// A future of its own type, so that many of them can be held and sent between threads.
type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a>>;

fn prepare<'a>(client: &'a Client, text: &'a str) -> Asking<'a, Statement> {
    Box::pin(client.prepare(text))
}

/// Asks a statement; one that could not be prepared is none.
fn ask<'a>(client: &'a Client, statement: Option<Statement>) -> Asking<'a, Option<(Vec<Row>, Statement)>> {
    Box::pin(async move {
        let Some(statement) = statement else { return Ok(None) };
        let rows = client.query(&statement, &[]).await?;
        Ok(Some((rows, statement)))
    })
}

type Starting = Pin<Box<dyn Future<Output = Result<(Client, Connection), Error>> + Send>>;

fn start<T>(config: tokio_postgres::Config, stream: Socket, tls: T, user: String) -> Starting
where
    T: TlsConnect<Socket> + Send + 'static,
    T::Future: Send,
    T::Stream: Unpin + Send + 'static,
{
    Box::pin(async move {
        let started = config.connect_raw(stream, tls).await;
        let (client, connection) = started.map_err(|error| Error::login(&error, &user))?;
        let connection: Connection = Box::pin(connection);
        Ok((client, connection))
    })
}

/// Does `work`, and what the connection has to do for it.
pub(crate) async fn drive<T>(
    connection: &mut Connection,
    mut work: Asking<'_, T>,
    user: &str,
) -> Result<T, Error> {
    let done = std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        match connection.as_mut().poll(cx) {
            // What came with the end is handed on first.
            Poll::Ready(ended) => match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Ok(done)),
                Poll::Pending => Poll::Ready(Err(ended)),
            },
            Poll::Pending => Poll::Pending,
        }
    });
    match done.await {
        Ok(done) => done.map_err(|error| Error::statement(&error, user)),
        Err(Ok(())) => Err(Error::Closed("the server closed it".to_owned())),
        Err(Err(error)) => Err(match Error::statement(&error, user) {
            Error::Statement(text) => Error::Closed(text),
            other => other,
        }),
    }
}
