//! The Postgres exporter: servers seen from inside, named, typed and labelled as postgres_exporter does.
//!
//! A view of the server's is a table in a file of its own under `views`: a query for each range of versions, and which
//! column is which metric's value. Two sessions a server, at most: one for what is read often, one for what is read
//! seldom, which goes from database to database.

mod cell;
pub mod config;
mod console;
pub mod custom;
mod databases;
mod error;
mod keeper;
mod memory;
mod often;
mod pgpass;
mod redact;
mod round;
mod seldom;
mod session;
mod socket;
pub mod tls;
pub mod url;
pub mod view;
mod views;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use taffrail_core::{Clock, Exporter, Metric, Subject, Target};
use tokio::sync::Mutex;

pub use config::Server;
pub use console::{Console, Rows};
pub use error::Error;
pub use views::VIEWS;

use crate::custom::Custom;
use crate::keeper::Keeper;
use crate::often::{Often, budget};
use crate::seldom::Seldom;
use crate::view::Pace;

/// Every metric that a server may give.
pub fn metrics() -> &'static [&'static Metric] {
    static ALL: LazyLock<Vec<&'static Metric>> =
        LazyLock::new(|| groups().iter().flat_map(|(_, _, metrics)| *metrics).copied().collect());
    &ALL
}

/// A group of metrics: the view's name, what it is about, and its metrics.
pub type Group = (Option<&'static str>, &'static str, &'static [&'static Metric]);

/// Every metric, by view.
pub fn groups() -> Vec<Group> {
    let whole = "Every server.";
    let views = VIEWS.iter().map(|view| (Some(view.name), view.about, view.metrics));
    [(None, whole, often::METRICS), (None, whole, seldom::METRICS)].into_iter().chain(views).collect()
}

/// The exporter of these servers.
pub fn exporter(servers: &[Server], job: &str, clock: &Clock) -> Exporter {
    let subjects = servers.iter().flat_map(|server| subjects(server, clock)).collect();
    Exporter { name: "postgres", job: job.to_owned(), subjects, duration: None, success: None }
}

/// What is read of one server: often, seldom, hardly ever, and what its user asks.
fn subjects(server: &Server, clock: &Clock) -> Vec<Subject> {
    let server = Arc::new(server.clone());
    let target = || Target { instance: server.instance.clone(), labels: server.labels.clone() };
    let often = Often::new(server.clone(), clock.clone());
    let mut first = Subject::asynchronous(server.name.clone(), metrics(), often).of(target());
    first.interval = Some(server.interval);
    first.budget = budget(&server);
    let mut subjects = vec![first];
    let keeper = Arc::new(Mutex::new(Keeper::new(server.clone(), clock.clone())));
    let rest: [(&str, &[Pace], Duration); 2] = [
        ("databases", &[Pace::Seldom, Pace::Database], server.database_interval),
        ("costly", &[Pace::Costly], server.costly_interval),
    ];
    for (name, paces, interval) in rest {
        let seldom = Seldom::new(keeper.clone(), server.clone(), clock.clone(), paces);
        if seldom.is_empty() {
            continue;
        }
        let name = format!("{}/{name}", server.name);
        let mut subject = Subject::asynchronous(name, metrics(), seldom).of(target());
        subject.interval = Some(interval);
        // It goes from database to database, and waits while others wait for locks.
        subject.budget = interval.max(budget(&server));
        subjects.push(subject);
    }
    for query in &server.queries {
        let name = format!("{}/queries/{}", server.name, query.name);
        let custom = Custom::new(keeper.clone(), server.clone(), clock.clone(), query.clone());
        let mut subject = Subject::asynchronous(name, metrics(), custom).of(target());
        subject.interval = Some(query.interval);
        // It waits for its turn in the session that it shares.
        subject.budget = query.interval.max(budget(&server));
        subjects.push(subject);
    }
    subjects
}
