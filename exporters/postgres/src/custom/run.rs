//! Asks one query, in one database or in each, and tells what came of it.

use std::sync::Arc;

use taffrail_core::subject::Collecting;
use taffrail_core::{Clock, Collect, CollectError, Out};
use tokio::sync::Mutex;

use super::CustomQuery;
use super::plan::Plan;
use super::write::{Labels, Writer};
use crate::config::Server;
use crate::databases;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::often::{self, DURATION, SUCCESS};
use crate::session::Rows;
use crate::views::VIEWS;

/// The most problems of one round that are told.
const TOLD: usize = 5;

/// A query as a subject: what is wrong with it is its own affair.
pub struct Custom {
    /// Shared with what is read seldom: one session at a time.
    keeper: Arc<Mutex<Keeper>>,
    server: Arc<Server>,
    clock: Clock,
    query: CustomQuery,
    collector: String,
}

impl Custom {
    /// Nothing asked yet.
    pub fn new(keeper: Arc<Mutex<Keeper>>, server: Arc<Server>, clock: Clock, query: CustomQuery) -> Self {
        let collector = format!("queries/{}", query.name);
        Custom { keeper, server, clock, query, collector }
    }

    async fn read(&mut self, out: &mut Out, problems: &mut Vec<String>) -> Result<bool, Error> {
        let databases = if self.query.each_database {
            databases::list(&mut *self.keeper.lock().await).await?.0
        } else {
            vec![self.server.database.clone()]
        };
        let mut writer = Writer::new(&self.query);
        for (at, database) in databases.iter().enumerate() {
            let mut own = Vec::new();
            let asked = self.ask(database, writer.room()).await;
            let late = matches!(asked, Err(Error::Late(_)));
            match asked {
                Ok(None) => return Ok(false),
                Ok(Some(answer)) => {
                    let told = |metric: &str| tells(&self.server, metric);
                    let plan = Plan::new(&self.query, answer.statement.columns(), &told, &mut own);
                    writer.write(&plan, &answer.rows, self.labels(database), out, &mut own);
                    let most = self.query.max_rows;
                    own.extend(answer.cut.map(|why| {
                        format!("{why}: only the first are told; aggregate, or raise `max_rows` ({most})")
                    }));
                }
                Err(error) => own.push(error.to_string()),
            }
            let place =
                if self.query.each_database { format!("database {database}: ") } else { String::new() };
            problems.extend(own.into_iter().map(|problem| format!("{place}{problem}")));
            // What is late in one database is asked in no other: each would wait as long.
            if late || writer.room() == 0 {
                let left = databases.len() - at - 1;
                if left > 0 {
                    let why = if late { "as it is late" } else { "as `max_rows` are told" };
                    problems.push(format!("{left} more databases are not asked this time, {why}"));
                }
                break;
            }
        }
        Ok(true)
    }

    /// The answer of one database; none from a server of another version than is meant. Once more where a session that was
    /// kept turns out to have ended.
    async fn ask(&self, database: &str, room: usize) -> Result<Option<Rows>, Error> {
        let mut keeper = self.keeper.lock().await;
        loop {
            let (session, new) = keeper.session(database).await?;
            if !self.query.versions.contain(session.facts.version) {
                return Ok(None);
            }
            // The server itself stops what is late; twice as long is for one that does not.
            let asked = session.rows(&self.query.sql, room, self.server.timeout * 2).await;
            match asked {
                Ok(rows) => {
                    if rows.cut.is_some() {
                        keeper.drop_session();
                    }
                    return Ok(Some(rows));
                }
                Err(error) => {
                    if error.ends_session() {
                        keeper.drop_session();
                    }
                    if new || !matches!(error, Error::Closed(_)) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Labels that no column need give.
    fn labels(&self, database: &str) -> Labels {
        let mut labels = vec![("server".into(), self.server.instance.as_str().into())];
        if self.query.each_database {
            labels.push(("datname".into(), database.into()));
        }
        labels
    }
}

/// Whether this exporter tells a metric itself, without a query.
pub fn tells(server: &Server, metric: &str) -> bool {
    let views = VIEWS.iter().filter(|view| server.reads(view)).flat_map(|view| view.metrics);
    often::METRICS.iter().chain(views).any(|declared| declared.covers(metric))
}

impl Collect for Custom {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            let start = self.clock.monotonic();
            let mut problems = Vec::new();
            match self.read(out, &mut problems).await {
                Ok(true) => {}
                Ok(false) => return Err(CollectError::Absent),
                Err(error) => problems.push(error.to_string()),
            }
            let took = self.clock.monotonic().saturating_sub(start).as_secs_f64();
            out.put(&DURATION, [&self.collector], took);
            out.put(&SUCCESS, [&self.collector], f64::from(u8::from(problems.is_empty())));
            if problems.is_empty() {
                return Ok(());
            }
            let more = problems.len().saturating_sub(TOLD);
            problems.truncate(TOLD);
            if more > 0 {
                problems.push(format!("and {more} more"));
            }
            Err(CollectError::Other(format!("query `{}`: {}", self.query.name, problems.join("; "))))
        })
    }
}
