//! The PgBouncer exporter: poolers in front of PostgreSQL, named, typed and labelled as pgbouncer_exporter names them.
//!
//! A pooler is a subject. Its console is asked on one connection that stays open. A new column is one line in the table of
//! its command.

mod databases;
mod lists;
mod pools;
mod stats;
mod table;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use taffrail_core::subject::Collecting;
use taffrail_core::{Collect, CollectError, Exporter, Metric, Out, Subject, Target, metrics};
use taffrail_postgres::{Console, Error, Server};

metrics! {
    /// Whether the pooler answered (1) or not (0).
    UP: Gauge = "pgbouncer_up" [];
    /// What the pooler is: 1.
    VERSION: Gauge = "pgbouncer_version_info" ["version"];
}

/// The database that is the console.
pub const CONSOLE: &str = "pgbouncer";
/// What a run needs beyond the time that the pooler may take, to say that its time was up.
const SLACK: Duration = Duration::from_secs(1);

/// A group of metrics: what it is about, and its metrics.
pub type Group = (&'static str, &'static [&'static Metric]);

/// Every metric that a pooler may publish, by what it is about.
pub static GROUPS: [Group; 5] = [
    ("Whether the pooler answers, and what it is.", METRICS),
    ("The pooler as a whole.", lists::METRICS),
    ("Databases.", databases::METRICS),
    ("Pools.", pools::METRICS),
    ("What was done for each database.", stats::METRICS),
];

/// The exporter of these poolers; each is a server whose database is [`CONSOLE`].
pub fn exporter(poolers: &[Server], job: &str) -> Exporter {
    let subjects = poolers.iter().map(subject).collect();
    Exporter { name: "pgbouncer", job: job.to_owned(), subjects, duration: None, success: None }
}

/// The subject of one pooler.
pub fn subject(pooler: &Server) -> Subject {
    static ALL: LazyLock<Vec<&'static Metric>> =
        LazyLock::new(|| GROUPS.iter().flat_map(|(_, metrics)| *metrics).copied().collect());
    let target = Target { instance: pooler.instance.clone(), labels: pooler.labels.clone() };
    let asked = Asked { pooler: Arc::new(pooler.clone()), console: None };
    let mut subject = Subject::asynchronous(pooler.name.clone(), &ALL, asked);
    subject.interval = Some(pooler.interval);
    subject.budget = pooler.timeout + SLACK;
    subject.of(target)
}

struct Asked {
    pooler: Arc<Server>,
    console: Option<Console>,
}

impl Collect for Asked {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            let timeout = self.pooler.timeout;
            let asked = tokio::time::timeout(timeout, self.ask(out)).await;
            let asked = asked.unwrap_or(Err(Error::Late(timeout)));
            out.put(&UP, [], f64::from(u8::from(asked.is_ok())));
            asked.map_err(|error| {
                self.console = None;
                CollectError::Other(error.to_string())
            })
        })
    }
}

impl Asked {
    async fn ask(&mut self, out: &mut Out) -> Result<(), Error> {
        // One that the pooler has closed since, as a restart does, is made anew once.
        let kept = match self.console.take() {
            Some(mut console) => console.rows("SHOW VERSION").await.ok().map(|rows| (console, rows)),
            None => None,
        };
        let (mut console, version) = match kept {
            Some(kept) => kept,
            None => {
                let mut console = Console::open(&self.pooler).await?;
                let version = console.rows("SHOW VERSION").await?;
                (console, version)
            }
        };
        if let Some(version) = version.first().and_then(|row| row.get(0)) {
            out.put(&VERSION, [version], 1.0);
        }
        lists::write(&console.rows("SHOW LISTS").await?, out);
        lists::write(&console.rows("SHOW CONFIG").await?, out);
        databases::TABLE.write(&console.rows(databases::TABLE.command).await?, out);
        pools::TABLE.write(&console.rows(pools::TABLE.command).await?, out);
        stats::TABLE.write(&console.rows(stats::TABLE.command).await?, out);
        lists::write_clients(&console.rows("SHOW CLIENTS").await?, out);
        self.console = Some(console);
        Ok(())
    }
}
