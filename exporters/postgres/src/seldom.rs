//! What is read more seldom, in a session of its own: the server's settings and sizes, and each database's own views, one
//! database after the other.

use std::sync::Arc;
use std::time::Duration;

use taffrail_core::subject::Collecting;
use taffrail_core::{Clock, Collect, CollectError, Out, metrics};
use tokio::sync::Mutex;

use crate::cell;
use crate::config::Server;
use crate::databases;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::memory::Memory;
use crate::often::settle;
use crate::round::{self, Outcome};
use crate::view::{Pace, View};
use crate::views::VIEWS;

metrics! {
    /// Databases whose own views are not read, as `max_databases` allows no more.
    LEFT_OUT: Gauge = "taffrail_postgres_databases_left_out" [];
}

/// How often is looked whether sessions wait for locks still, and how often at most.
const WAITS_EVERY: Duration = Duration::from_secs(5);
const WAITS_MOST: u32 = 6;

/// Whether any session waits for a lock.
const WAITING: &str = "select exists (select from pg_locks where not granted)::int";

/// What is read more seldom.
pub struct Seldom {
    /// Shared by all that is read seldom: one session at a time.
    keeper: Arc<Mutex<Keeper>>,
    server: Arc<Server>,
    clock: Clock,
    whole: Vec<&'static View>,
    each: Vec<&'static View>,
    memory: Memory,
}

impl Seldom {
    /// Nothing read yet. `whole` views are read once, `each` in each database.
    pub fn new(keeper: Arc<Mutex<Keeper>>, server: Arc<Server>, clock: Clock, paces: &[Pace]) -> Self {
        let views = |database: bool| {
            let fits = |view: &&&View| paces.contains(&view.pace) && (view.pace != Pace::Seldom) == database;
            VIEWS.iter().filter(fits).copied().filter(|view| server.reads(view)).collect()
        };
        let (whole, each) = (views(false), views(true));
        Seldom { keeper, server, clock, whole, each, memory: Memory::default() }
    }

    /// Whether there is anything to read.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.each.is_empty()
    }

    async fn read(&mut self, out: &mut Out, outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let first = self.server.database.clone();
        let (whole, patient): (Vec<_>, Vec<_>) = self.whole.iter().partition(|view| !view.patient);
        self.views(&first, &whole, out, outcomes).await?;
        // How long this round waits in all while others wait for locks.
        let mut patience = WAITS_MOST;
        let patient = self.may_run(&first, patient, &mut patience, outcomes).await?;
        self.views(&first, &patient, out, outcomes).await?;
        for database in self.databases(out).await? {
            if let Err(error) = self.database(&database, &mut patience, out, outcomes).await {
                // One database that cannot be read hides no other.
                for view in &self.each {
                    let problem = format!("database {database}: {error}");
                    round::note(outcomes, view.name, Duration::ZERO, Some(problem));
                }
            }
        }
        Ok(())
    }

    async fn database(
        &mut self,
        database: &str,
        patience: &mut u32,
        out: &mut Out,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        let views = self.may_run(database, self.each.clone(), patience, outcomes).await?;
        self.views(database, &views, out, outcomes).await
    }

    /// Those of `views` that may run while sessions wait for locks; all where none wait, or not any more.
    async fn may_run(
        &mut self,
        database: &str,
        mut views: Vec<&'static View>,
        patience: &mut u32,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<Vec<&'static View>, Error> {
        if !views.iter().any(|view| view.patient) || !self.sessions_wait(database, patience).await? {
            return Ok(views);
        }
        let why = "put off: sessions wait for locks; pg_blocked_sessions tells for whose";
        for view in views.iter().filter(|view| view.patient) {
            round::note(outcomes, view.name, Duration::ZERO, Some(why.to_owned()));
        }
        views.retain(|view| !view.patient);
        Ok(views)
    }

    /// Reads views in one database; once more where a session that was kept turns out to have ended.
    async fn views(
        &mut self,
        database: &str,
        views: &[&'static View],
        out: &mut Out,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        let Seldom { keeper, server, clock, memory, .. } = self;
        // For as long as this takes: others that are read seldom come in between.
        let mut keeper = keeper.lock().await;
        loop {
            let (session, new) = keeper.session(database).await?;
            let read = round::read(session, server, views, memory, clock, out, outcomes).await;
            let Err(error) = read else { return Ok(()) };
            keeper.drop_session();
            if new || !matches!(error, Error::Closed(_)) {
                return Err(error);
            }
        }
    }

    /// The databases to look into.
    async fn databases(&mut self, out: &mut Out) -> Result<Vec<String>, Error> {
        if self.each.is_empty() {
            return Ok(Vec::new());
        }
        let mut keeper = self.keeper.lock().await;
        let (found, left_out) = databases::list(&mut keeper).await?;
        if self.each.iter().any(|view| view.pace == Pace::Database) {
            out.put(&LEFT_OUT, [], left_out as f64);
        }
        Ok(found)
    }

    /// Whether sessions wait for locks, and go on waiting for a while.
    async fn sessions_wait(&mut self, database: &str, patience: &mut u32) -> Result<bool, Error> {
        loop {
            let rows = self.keeper.lock().await.ask(database, WAITING).await?;
            if rows.first().and_then(|row| cell::number(row, 0)) != Some(1.0) {
                return Ok(false);
            }
            if *patience == 0 {
                return Ok(true);
            }
            *patience -= 1;
            tokio::time::sleep(WAITS_EVERY).await;
        }
    }
}

impl Collect for Seldom {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            let mut outcomes = Vec::new();
            let read = self.read(out, &mut outcomes).await;
            let problems = settle(read, &outcomes, out);
            problems.map_err(|error| CollectError::Other(error.to_string()))
        })
    }
}
