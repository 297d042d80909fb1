//! One round: the views that are due, asked together, written as they are answered.

use std::time::Duration;

use taffrail_core::{Clock, Out};
use tokio_postgres::{Row, Statement};

use crate::config::Server;
use crate::error::Error;
use crate::memory::Memory;
use crate::session::{Answer, Session};
use crate::view::{self, Query, Read, View};

/// What came of one view.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: &'static str,
    /// How long its answers took.
    pub took: Duration,
    /// What went wrong first, if anything did.
    pub problem: Option<String>,
}

/// Adds a problem to a view's outcome, or time, or both.
pub fn note(outcomes: &mut Vec<Outcome>, name: &'static str, took: Duration, problem: Option<String>) {
    match outcomes.iter_mut().find(|outcome| outcome.name == name) {
        Some(outcome) => {
            outcome.took += took;
            outcome.problem = outcome.problem.take().or(problem);
        }
        None => outcomes.push(Outcome { name, took, problem }),
    }
}

/// Reads `views` in a session. A view that fails is noted, the others go on; an error is the session's end.
pub async fn read(
    session: &mut Session,
    server: &Server,
    views: &[&'static View],
    memory: &mut Memory,
    clock: &Clock,
    out: &mut Out,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Error> {
    memory.now = clock.monotonic();
    let facts = session.facts.clone();
    let mut asked: Vec<(&'static View, &'static Query)> = Vec::new();
    for view in views {
        asked.extend(view.queries.iter().filter(|query| query.fits(&facts)).map(|query| (*view, query)));
    }
    // Views that ask the same are answered once.
    let mut texts: Vec<String> = Vec::new();
    let mut askers: Vec<Vec<usize>> = Vec::new();
    for (at, (_, query)) in asked.iter().enumerate() {
        let text = query.text(&facts, server);
        match texts.iter().position(|known| *known == text) {
            Some(known) => askers[known].push(at),
            None => {
                texts.push(text);
                askers.push(vec![at]);
            }
        }
    }
    let limit = server.timeout * 2;
    let prepared = session.prepare(&texts, limit).await?;
    for (askers, refused) in askers.iter().zip(prepared) {
        let Err(error) = refused else { continue };
        for at in askers {
            note(outcomes, asked[*at].0.name, Duration::ZERO, Some(error.to_string()));
        }
    }
    let mut before = clock.monotonic();
    let mut each = |at: usize, now: Duration, answer: Answer| {
        for (place, asker) in askers[at].iter().enumerate() {
            let (view, query) = asked[*asker];
            let problem = match &answer {
                Ok((rows, statement)) => write(query, statement, rows, server, memory, out).err(),
                Err(error) => Some(error.to_string()),
            };
            let took = if place == 0 { now.saturating_sub(before) } else { Duration::ZERO };
            note(outcomes, view.name, took, problem);
        }
        before = now;
    };
    session.run(&texts, limit, clock, &mut each).await
}

fn write(
    query: &Query,
    statement: &Statement,
    rows: &[Row],
    server: &Server,
    memory: &mut Memory,
    out: &mut Out,
) -> Result<(), String> {
    match query.read {
        Read::Columns(columns) => view::write(columns, statement, rows, &server.instance, out),
        Read::Rows(read) => {
            read(memory, rows, out);
            Ok(())
        }
    }
}
