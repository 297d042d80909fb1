//! The views of the whole server, at its interval, and whether it is up.

use std::sync::Arc;
use std::time::Duration;

use taffrail_core::subject::Collecting;
use taffrail_core::{Clock, Collect, CollectError, Out, metrics};

use crate::config::Server;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::memory::Memory;
use crate::round::{self, Outcome};
use crate::session::Facts;
use crate::view::{Pace, View};
use crate::views::VIEWS;

metrics! {
    /// Whether the server takes this collector's session (1) or not (0).
    pub UP: Gauge = "pg_up" [];
    /// 1, with the version.
    STATIC: Untyped = "pg_static" ["version", "short_version", "server"];
    /// Seconds that the last look at the whole server took.
    LAST_DURATION: Gauge = "pg_exporter_last_scrape_duration_seconds" [];
    /// Whether anything of the last look at the whole server failed (1) or not (0).
    LAST_ERROR: Gauge = "pg_exporter_last_scrape_error" [];
    /// Looks at the whole server.
    SCRAPES: Counter = "pg_exporter_scrapes_total" [];
    /// Seconds that a view's answers took.
    pub DURATION: Gauge = "pg_scrape_collector_duration_seconds" ["collector"];
    /// Whether a view was read (1) or not (0).
    pub SUCCESS: Gauge = "pg_scrape_collector_success" ["collector"];
}

/// The views of the whole server.
pub struct Often {
    keeper: Keeper,
    views: Vec<&'static View>,
    memory: Memory,
    scrapes: u64,
}

impl Often {
    /// Nothing read yet.
    pub fn new(server: Arc<Server>, clock: Clock) -> Self {
        let views = VIEWS.iter().copied().filter(|view| view.pace == Pace::Often && server.reads(view));
        Often {
            views: views.collect(),
            keeper: Keeper::new(server, clock),
            memory: Memory::default(),
            scrapes: 0,
        }
    }

    /// Reads the views. Once more from the beginning where a session that was kept turns out to have ended.
    async fn read(&mut self, out: &mut Out, outcomes: &mut Vec<Outcome>) -> Result<Facts, Error> {
        let Often { keeper, views, memory, .. } = self;
        let (server, clock) = (keeper.server.clone(), keeper.clock.clone());
        loop {
            outcomes.clear();
            let (session, new) = keeper.session(&server.database).await?;
            let facts = session.facts.clone();
            let read = round::read(session, &server, views, memory, &clock, out, outcomes).await;
            let Err(error) = read else { return Ok(facts) };
            keeper.drop_session();
            let ended = matches!(error, Error::Closed(_));
            if new || !ended {
                return Err(error);
            }
        }
    }
}

impl Collect for Often {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            let clock = self.keeper.clock.clone();
            let start = clock.monotonic();
            self.scrapes += 1;
            let mut outcomes = Vec::new();
            let read = self.read(out, &mut outcomes).await;
            // A server that does not answer in time is up still, where it took the session.
            let up = read.is_ok() || outcomes.iter().any(|outcome| outcome.problem.is_none());
            out.put(&UP, [], f64::from(u8::from(up)));
            if let Ok(facts) = &read {
                let short = format!("{}.{}.0", facts.major(), facts.version % 10_000);
                out.put(&STATIC, [&facts.version_text, &short, &self.keeper.server.instance], 1.0);
            }
            let result = settle(read.map(drop), &outcomes, out);
            out.put(&LAST_DURATION, [], clock.monotonic().saturating_sub(start).as_secs_f64());
            out.put(&LAST_ERROR, [], f64::from(u8::from(result.is_err())));
            out.put(&SCRAPES, [], self.scrapes as f64);
            result
        })
    }
}

/// Tells what came of each view, and all that went wrong in one text.
pub fn settle(read: Result<(), Error>, outcomes: &[Outcome], out: &mut Out) -> Result<(), CollectError> {
    for outcome in outcomes {
        out.put(&DURATION, [outcome.name], outcome.took.as_secs_f64());
    }
    for outcome in outcomes {
        out.put(&SUCCESS, [outcome.name], f64::from(u8::from(outcome.problem.is_none())));
    }
    let whole = read.err().map(|error| error.to_string());
    let views = outcomes.iter().filter_map(|o| Some(format!("{}: {}", o.name, o.problem.as_ref()?)));
    let problems: Vec<String> = whole.into_iter().chain(views).collect();
    if problems.is_empty() { Ok(()) } else { Err(CollectError::Other(problems.join("; "))) }
}

/// How long a round may take before it is said to be late.
pub fn budget(server: &Server) -> Duration {
    server.timeout * 3 + Duration::from_secs(5)
}
