//! A double of Loki that is as strict as Loki. Loki itself is in no package registry, so this stands
//! at its door in the tests: the push API by protobuf and snappy with Loki's limits, order window,
//! equal entries and texts. It answers no LogQL; tests ask for the entries themselves.
//!
//! Source: Loki's documentation of its HTTP API and `limits_config`, and what its releases 3.x answer.

mod labels;
mod limits;
mod numbers;
mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use limits::Refusal;
pub use limits::{Limits, Rate};
pub use numbers::{Numbers, append_line, number_of};
use store::Store;
pub use store::{StoredEntry, StoredStream};

use crate::server::{Answer, Request, Script, Server, lock};
use crate::wait::wait_for;
use crate::wire::{self, PushRequest};

/// The double, listening. Dropping it closes its port; what it stored is gone with it.
#[derive(Debug)]
pub struct LokiDouble {
    server: Server,
    script: Arc<Script>,
    store: Arc<Mutex<Store>>,
    tenants: Arc<Mutex<BTreeMap<String, Answer>>>,
}

impl LokiDouble {
    /// Listens on a free port of loopback with Loki's default limits.
    ///
    /// # Errors
    /// When there is none.
    pub fn start() -> Result<Self> {
        Self::start_with(Limits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start_with(limits: Limits) -> Result<Self> {
        Self::listen("127.0.0.1:0", limits)
    }

    /// Listens on a given address.
    ///
    /// # Errors
    /// When it is taken.
    pub fn listen(address: &str, limits: Limits) -> Result<Self> {
        let script = Arc::new(Script::new());
        let store = Arc::new(Mutex::new(Store::new(limits)));
        let tenants = Arc::new(Mutex::new(BTreeMap::<String, Answer>::new()));
        let (answers, kept, told) = (Arc::clone(&script), Arc::clone(&store), Arc::clone(&tenants));
        let server = Server::start(address, move |request| {
            let tenant = request.header("x-scope-orgid").unwrap_or_default();
            let answer = lock(&told).get(tenant).cloned();
            answer.unwrap_or_else(|| route(&request, &answers, &kept))
        })?;
        Ok(Self { server, script, store, tenants })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The URL a client is configured with: no path.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Answers for the next pushes, each once and in this order; with them nothing is stored, except
    /// with [`Answer::Usual`].
    pub fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.then(answers);
    }

    /// The answer to every push from now on; [`Answer::Usual`] is to be Loki again.
    pub fn always(&self, answer: Answer) {
        self.script.always(answer);
    }

    /// The answer to every request of one tenant from now on; [`Answer::Usual`] is to be Loki again.
    pub fn always_to(&self, tenant: &str, answer: Answer) {
        match answer {
            Answer::Usual => drop(lock(&self.tenants).remove(tenant)),
            answer => drop(lock(&self.tenants).insert(tenant.to_owned(), answer)),
        }
    }

    /// Changes the limits from now on.
    pub fn set_limits(&self, limits: Limits) {
        lock(&self.store).limits = limits;
    }

    /// Counts numbered lines from now on, by job, and keeps only the others.
    pub fn count_numbers(&self) {
        lock(&self.store).numbers = Some(BTreeMap::new());
    }

    /// Looks at the numbered lines of a job.
    pub fn numbers<T>(&self, job: &str, look: impl FnOnce(&Numbers) -> T) -> T {
        match lock(&self.store).numbers.as_ref().and_then(|numbers| numbers.get(job)) {
            Some(numbers) => look(numbers),
            None => look(&Numbers::default()),
        }
    }

    /// All streams of all tenants.
    pub fn streams(&self) -> Vec<StoredStream> {
        lock(&self.store).streams()
    }

    /// The lines of all streams that carry these labels, by time.
    pub fn lines(&self, labels: &[(&str, &str)]) -> Vec<String> {
        let streams = store::matching(self.streams(), labels);
        let mut entries: Vec<StoredEntry> = streams.into_iter().flat_map(|s| s.entries).collect();
        entries.sort_by_key(|entry| entry.ns);
        entries.into_iter().map(|entry| entry.line).collect()
    }

    /// Entries that were dropped without a word because an equal one was there: duplicates sent.
    pub fn equal(&self) -> u64 {
        lock(&self.store).equal
    }

    /// Waits until streams with these labels hold this many lines.
    ///
    /// # Errors
    /// When fewer came within `timeout`.
    pub fn wait_for_lines(
        &self,
        labels: &[(&str, &str)],
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<String>> {
        wait_for(&format!("{count} lines at Loki"), timeout, || {
            let lines = self.lines(labels);
            if lines.len() < count {
                bail!("{} are there", lines.len());
            }
            Ok(lines)
        })
    }
}

fn route(request: &Request, script: &Script, store: &Mutex<Store>) -> Answer {
    let path = request.path.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("POST", "/loki/api/v1/push") => match script.take() {
            Answer::Usual => push(request, store),
            Answer::Unheard => {
                push(request, store);
                Answer::Close
            }
            other => other,
        },
        ("GET", "/ready") => Answer::text(200, "ready\n"),
        ("GET", "/entries") => match serde_json::to_string(&lock(store).streams()) {
            Ok(json) => Answer::text(200, &json).with_header("content-type", "application/json"),
            Err(err) => Answer::text(500, &err.to_string()),
        },
        ("GET", "/metrics") => Answer::text(200, "loki_build_info{version=\"double\"} 1\n"),
        (_, "/loki/api/v1/push") => Answer::text(405, "method not allowed\n"),
        _ => Answer::text(404, "404 page not found\n"),
    }
}

fn push(request: &Request, store: &Mutex<Store>) -> Answer {
    let tenant = request.header("x-scope-orgid").unwrap_or("fake");
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
    let mut store = lock(store);
    let taken = read(request, store.limits.request).and_then(|pushed| store.push(tenant, pushed, now));
    match taken {
        Ok(()) => Answer::status(204),
        Err(Refusal { status, text }) => Answer::text(status, &format!("{text}\n")),
    }
}

/// Everything before the entries themselves: media type, size, snappy, protobuf.
fn read(request: &Request, limit: usize) -> Result<PushRequest, Refusal> {
    if let Some(tenant) = request.header("x-scope-orgid").filter(|tenant| !valid_tenant(tenant)) {
        return Err(Refusal::bad(format!("tenant ID '{tenant}' contains unsupported character")));
    }
    match request.header("content-type") {
        Some(kind) if kind.split(';').next() == Some("application/x-protobuf") => {}
        Some(kind) => {
            return Err(Refusal::bad(format!("the double reads application/x-protobuf only, not {kind:?}")));
        }
        None => return Err(Refusal::bad("mime: no media type")),
    }
    match request.header("content-encoding") {
        None | Some("snappy") => {}
        Some(other) => {
            return Err(Refusal::bad(format!("Content-Encoding {other:?} not supported")));
        }
    }
    let size = snap::raw::decompress_len(&request.body).unwrap_or(0).max(request.body.len());
    if size > limit {
        return Err(Refusal {
            status: 413,
            text: format!("request body too large: {size} bytes, limit: {limit} bytes"),
        });
    }
    wire::decode(&request.body).map_err(|err| Refusal::bad(format!("{err:#}")))
}

fn valid_tenant(tenant: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!-_.*'()".contains(&b);
    !tenant.is_empty() && tenant.len() <= 150 && !matches!(tenant, "." | "..") && tenant.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
