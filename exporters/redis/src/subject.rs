//! A server as a subject.

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_core::subject::Collecting;
use taffrail_core::{Clock, Collect, CollectError, Out, Source, Subject, Target, metrics};

use crate::address::Address;
use crate::connection::{Connection, Error, good};
use crate::info;
use crate::keys::{self, Key};
use crate::reply::Reply;
use crate::slowlog;
use crate::tls::Tls;

metrics! {
    /// Whether the server answered (1) or not (0).
    UP: Gauge = "redis_up" [];
    /// What the server is: 1.
    INSTANCE: Gauge = "redis_instance_info" ["role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id", "process_id", "master_replid"];
    /// When the server started, in seconds since 1970.
    START_TIME: Gauge = "redis_start_time_seconds" [];
}

/// What a run needs beyond the time that the server may take, to say that its time was up.
const SLACK: Duration = Duration::from_secs(1);

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Unique among servers; logs and the live page use it.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// Who logs in, where the server knows users.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Source>,
    /// Whom a server with TLS has to be.
    pub tls: Tls,
    /// Keys whose length is published.
    pub keys: Vec<Key>,
    /// How often it is asked.
    pub interval: Duration,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// Labels of its series, beside `job` and `instance`.
    pub labels: BTreeMap<String, String>,
}

/// The subject of one server.
pub fn subject(server: &Server, clock: &Clock) -> Subject {
    let target = Target { instance: server.address.to_string(), labels: server.labels.clone() };
    let asked = Asked { server: server.clone(), clock: clock.clone(), connection: None, started: None };
    let mut subject = Subject::asynchronous(server.name.clone(), every(), asked);
    subject.interval = Some(server.interval);
    subject.budget = server.timeout + SLACK;
    subject.of(target)
}

/// Every metric of a server.
fn every() -> &'static [&'static taffrail_core::Metric] {
    static ALL: std::sync::LazyLock<Vec<&'static taffrail_core::Metric>> = std::sync::LazyLock::new(|| {
        crate::GROUPS.iter().flat_map(|(_, metrics)| *metrics).copied().collect()
    });
    &ALL
}

struct Asked {
    server: Server,
    clock: Clock,
    connection: Option<Connection>,
    /// The process that was asked last, and when it started.
    started: Option<(String, i64)>,
}

impl Collect for Asked {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            let timeout = self.server.timeout;
            let asked = tokio::time::timeout(timeout, self.ask(out)).await;
            let asked = asked.unwrap_or_else(|_| Err(Error::Refused(format!("nothing within {timeout:?}"))));
            out.put(&UP, [], f64::from(u8::from(asked.is_ok())));
            asked.map_err(|e| {
                // Replies of this run must not be taken for those of the next.
                self.connection = None;
                CollectError::Other(e.to_string())
            })
        })
    }
}

impl Asked {
    async fn ask(&mut self, out: &mut Out) -> Result<(), Error> {
        // A connection that the server has closed since, as it does with idle ones, is made anew once.
        let kept = self.connection.take();
        let (mut connection, replies) = match kept {
            Some(mut kept) => match kept.ask(QUESTIONS).await {
                Ok(replies) => (kept, replies),
                Err(Error::Io(_)) => anew(&self.server).await?,
                Err(other) => return Err(other),
            },
            None => anew(&self.server).await?,
        };
        self.write(replies, out)?;
        watched(&mut connection, &self.server.keys, out).await?;
        self.connection = Some(connection);
        Ok(())
    }

    fn write(&mut self, replies: Vec<Reply>, out: &mut Out) -> Result<(), Error> {
        let mut replies = replies.into_iter();
        let text = match replies.next() {
            Some(Reply::Bulk(Some(text))) => text,
            Some(other) => {
                good(other)?;
                return Err(Error::Refused("INFO has no text".to_owned()));
            }
            None => return Err(Error::Refused("no answer".to_owned())),
        };
        let text = String::from_utf8_lossy(&text);
        let identity = info::write(&text, out);
        let labels = [
            identity.role,
            identity.version,
            identity.build,
            identity.mode,
            identity.os,
            identity.policy,
            identity.port,
            identity.run,
            identity.process,
            identity.replid,
        ];
        out.put(&INSTANCE, labels, 1.0);
        if let Some(uptime) = identity.uptime {
            // Whole seconds on two clocks: computed once for a process, so that it does not waver.
            let started = match &self.started {
                Some((run, started)) if run == identity.run => *started,
                _ => self.clock.now_ms() / 1000 - uptime as i64,
            };
            self.started = Some((identity.run.to_owned(), started));
            out.put(&START_TIME, [], started as f64);
        }
        if let (Some(length), Some(last)) = (replies.next(), replies.next()) {
            slowlog::write(&length, &last, out);
        }
        Ok(())
    }
}

/// A new connection, and the answers on it.
async fn anew(server: &Server) -> Result<(Connection, Vec<Reply>), Error> {
    let mut connection = Connection::open(server).await?;
    let replies = connection.ask(QUESTIONS).await?;
    Ok((connection, replies))
}

/// What every run asks.
const QUESTIONS: &[&[&str]] = &[&["INFO", "ALL"], &["SLOWLOG", "LEN"], &["SLOWLOG", "GET", "1"]];

/// Publishes the length of each configured key: first what the keys are, then how long.
async fn watched(connection: &mut Connection, watched: &[Key], out: &mut Out) -> Result<(), Error> {
    if watched.is_empty() {
        return Ok(());
    }
    let databases: Vec<String> = watched.iter().map(|key| key.db.to_string()).collect();
    let both = || watched.iter().zip(&databases);
    let select: Vec<[&str; 2]> = databases.iter().map(|db| ["SELECT", db]).collect();
    let kinds: Vec<[&str; 2]> = watched.iter().map(|key| ["TYPE", &key.key]).collect();
    let commands: Vec<&[&str]> = select.iter().zip(&kinds).flat_map(|(a, b)| [&a[..], &b[..]]).collect();
    let replies = connection.ask(&commands).await?;
    let mut asked = Vec::new();
    for ((key, db), answer) in both().zip(replies.chunks(2)) {
        match answer {
            [Reply::Status(_), Reply::Status(kind)] if kind == "none" => {
                keys::write(key, kind, &Reply::Integer(0), out);
            }
            [Reply::Status(_), Reply::Status(kind)] => {
                if let Some(length) = keys::length_of(kind) {
                    asked.push((key, db, kind.clone(), length));
                }
            }
            [Reply::Error(message), _] | [_, Reply::Error(message)] => {
                return Err(Error::Refused(format!("the key {key}: {message}")));
            }
            _ => {}
        }
    }
    let words: Vec<_> =
        asked.iter().map(|(key, db, _, length)| (["SELECT", db], [*length, &key.key])).collect();
    let commands: Vec<&[&str]> =
        words.iter().flat_map(|(select, length)| [&select[..], &length[..]]).collect();
    let replies = connection.ask(&commands).await?;
    for ((key, _, kind, _), answer) in asked.iter().zip(replies.chunks(2)) {
        if let [_, length] = answer {
            keys::write(key, kind, length, out);
        }
    }
    Ok(())
}
